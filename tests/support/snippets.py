"""The Python in the documentation, as a reader would run it."""

from __future__ import annotations

import pathlib
import re
from typing import Any

_DOCS = pathlib.Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run_snippets(page: str) -> dict[str, Any]:
    """Run all snippets of a page, one after the other, and return what they left."""
    names: dict[str, Any] = {}
    text = (_DOCS / page).read_text(encoding="utf-8")
    blocks = list(_BLOCK.finditer(text))
    assert blocks
    for block in blocks:
        # Keep the page's line numbers, so that a failure points at the page.
        source = "\n" * text.count("\n", 0, block.start(1)) + block[1]
        exec(compile(source, f"docs/{page}", "exec"), names)
    return names

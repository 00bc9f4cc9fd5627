"""The Python snippets of the documentation."""

from __future__ import annotations

import pathlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOCS = pathlib.Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run_snippets(page: str) -> dict[str, Any]:
    """Run all snippets of a page in order and return their global names."""
    names: dict[str, Any] = {}
    for names in each_snippet(page):  # noqa: B007
        pass
    return names


def each_snippet(page: str) -> Iterator[dict[str, Any]]:
    """Run the snippets of a page one by one, and yield the global names after each."""
    names: dict[str, Any] = {}
    text = (_DOCS / page).read_text(encoding="utf-8")
    blocks = list(_BLOCK.finditer(text))
    assert blocks
    for block in blocks:
        # Keep the page's line numbers, so that a failure points at the page.
        source = "\n" * text.count("\n", 0, block.start(1)) + block[1]
        exec(compile(source, f"docs/{page}", "exec"), names)
        yield names

"""The code blocks of the documentation, and which tests run them."""

from __future__ import annotations

import ast
import pathlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parents[2]
_DOCS = ROOT / "docs"
#: Indented fences too: a block in a list is a block.
_FENCE = re.compile(r"^( *)(```+|~~~+)([^\n`]*)\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[pathlib.Path]:
    """Return all Markdown pages that people read."""
    top = [ROOT / name for name in ("README.md", "README.ru.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*(page for page in top if page.exists()), *sorted(_DOCS.glob("*.md"))]


def name_of(page: pathlib.Path) -> str:
    """Return a page's name, as :func:`run_snippets` takes it."""
    return page.name if page.parent == _DOCS else f"../{page.name}"


def blocks(page: str) -> list[Block]:
    """Return all fenced blocks of a page."""
    text = (_DOCS / page).read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start(4)), found[3].strip(), found[4])
        for found in _FENCE.finditer(text)
    ]


def claimed_blocks(page: str, language: str) -> list[str]:
    """Return the texts of a page's blocks of one language, which the calling test holds to what is so.

    A test claims blocks by calling this with two literals; tests/docs/test_blocks.py fails for a block
    that nothing claims and no runner knows.
    """
    found = [block.text for block in blocks(page) if block.language == language]
    assert found, f"{page} has no {language} block"
    return found


def run_snippets(page: str) -> dict[str, Any]:
    """Run all Python snippets of a page in order and return their global names."""
    names: dict[str, Any] = {}
    for names in each_snippet(page):  # noqa: B007
        pass
    return names


def each_snippet(page: str) -> Iterator[dict[str, Any]]:
    """Run the Python snippets of a page one by one, and yield the global names after each."""
    names: dict[str, Any] = {}
    found = [block for block in blocks(page) if block.language == "python"]
    assert found
    for block in found:
        # Keep the page's line numbers, so that a failure points at the page.
        source = "\n" * block.line + block.text
        exec(compile(source, f"docs/{page}", "exec"), names)
        yield names


def claims() -> set[tuple[str, str]]:
    """Return (page, language) of all blocks that a test of its own runs or compares."""
    found: set[tuple[str, str]] = set()
    for path in sorted((ROOT / "tests").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "run_snippets" in text or "each_snippet" in text or "claimed_blocks" in text:
            found |= {claim for node in ast.walk(ast.parse(text)) if (claim := _claim(node))}
    return found


def _claim(node: ast.AST) -> tuple[str, str] | None:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return None
    words = [word.value for word in node.args if isinstance(word, ast.Constant)]
    if node.func.id in {"run_snippets", "each_snippet"} and len(words) == 1:
        return str(words[0]), "python"
    if node.func.id == "claimed_blocks" and len(words) == 2:
        return str(words[0]), str(words[1])
    return None

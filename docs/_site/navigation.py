"""The navigation: the headings and links of index.md, and every page that it does not name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([\w-]+)\.md\)")
#: A link to a file of the source tree that is no page.
_OUTSIDE = re.compile(r"\[([^\]]+)\]\((\.\./[^)\s]+)\)")


def sections(index: str, pages: set[str]) -> dict[str, list[str]]:
    """Return the pages below each heading; those that no heading names are under *More*.

    :param index: the text of index.md.
    :param pages: the names of all pages, without suffix.
    """
    _, *parts = _HEADING.split(index)
    found: dict[str, list[str]] = {}
    left = pages - {"index"}
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        found[title] = [name for name in dict.fromkeys(_LINK.findall(text)) if name in left]
        left -= set(found[title])
    found["More"] = sorted(left)
    return {title: names for title, names in found.items() if names}


def with_navigation(index: str, folder: Path) -> str:
    """Return index.md with a hidden table of contents for each heading.

    :param index: its text.
    :param folder: where the pages are.
    """
    found = sections(index, {path.stem for path in folder.glob("*.md")})
    trees = [_tree(title, names) for title, names in found.items()]
    return "\n\n".join([index, *trees, _tree("Reference", ["reference/index"])])


def _tree(caption: str, names: list[str]) -> str:
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *names, "```"])


def without_links_outside(text: str, source: str | None) -> str:
    """Return a page whose links to files of the source tree are absolute, or plain names.

    :param text: the page.
    :param source: the address under which the files can be read.
    """
    if source:
        return _OUTSIDE.sub(lambda link: f"[{link[1]}]({source}/blob/main/{link[2][3:]})", text)
    return _OUTSIDE.sub(lambda link: f"{link[1]} (`{link[2][3:]}`)", text)

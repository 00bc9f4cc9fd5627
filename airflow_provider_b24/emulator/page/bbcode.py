"""The BB codes of a message, read as the messenger shows them.

https://apidocs.bitrix24.com/api-reference/chats/messages/formatting.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Node: TypeAlias = "str | dict[str, Any]"

# Deeper codes are shown as written: a message of brackets alone must not exhaust the stack.
DEEPEST = 20

_BREAK = re.compile(r"\[br\]", re.IGNORECASE)
_RULED = re.compile(
    r"-{54}\n(?:(?P<author>[^\n\[]*?) ?\[[^\]\n]*\][^\n]*\n)?(?P<text>.*?)\n?-{54}\n?", re.DOTALL
)
_ARROWS = re.compile(r"(?:^>>[^\n]*(?:\n|$))+", re.MULTILINE)
_TOKEN = re.compile(
    r"\[(?P<end>/)?(?P<tag>b|i|u|s|url|user)(?:=(?P<value>[^\[\]]*))?\]"
    r"|(?P<link>https?://[^\s\[\]<>\"]*[^\s\[\]<>\".,:;!?)])",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https?://\S+|/(?![/\\])\S*", re.IGNORECASE)
_PERSON = re.compile(r"(\d+|all)(?: replace)?", re.IGNORECASE)


@dataclass(slots=True)
class _Open:
    """A code that waits for its end."""

    written: str
    tag: str
    value: str | None
    inside: list[Node] = field(default_factory=list)


@lru_cache(maxsize=1000)
def parse(text: str) -> list[Node]:
    """Return the parts of a message: texts, and objects with ``tag`` and what is ``in`` them.

    The list is shared: don't change it.
    """
    return list(_quotes(_BREAK.sub("\n", text)))


def plain(nodes: Iterable[Node]) -> str:
    """Return the text that a person reads."""
    return "".join(node if isinstance(node, str) else plain(node["in"]) for node in nodes)


def _quotes(text: str) -> Iterator[Node]:
    at = 0
    for found in _RULED.finditer(text):
        yield from _arrows(text[at : found.start()])
        author = {"author": found["author"]} if found["author"] else {}
        yield {"tag": "quote", **author, "in": _inline(found["text"])}
        at = found.end()
    yield from _arrows(text[at:])


def _arrows(text: str) -> Iterator[Node]:
    at = 0
    for found in _ARROWS.finditer(text):
        yield from _inline(text[at : found.start()])
        lines = [line.removeprefix(">>") for line in found[0].removesuffix("\n").split("\n")]
        yield {"tag": "quote", "in": _inline("\n".join(lines))}
        at = found.end()
    yield from _inline(text[at:])


def _inline(text: str) -> list[Node]:
    stack, at = [_Open("", "", None)], 0
    for found in _TOKEN.finditer(text):
        _add(stack[-1].inside, text[at : found.start()])
        _take(stack, found)
        at = found.end()
    _add(stack[-1].inside, text[at:])
    _give_up(stack, 1)
    return stack[0].inside


def _take(stack: list[_Open], found: re.Match[str]) -> None:
    tag = (found["tag"] or "").lower()
    if found["link"]:
        inside_link = any(item.tag == "url" for item in stack)
        _add(stack[-1].inside, found[0] if inside_link else _link(found[0], [found[0]]))
    elif found["end"]:
        _close(stack, tag, found[0])
    elif len(stack) > DEEPEST or not _opens(tag, found["value"]):
        _add(stack[-1].inside, found[0])
    else:
        stack.append(_Open(found[0], tag, found["value"]))


def _opens(tag: str, value: str | None) -> bool:
    if tag == "url":
        return value is None or _ADDRESS.fullmatch(value) is not None
    if tag == "user":
        return value is not None and _PERSON.fullmatch(value) is not None
    return value is None


def _close(stack: list[_Open], tag: str, written: str) -> None:
    at = next((number for number in range(len(stack) - 1, 0, -1) if stack[number].tag == tag), None)
    if at is None:
        _add(stack[-1].inside, written)
        return
    _give_up(stack, at + 1)
    closed = stack.pop()
    node = _node(closed)
    if node is None:
        for part in (closed.written, *closed.inside, written):
            _add(stack[-1].inside, part)
    else:
        _add(stack[-1].inside, node)


def _give_up(stack: list[_Open], count: int) -> None:
    """Show the codes above as written, because their end is missing."""
    while len(stack) > count:
        lost = stack.pop()
        for part in (lost.written, *lost.inside):
            _add(stack[-1].inside, part)


def _node(closed: _Open) -> Node | None:
    if closed.tag == "url":
        address = plain(closed.inside) if closed.value is None else closed.value
        return _link(address, closed.inside) if _ADDRESS.fullmatch(address) else None
    if closed.tag == "user":
        return {"tag": "user", "id": str(closed.value).split()[0].lower(), "in": closed.inside}
    return {"tag": closed.tag, "in": closed.inside}


def _link(address: str, inside: list[Node]) -> Node:
    return {"tag": "url", "href": address, "in": inside}


def _add(nodes: list[Node], part: Node) -> None:
    """Append a part; texts that stand side by side become one."""
    if isinstance(part, str) and nodes and isinstance(nodes[-1], str):
        nodes[-1] += part
    elif part != "":
        nodes.append(part)

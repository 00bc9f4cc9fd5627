"""Replies as ``json_encode`` writes them, with pieces that were rendered before."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

# Marks the place of a rendered piece; random, so that no text of a user can be taken for it.
_MARK = f"rendered-{secrets.token_hex(16)}"
_MARKED = f'"{_MARK}"'

_QUOTED = re.compile(r"\\(.)")
_SIMPLE = (
    ("/", "\\/"),
    ("<", "\\u003C"),
    (">", "\\u003E"),
    ("&", "\\u0026"),
    ("'", "\\u0027"),
    ("\u2028", "\\u2028"),
    ("\u2029", "\\u2029"),
)


class Rendered:
    """A value whose JSON text is kept, so that a poll read often is written once."""

    __slots__ = ("text", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.text = encode(value)


def encode(value: object) -> str:
    """Write JSON as PHP does: slashes and quotes escaped, letters of any script plain."""
    pieces: list[str] = []

    def place(item: object) -> str:
        if not isinstance(item, Rendered):
            raise TypeError(f"cannot write {type(item).__name__} as JSON")
        pieces.append(item.text)
        return _MARK

    text = _escape(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=place))
    if not pieces:
        return text
    frame = text.split(_MARKED)
    joined = [frame[0]]
    for piece, rest in zip(pieces, frame[1:], strict=True):
        joined += (piece, rest)
    return "".join(joined)


def _escape(text: str) -> str:
    # Outside of strings none of these characters occurs in JSON, so plain replacing is safe.
    for character, escaped in _SIMPLE:
        if character in text:
            text = text.replace(character, escaped)
    if '\\"' in text:
        text = _QUOTED.sub(lambda found: "\\u0022" if found[1] == '"' else found[0], text)
    return text


def plain(value: Any) -> Any:
    """Return a value with all rendered pieces taken out of their wrapping."""
    if isinstance(value, Rendered):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value

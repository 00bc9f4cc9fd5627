"""How PHP reads the parameters of a request: a query string, a form, a JSON body."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

# An array under construction: PHP has one kind of array for lists and maps.
_Array = dict[int | str, Any]

# Longer numbers do not fit PHP's integer and stay text.
_INTEGER_KEY = re.compile(r"0|-?[1-9][0-9]{0,17}")


def decode_query(text: str) -> dict[str, Any]:
    """Read ``a=1&b[]=2&c[d]=3`` as ``$_GET`` does; arrays with keys 0..n-1 become lists."""
    split = (pair.partition("=") for pair in text.split("&"))
    return decode_pairs((unquote_plus(name), unquote_plus(value)) for name, _, value in split)


def decode_pairs(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Read the fields of a form, whose names may be paths like ``a[b][]``."""
    root: _Array = {}
    for name, value in fields:
        path = _path(name)
        if path:
            _put(root, path, value)
    return {str(key): _finish(value) for key, value in root.items()}


def _path(name: str) -> list[str | None]:
    """Split ``a[b][]`` into ``["a", "b", None]``."""
    name = name.lstrip(" ").split("\0", 1)[0]
    head, bracket, rest = name.partition("[")
    # A bracket at the start, or one that is never closed, is no bracket to PHP.
    if not head or (bracket and "]" not in rest):
        return [name.replace(".", "_").replace(" ", "_").replace("[", "_", 1)] if name else []
    path: list[str | None] = [head.replace(".", "_").replace(" ", "_")]
    while bracket:
        key, closing, rest = rest.partition("]")
        if not closing:
            break
        path.append(key.lstrip(" ") or None)
        # What stands between a closing and the next opening bracket is dropped.
        bracket, rest = ("[", rest[1:]) if rest.startswith("[") else ("", "")
    return path


def _put(array: _Array, path: list[str | None], value: str) -> None:
    for step in path[:-1]:
        key = _key(array, step)
        inner = array.get(key)
        if not isinstance(inner, dict):
            inner = array[key] = {}
        array = inner
    array[_key(array, path[-1])] = value


def _key(array: _Array, step: str | None) -> int | str:
    if step is None:
        return max((key for key in array if isinstance(key, int)), default=-1) + 1
    return int(step) if _INTEGER_KEY.fullmatch(step) else step


def _finish(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if all(key == position for position, key in enumerate(value)):
        return [_finish(item) for item in value.values()]
    return {str(key): _finish(item) for key, item in value.items()}


def decode_json(body: bytes) -> dict[str, Any]:
    """Read a JSON body; what is no array or object in valid JSON becomes no parameters."""
    try:
        value = json.loads(body.decode(), parse_constant=_refuse_constant)
        if b"\\u" in body:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return {}
    if isinstance(value, list):
        return {str(position): item for position, item in enumerate(value)}
    return value if isinstance(value, dict) else {}


def _refuse_constant(name: str) -> object:
    raise ValueError(name)

"""How PHP reads a query string, casts a value and writes JSON."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

# An array under construction: PHP has one kind of array for lists and maps.
_Array = dict[int | str, Any]

# Longer numbers do not fit PHP's integer and stay text.
_INTEGER_KEY = re.compile(r"0|-?[1-9][0-9]{0,17}")
_LARGEST = 2**63 - 1
_INTEGER = re.compile(r"\s*([+-]?[0-9]+)")
_NUMBER = re.compile(r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")


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


def truthy(value: object) -> bool:
    """PHP's idea of truth: "0" is false, "false" is true."""
    return bool(value) and value != "0"


def to_int(value: object) -> int:
    """Cast as ``(int)`` does: the leading digits, else 0; an array that holds anything is 1."""
    if isinstance(value, str):
        found = _INTEGER.match(value)
        return max(-_LARGEST - 1, min(int(found[1][:25]), _LARGEST)) if found else 0
    if isinstance(value, float) and not math.isfinite(value):
        return 0
    return int(value) if isinstance(value, bool | int | float) else int(bool(value))


def trim(text: str) -> str:
    """Strip what ``trim`` strips: no-break and other wide spaces stay."""
    return text.strip(" \t\n\r\0\x0b")


def is_numeric(value: object) -> bool:
    """Whether ``is_numeric`` would say yes."""
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def pairs(value: object) -> list[tuple[str, Any]]:
    """Return the keys and values of a PHP array, be it a list or a map to Python."""
    if isinstance(value, dict):
        return [(str(key), item) for key, item in value.items()]
    if isinstance(value, list):
        return [(str(position), item) for position, item in enumerate(value)]
    return []


def is_array(value: object) -> bool:
    """Whether PHP would call this value an array."""
    return isinstance(value, dict | list)


def upper_keys(params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters as classic methods read them: names in upper case."""
    return {name.upper(): value for name, value in params.items()}


def number(value: float) -> float | int:
    """Return a float as ``json_encode`` writes it: 100 and not 100.0."""
    return int(value) if value == int(value) else value


def iso(moment: float) -> str:
    """Return a moment as ``date("c")`` writes it, in the portal's time zone."""
    return datetime.fromtimestamp(int(moment), UTC).isoformat()


def array(items: dict[str, Any]) -> dict[str, Any] | list[Any]:
    """Return a PHP array as JSON shows it: a list where the keys are 0..n-1, so ``[]`` if empty."""
    if all(key == str(position) for position, key in enumerate(items)):
        return list(items.values())
    return items

"""How PHP casts, tests and writes a value."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

_LARGEST = 2**63 - 1
_INTEGER = re.compile(r"\s*([+-]?[0-9]+)")
_NUMBER = re.compile(r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")


def truthy(value: object) -> bool:
    """PHP's idea of truth: "0" is false, "false" is true."""
    return bool(value) and value != "0"


def to_int(value: object) -> int:
    """Cast as ``(int)`` does: the leading digits, else 0; an array that is not empty is 1."""
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

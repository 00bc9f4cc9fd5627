"""JSON as a portal writes it, read into values that Airflow can carry.

Airflow's encoders and databases refuse some values that JSON can hold: in an event, such a value would end
the whole triggerer. No value that was read here is one of them.

=========================================  =======================
in the reply                               what it becomes
=========================================  =======================
half a surrogate pair, NUL, broken UTF-8   U+FFFD
``NaN``, ``Infinity``, ``1e999``           None
an integer of more than 64 bits            its digits, as text
a list or object at a depth over 100       the reply is not decoded
more than a million values                 the reply is not decoded
=========================================  =======================
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

#: Lists and objects inside each other; a portal's have some ten.
MAX_DEPTH = 100
#: Three bytes of JSON can become a hundred in memory: a million values take some 250 MB at worst.
MAX_VALUES = 1_000_000

_MIN_INT, _MAX_INT = -(2**63), 2**63 - 1
_SHORT_INT = 18
#: Python writes no integer of more than 4,300 digits.
_MAX_PRINTABLE_BITS = 10_000
_TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"
_START = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\n\r]*[\[{]")
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[]{},"))
#: Bytes that are split at a time, so that the parts take little memory.
_SLICE = 256 * 1024
_SUSPICIOUS_ESCAPE = re.compile(rb"\\u(?:[dD]|0000)")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_REPLACEMENTS = dict.fromkeys((0, *range(0xD800, 0xE000)), 0xFFFD)


class TooLargeError(ValueError):
    """A reply that would take too much memory, or is nested too deep."""


def decode(body: bytes) -> Any:
    """Return the object or list that a reply holds.

    :param body: the reply's body.
    :raises TooLargeError: when it holds too many values, or is nested too deep.
    :raises ValueError: when it is no JSON object or list.
    """
    try:
        value = DECODER.decode(checked_text(body))
    except RecursionError:
        raise TooLargeError(_TOO_DEEP) from None
    return clean(value) if _SUSPICIOUS_ESCAPE.search(body) else value


def checked_text(body: bytes) -> str:
    """Return the text of a reply that may be decoded, by :data:`DECODER` also in parts.

    The parts can still hold what :func:`clean` replaces in texts.

    :param body: the reply's body.
    :raises TooLargeError: when it holds too many values, or is nested too deep.
    :raises ValueError: when it can't be a JSON object or list.
    """
    if not _START.match(body):
        raise ValueError("it is no JSON object")
    # Brackets and commas in texts rarely matter, and to leave them out takes time.
    if _excess(body.translate(None, _NOT_STRUCTURE)) and (problem := _excess(_structure(body))):
        raise TooLargeError(problem)
    return body.decode("utf-8-sig", "replace")


def is_encodable(value: Any) -> bool:
    """Say whether Airflow's encoders and databases take a value; :func:`clean` makes one that they take.

    :param value: what an event or an XCom is to hold.
    """
    return _is_encodable(value, MAX_DEPTH)


def clean(value: Any) -> Any:
    """Return a value with what :func:`is_encodable` refuses replaced, as in this module's table.

    What is nested too deep, and what is no JSON value, becomes None.

    :param value: what an event or an XCom is to hold.
    """
    return value if is_encodable(value) else _clean(value, MAX_DEPTH)


def _excess(structure: bytes) -> str:
    """Say what is too much about the brackets and commas of a reply; nothing when it is fine."""
    if len(structure) - structure.count(b"]") - structure.count(b"}") > MAX_VALUES:
        return f"it holds more than {MAX_VALUES:,} values"
    brackets = structure.replace(b",", b"")
    for _ in range(MAX_DEPTH):
        # The innermost pairs; this is faster than to visit every value.
        rest = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(rest) == len(brackets):
            # Nothing is left, or brackets without a partner: of texts, or of a reply that was cut off.
            return _TOO_DEEP if len(rest) > MAX_DEPTH else ""
        brackets = rest
    return _TOO_DEEP if brackets else ""


def _structure(body: bytes) -> bytes:
    """Return the brackets and commas that stand outside of texts."""
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    found: list[bytes] = []
    in_text = False
    for start in range(0, len(plain), _SLICE):
        parts = plain[start : start + _SLICE].split(b'"')
        found.append(b"".join(parts[in_text::2]).translate(None, _NOT_STRUCTURE))
        in_text ^= len(parts) % 2 == 0
    return b"".join(found)


def _parse_int(digits: str) -> int | str:
    if len(digits) <= _SHORT_INT:
        return int(digits)
    # Python refuses to read thousands of digits.
    number = int(digits) if len(digits) <= _SHORT_INT + 2 else _MAX_INT + 1
    return number if _MIN_INT <= number <= _MAX_INT else digits


def _parse_float(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _parse_constant(name: str) -> None:
    """Return None for ``NaN`` and ``Infinity``."""


#: Decodes what :func:`checked_text` returns, also in parts by ``raw_decode``.
DECODER = json.JSONDecoder(parse_int=_parse_int, parse_float=_parse_float, parse_constant=_parse_constant)


def _is_encodable(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(
            isinstance(key, str) and _is_encodable(key, depth) and _is_encodable(inner, depth - 1)
            for key, inner in value.items()
        )
    if isinstance(value, list):
        return depth > 0 and all(_is_encodable(inner, depth - 1) for inner in value)
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is None
    if isinstance(value, int):
        return _MIN_INT <= value <= _MAX_INT
    return math.isfinite(value) if isinstance(value, float) else value is None


def _clean(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping) and depth > 0:
        return {_clean(str(key), depth): _clean(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth > 0:
        return [_clean(inner, depth - 1) for inner in value]
    if _is_encodable(value, 0):
        return value
    if isinstance(value, str):
        return value.translate(_REPLACEMENTS)
    is_printable = isinstance(value, int) and value.bit_length() < _MAX_PRINTABLE_BITS
    return str(value) if is_printable else None

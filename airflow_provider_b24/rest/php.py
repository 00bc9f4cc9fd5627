"""What PHP writes into a reply: lists as objects, numbers as text, ``[]`` for nothing.

Every reader of a reply uses these functions. They are strict: a value that is not what the portal
promises raises ``ValueError``; :func:`promised` turns that into the typed error of the call.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ServerError, Outcome
from airflow_provider_b24.rest.redaction import REGISTRY

#: No number of a database has more digits.
_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_LIMIT = 10**19
_TRUE = frozenset({"1", "Y", "y", "true"})
_FALSE = frozenset({"0", "N", "n", "false", ""})


def as_int(value: Any) -> int:
    """Return an integer that PHP wrote as a number or as text.

    :raises ValueError: when it is neither, or larger than a number of a database.
    """
    if isinstance(value, str):
        if _NUMBER.fullmatch(value.strip()):
            return int(value)
    elif isinstance(value, float):
        if value.is_integer() and abs(value) < _LIMIT:
            return int(value)
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LIMIT:
        return value
    raise ValueError(f"{_excerpt(value)} is not an integer")


def as_id(value: Any) -> int:
    """Return an id: an integer from 1 on.

    :raises ValueError: when it is not one.
    """
    number = as_int(value)
    if number < 1:
        raise ValueError(f"{number} is not an id")
    return number


def as_count(value: Any) -> int:
    """Return a count: an integer from 0 on.

    :raises ValueError: when it is not one.
    """
    number = as_int(value)
    if number < 0:
        raise ValueError(f"{number} is not a count")
    return number


def as_number(value: Any) -> float:
    """Return a finite number that PHP wrote as a number or as text; nothing is 0.

    :raises ValueError: when it is not one.
    """
    if value is None or value == "":
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{_excerpt(value)} is not a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{_excerpt(value)} is not a finite number")
    return number


def as_bool(value: Any) -> bool:
    """Return a flag: a boolean, ``1`` and ``0``, ``"Y"`` and ``"N"``; nothing is False.

    :raises ValueError: when it is none of these.
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    text = str(value) if isinstance(value, int | str) else None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"{_excerpt(value)} is not a flag")


def as_text(value: Any) -> str:
    """Return a text; a number becomes its digits, and nothing becomes an empty text.

    :raises ValueError: when it is a list or an object.
    """
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{_excerpt(value)} is not a text")
    return str(value)


def as_dict(value: Any) -> dict[str, Any]:
    """Return an object; an empty one comes as ``[]``, ``null`` or ``false``.

    :raises ValueError: when it is something else.
    """
    if isinstance(value, Mapping):
        return dict(value)
    if value is None or value is False or value == []:
        return {}
    raise ValueError(f"{_excerpt(value)} is not an object")


def as_list(value: Any) -> list[Any]:
    """Return a list, which comes as an object when it has gaps; an empty one may be ``null`` or ``false``.

    :raises ValueError: when it is something else.
    """
    if isinstance(value, list):
        return list(value)
    if isinstance(value, Mapping):
        return list(value.values())
    if value is None or value is False:
        return []
    raise ValueError(f"{_excerpt(value)} is not a list")


def as_rows(value: Any) -> list[dict[str, Any]]:
    """Return a list of objects.

    :raises ValueError: when one of them is not an object.
    """
    return [as_row(row) for row in as_list(value)]


def as_row(value: Any) -> dict[str, Any]:
    """Return an object that must not be empty.

    :raises ValueError: when it is not an object, or is empty.
    """
    if not isinstance(value, Mapping) or not value:
        raise ValueError(f"{_excerpt(value)} is not an object")
    return as_dict(value)


def is_list(value: Any) -> bool:
    """Say whether a value is a list, or an object that PHP made of a list with gaps."""
    if isinstance(value, Mapping):
        return bool(value) and all(str(key).isdecimal() for key in value)
    return isinstance(value, list)


@contextmanager
def promised(
    what: str, *, method: str, conn_id: str | None = None, outcome: Outcome = Outcome.UNKNOWN
) -> Iterator[None]:
    """Turn the ``ValueError`` of these functions into the typed error of a call.

    :param what: what the reply should hold, for example ``a poll``.
    :param method: the REST method that answered.
    :param outcome: what is known of the call; the portal answered a call that it may have executed.
    :raises Bitrix24ServerError: when the block raises ``ValueError``.
    """
    try:
        yield
    except ValueError as error:
        description = REGISTRY.redact_and_truncate(f"the reply is not {what}: {error}")
        raise Bitrix24ServerError(
            method=method, description=description, outcome=outcome, conn_id=conn_id
        ) from None


def _excerpt(value: Any) -> str:
    """Name a value without showing what it holds: replies carry texts of people."""
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    return f"a value of type {type(value).__name__}"

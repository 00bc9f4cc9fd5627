"""Ids as users, templates and the portal write them: numbers, digits, ``chatN``."""

from __future__ import annotations

from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError

#: More digits than the largest number of any database.
_TOO_LONG = 20


def positive_number(value: Any) -> int | None:
    """Return a positive number that is given as int or digits, else None."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int):
        return value if value > 0 else None
    text = value.strip()
    is_number = text.isascii() and text.isdigit() and len(text) < _TOO_LONG
    return int(text) if is_number and int(text) > 0 else None


def parse_id(value: Any, path: str) -> int:
    """Return an id.

    :param path: how the error calls the value.
    :raises Bitrix24ValidationError: when it is no positive number.
    """
    number = positive_number(value)
    if number is None:
        raise Bitrix24ValidationError(path, f"must be a positive number, not {value!r}")
    return number


def parse_chat_id(value: Any, path: str = "chat_id") -> int:
    """Return a chat's number, given as a number or as ``chatN``.

    :raises Bitrix24ValidationError: when it names no chat.
    """
    text = value.strip().removeprefix("chat") if isinstance(value, str) else value
    number = positive_number(text)
    if number is None:
        raise Bitrix24ValidationError(path, f"must be a chat's number or 'chatN', not {value!r}")
    return number

"""Ids as users, templates and the portal write them: numbers, digits, ``chatN``."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError

#: More digits than the largest number of any database.
_TOO_LONG = 20
#: The portal refuses dots, and separates the parts of a conversation's code by "|".
_CONNECTOR = re.compile(r"[a-z0-9_-]+")


def positive_number(value: Any) -> int | None:
    """Return a positive number that is given as int or digits, else None."""
    if isinstance(value, str):
        text = value.strip()
        if not (text.isascii() and text.isdigit() and len(text) < _TOO_LONG):
            return None
        value = int(text)
    elif isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if value > 0 else None


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


def parse_connector_id(value: Any, path: str = "connector") -> str:
    """Return a connector's id in lower case, as the portal keeps it.

    :param path: how the error calls the value.
    :raises Bitrix24ValidationError: when it can't be registered.
    """
    text = value.strip().lower() if isinstance(value, str) else ""
    if not _CONNECTOR.fullmatch(text):
        raise Bitrix24ValidationError(
            path, f"must be an id of letters a-z, digits, '_' and '-', not {value!r}"
        )
    return text


def parse_line(value: Any, path: str = "line") -> int | str:
    """Return what names an open line: its number, or its name.

    :param path: how the error calls the value.
    :raises Bitrix24ValidationError: when it names none.
    """
    number = positive_number(value)
    if number is not None:
        return number
    if not isinstance(value, str) or value.strip() in ("", "0"):
        raise Bitrix24ValidationError(path, f"must be an open line's number or name, not {value!r}")
    return value.strip()

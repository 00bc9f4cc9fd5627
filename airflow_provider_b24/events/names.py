"""Names of events, as Bitrix24 writes them."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError

#: An operator's message to someone outside.
REPLY = "ONIMCONNECTORMESSAGEADD"
_NAME = re.compile(r"ON[A-Z0-9_]{2,250}")


def parse_event_name(value: Any, path: str = "event") -> str:
    """Return an event's name in upper case.

    :param value: the name, in any case.
    :param path: how the error calls the value.
    :raises Bitrix24ValidationError: when it is no name of an event.
    """
    name = value.strip().upper() if isinstance(value, str) else ""
    if not _NAME.fullmatch(name):
        raise Bitrix24ValidationError(path, f"must be an event's name, such as {REPLY!r}, not {value!r}")
    return name


def parse_auth_connector(value: Any) -> str | None:
    """Return the key of a queue of offline events; None is the queue without one.

    :param value: a text that is not blank, or None.
    :raises Bitrix24ValidationError: when it is neither.
    """
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise Bitrix24ValidationError("auth_connector", f"must be a text or None, not {value!r}")
    return value if value is None else value.strip()

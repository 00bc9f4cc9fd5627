"""What a DAG is told of an event. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.events.queued_event import optional_id
from airflow_provider_b24.rest import php

if TYPE_CHECKING:
    from airflow_provider_b24.events.queued_event import QueuedEvent

_MESSAGE_EVENT = "ONIMCONNECTORMESSAGE"
#: Open lines put the operator's name before the text.
_SIGNATURE = re.compile(r"\[b\](.{1,250}?):\[/b\] ?\[br\] ?", re.IGNORECASE)


def payloads_of(event: QueuedEvent, *, portal: str, redelivered: bool) -> list[dict[str, Any]]:
    """Return what DAGs are told of an event: for a connector's event one payload a message, else one.

    :param event: the event.
    :param portal: the portal's host.
    :param redelivered: whether it may have been handed on before.
    """
    common: dict[str, Any] = {
        "id": f"{portal}:{event.id}",
        "event": event.name,
        "portal": portal,
        "received_at": event.queued_at,
        "redelivered": redelivered,
        "user_id": event.user_id,
    }
    messages = _messages(event)
    if not messages:
        return [{**common, "data": event.data}]
    place = {"connector": _part(event.data, "CONNECTOR"), "line": _number(_part(event.data, "LINE"))}
    return [
        {**common, "id": f"{common['id']}:{number}", **place, **_message(message, common)}
        for number, message in enumerate(messages)
    ]


def _messages(event: QueuedEvent) -> list[dict[str, Any]]:
    """Return a connector event's messages; none when it is another event, or not as documented."""
    if not event.name.startswith(_MESSAGE_EVENT):
        return []
    try:
        rows = php.as_list(_part(event.data, "MESSAGES"))
    except ValueError:
        return []
    messages = [row for row in rows if isinstance(row, dict)]
    # A part of the messages must not hide the others: the consumer gets the event as it is.
    return messages if len(messages) == len(rows) else []


def _message(row: dict[str, Any], common: dict[str, Any]) -> dict[str, Any]:
    said = _object(row.get("message"))
    author, text = _signed(said.get("text"))
    return {
        "im": {name: _number(value) for name, value in _object(row.get("im")).items()},
        "chat": _object(row.get("chat")),
        "text": text,
        "author": author,
        "user_id": optional_id(said.get("user_id")) or common["user_id"],
        "files": _list(said.get("files")),
        "data": row,
    }


def _signed(text: Any) -> tuple[str | None, str]:
    """Return the author's name, if the text begins with it, and the text without it."""
    if not isinstance(text, str):
        return None, ""
    found = _SIGNATURE.match(text)
    return (found[1], text[found.end() :]) if found else (None, text)


def _part(data: Any, name: str) -> Any:
    """Return a part of the data, whose names are in upper case in one event and in lower case in another."""
    parts = _object(data)
    return parts.get(name, parts.get(name.lower()))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    try:
        return php.as_list(value)
    except ValueError:
        return []


def _number(value: Any) -> Any:
    """Return a number that may be text; what is none stays as it is."""
    number = optional_id(value)
    return value if number is None else number

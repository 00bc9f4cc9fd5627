"""An event as the offline queue keeps it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.rest import php

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QueuedEvent:
    """One event.

    :param id: the record's number in the queue; a repeat that Bitrix24 records has another one.
    :param name: the event's name.
    :param data: what an online handler would be sent as ``data``; None when there is nothing.
    :param user_id: who caused it; None when it was no user.
    :param queued_at: when it was queued, as the portal writes it.
    :param message_id: the hash of name and data, by which ``event.offline.error`` names it.
    :param process_id: the reservation; empty when it is not reserved.
    """

    id: int
    name: str
    data: Any
    user_id: int | None
    queued_at: str
    message_id: str
    process_id: str = ""


@dataclass(frozen=True)
class Reservation:
    """Events that no other reader gets, until they are cleared.

    :param process_id: names the reservation.
    :param events: the events, the oldest first.
    """

    process_id: str
    events: list[QueuedEvent]


def read_events(rows: Any, *, process_id: str = "") -> list[QueuedEvent]:
    """Return the events of a reply; a row without a number is logged and left out.

    :param rows: the rows as the portal wrote them.
    :param process_id: their reservation, where the rows themselves do not name it.
    :raises ValueError: when it is no list.
    """
    return list(_readable(php.as_list(rows), process_id))


def _readable(rows: list[Any], process_id: str) -> Iterable[QueuedEvent]:
    for row in rows:
        try:
            yield _read(php.as_row(row), process_id)
        except ValueError as error:
            log.warning("A row of the queue of offline events can't be read, and is left out: %s", error)


def _read(row: dict[str, Any], process_id: str) -> QueuedEvent:
    return QueuedEvent(
        id=php.as_id(row.get("ID")),
        name=_text(row.get("EVENT_NAME")).upper(),
        data=row.get("EVENT_DATA") or None,
        user_id=_user(row.get("EVENT_ADDITIONAL")),
        queued_at=_text(row.get("TIMESTAMP_X")),
        message_id=_text(row.get("MESSAGE_ID")),
        process_id=_text(row.get("PROCESS_ID")) or process_id,
    )


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _user(additional: Any) -> int | None:
    return optional_id(additional.get("user_id")) if isinstance(additional, dict) else None


def optional_id(value: Any) -> int | None:
    """Return an id that PHP wrote as a number or as text; None when it is none."""
    try:
        return php.as_id(value)
    except ValueError:
        return None

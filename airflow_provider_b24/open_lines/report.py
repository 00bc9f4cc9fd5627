"""What became of each message that was pushed through a connector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airflow_provider_b24.ids import positive_number
from airflow_provider_b24.rest import php
from airflow_provider_b24.rest.redaction import REGISTRY


class DeliveryStatus(StrEnum):
    """Whether a message is in the open line."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Delivery:
    """What became of one message.

    :param message_id: the id that the sender gave the message.
    :param errors: the portal's reasons for a rejection.
    :param chat_id: the chat that the message is in.
    :param session_id: the open line's session that it belongs to.
    """

    message_id: str
    status: DeliveryStatus
    errors: tuple[str, ...] = ()
    chat_id: int | None = None
    session_id: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the delivery as JSON values."""
        return {
            "message_id": self.message_id,
            "status": str(self.status),
            "errors": list(self.errors),
            "chat_id": self.chat_id,
            "session_id": self.session_id,
        }


@dataclass
class DeliveryReport:
    """The deliveries of all messages, in the order in which they were given.

    *Rejected* means that the message is certainly not delivered and may be sent again; *unknown*
    that it may be, and that sending it again could double it.
    """

    items: list[Delivery] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """How many messages are delivered."""
        return self._count(DeliveryStatus.ACCEPTED)

    @property
    def rejected(self) -> int:
        """How many messages are certainly not delivered."""
        return self._count(DeliveryStatus.REJECTED)

    @property
    def unknown(self) -> int:
        """How many messages may be delivered."""
        return self._count(DeliveryStatus.UNKNOWN)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values, for XCom."""
        return {
            "accepted": self.accepted,
            "rejected": self.rejected,
            "unknown": self.unknown,
            "items": [item.to_dict() for item in self.items],
        }

    def __str__(self) -> str:
        return f"{self.accepted} accepted, {self.rejected} rejected, {self.unknown} unknown"

    def _count(self, status: DeliveryStatus) -> int:
        return sum(item.status is status for item in self.items)


def read_deliveries(messages: list[dict[str, Any]], result: Any, *, needs_session: bool) -> list[Delivery]:
    """Return the deliveries that a reply describes.

    :param messages: what was sent, in order.
    :param result: the reply's ``result``.
    :param needs_session: whether an accepted message must name its session: without one the open
        line did not take a new message.
    """
    rows = _rows(result)
    return [
        _delivery(str(message["message"]["id"]), rows.get(index), needs_session)
        for index, message in enumerate(messages)
    ]


def _rows(result: Any) -> dict[int, Any]:
    """Return row by position: PHP writes a list with gaps as an object, whose keys are the positions."""
    try:
        rows = php.as_dict(php.as_dict(result).get("DATA")).get("RESULT")
        return (
            {php.as_int(key): row for key, row in rows.items()}
            if isinstance(rows, Mapping)
            else dict(enumerate(php.as_list(rows)))
        )
    except ValueError:
        return {}


def _delivery(message_id: str, row: Any, needs_session: bool) -> Delivery:
    try:
        fields = php.as_row(row)
        is_success, session = _is_success(fields), php.as_dict(fields.get("session"))
        chat_id = php.as_count(session.get("CHAT_ID") or 0)
    except ValueError:
        # It may be delivered: what says neither yes nor no is no reason to send it again.
        return Delivery(message_id, DeliveryStatus.UNKNOWN, ("the reply does not say what became of it",))
    if not is_success:
        return Delivery(message_id, DeliveryStatus.REJECTED, _errors(fields.get("ERRORS")))
    if needs_session and not chat_id:
        return Delivery(message_id, DeliveryStatus.REJECTED, ("the open line did not take the message",))
    session_id = positive_number(session.get("ID"))
    return Delivery(message_id, DeliveryStatus.ACCEPTED, (), chat_id or None, session_id)


def _is_success(row: Mapping[str, Any]) -> bool:
    if row.get("SUCCESS") is None:
        raise ValueError("it does not say whether it succeeded")
    return php.as_bool(row["SUCCESS"])


def _errors(value: Any) -> tuple[str, ...]:
    values = php.as_list(value) if isinstance(value, Mapping | list) else [value]
    return tuple(REGISTRY.redact_and_truncate(str(error)) for error in values if error) or (
        "the portal gave no reason",
    )

"""What became of each message that was pushed through a connector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from airflow_provider_b24.ids import positive_number
from airflow_provider_b24.rest import php
from airflow_provider_b24.rest.redaction import REGISTRY

#: A push of so many messages has each of them in its XCom.
MAX_ITEMS = 1_000
#: Characters of a text, after which the portal cuts it.
MAX_TEXT = 20_000
#: A larger push has its first failures there.
MAX_FAILURES = 100


class DeliveryStatus(StrEnum):
    """Whether a message is in the open line."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one message.

    :param message_id: the id that the sender gave the message.
    :param errors: the portal's reasons for a rejection; of an accepted message, what was cut.
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


@dataclass
class PushSummary:
    """The counts of a push of any size, and as many of its deliveries as fit into an XCom.

    :param max_items: how many deliveries are kept while they are all kept.
    :param max_failures: how many of those that are not accepted are kept when there are more messages.
    """

    max_items: int = MAX_ITEMS
    max_failures: int = MAX_FAILURES
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    _first: list[Delivery] = field(default_factory=list)
    _failures: list[Delivery] = field(default_factory=list)

    def add(self, delivery: Delivery) -> None:
        """Count a delivery."""
        status = delivery.status
        if len(self._first) <= self.max_items:
            self._first.append(delivery)
        if status is DeliveryStatus.ACCEPTED:
            self.accepted += 1
            return
        if status is DeliveryStatus.REJECTED:
            self.rejected += 1
        else:
            self.unknown += 1
        if len(self._failures) < self.max_failures:
            self._failures.append(delivery)

    @property
    def total(self) -> int:
        """How many messages there are."""
        return self.accepted + self.undelivered

    @property
    def undelivered(self) -> int:
        """How many messages are rejected or unknown."""
        return self.rejected + self.unknown

    @property
    def is_truncated(self) -> bool:
        """Whether ``items`` holds failures only, because there are too many messages."""
        return self.total > self.max_items

    @property
    def items(self) -> list[Delivery]:
        """All deliveries, in order; the first failures when there are too many."""
        return self._failures if self.is_truncated else self._first

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values, for XCom."""
        return {
            "accepted": self.accepted,
            "rejected": self.rejected,
            "unknown": self.unknown,
            "items": [item.to_dict() for item in self.items],
            "truncated": self.is_truncated,
        }

    def __str__(self) -> str:
        return f"{self.accepted} accepted, {self.rejected} rejected, {self.unknown} unknown"


def read_deliveries(messages: list[dict[str, Any]], result: Any, *, needs_session: bool) -> list[Delivery]:
    """Return the deliveries that a reply describes.

    :param messages: what was sent, in order.
    :param result: the reply's ``result``.
    :param needs_session: whether an accepted message must name its session: without one the open
        line did not take a new message.
    """
    rows = _rows(result)
    deliveries = [
        _delivery(str(message["message"]["id"]), rows.get(index), needs_session)
        for index, message in enumerate(messages)
    ]
    return [_with_warning(delivery, message) for delivery, message in zip(deliveries, messages, strict=True)]


def _with_warning(delivery: Delivery, message: Mapping[str, Any]) -> Delivery:
    """Return a delivery that says when the portal, which accepts such a message, has cut its text."""
    text = message["message"].get("text")
    if not isinstance(text, str) or len(text) <= MAX_TEXT or delivery.status is not DeliveryStatus.ACCEPTED:
        return delivery
    warning = f"message.text: has {len(text):,} characters; Bitrix24 cuts it after {MAX_TEXT:,}"
    return replace(delivery, errors=(*delivery.errors, warning))


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
    if type(row) is dict and row.get("SUCCESS") is True and type(session := row.get("session")) is dict:
        # What the portal says of nearly all messages, without the checks of everything else.
        chat_id = positive_number(session.get("CHAT_ID"))
        if chat_id is not None:
            session_id = positive_number(session.get("ID"))
            return Delivery(message_id, DeliveryStatus.ACCEPTED, (), chat_id, session_id)
    return _other_delivery(message_id, row, needs_session)


def _other_delivery(message_id: str, row: Any, needs_session: bool) -> Delivery:
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

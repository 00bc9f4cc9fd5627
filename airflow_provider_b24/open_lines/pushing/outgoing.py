"""A connector message on its way: what is sent, and what became of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import encodable_text
from airflow_provider_b24.open_lines.report import Delivery, DeliveryStatus

if TYPE_CHECKING:
    from airflow_provider_b24.open_lines.pushing.message_index import Key

LOST = "the reply was lost, and the portal does not show whether it arrived"

_quoted = json.encoder.encode_basestring


@dataclass(slots=True)
class OutgoingMessage:
    """A message of a source on its way to the portal.

    :param ordinal: its place in the source, from 0.
    :param row: its index in the list, or its line in the file.
    :param key: what it is known by.
    :param name: what errors call it.
    :param chat: the outside id of its chat.
    :param user: the outside id of its person.
    :param conversation: what its conversation is known by.
    :param message_id: its own outside id.
    :param payload: the message as it is sent; None when it is not to be sent.
    :param sent_at: when it may have been sent, in Unix seconds; None: certainly not.
    :param delivery: what became of it; None as long as that is not known.
    :param valid: whether it may be sent: it breaks no rule, and is no duplicate.
    :param is_new: whether this try has found what became of it.
    """

    ordinal: int
    row: int
    key: Key
    name: str = ""
    chat: str = ""
    user: str = ""
    conversation: str = ""
    message_id: str = ""
    payload: dict[str, Any] | None = None
    sent_at: float | None = None
    delivery: Delivery | None = None
    valid: bool = True
    is_new: bool = True
    _line: bytes = b""

    @property
    def result(self) -> Delivery:
        """What became of it.

        :raises ValueError: when that is not known.
        """
        if self.delivery is None:
            raise ValueError("it is not known what became of it")
        return self.delivery

    @property
    def line(self) -> bytes:
        """Its line, which the journal and the report have in the same form."""
        if not self._line:
            self._line = report_line(self)
        return self._line

    @property
    def is_unknown(self) -> bool:
        """Whether nobody can tell what became of it."""
        return self.delivery is not None and self.delivery.status is DeliveryStatus.UNKNOWN

    def reject(self, *errors: str) -> None:
        """Record that it is certainly not delivered."""
        self.delivery = Delivery(self.message_id, DeliveryStatus.REJECTED, tuple(map(encodable_text, errors)))

    def give_up(self, reason: str = LOST) -> None:
        """Record that nobody can tell what became of it."""
        self.delivery = Delivery(self.message_id, DeliveryStatus.UNKNOWN, (reason,))


def report_line(message: OutgoingMessage) -> bytes:
    """Return a line of the report: a message, its place in the source, and what became of it.

    :param message: the message.
    """
    item = message.result
    errors = json.dumps(item.errors, ensure_ascii=False) if item.errors else "[]"
    # Written by hand: this is done for each message.
    return (
        f'{{"row":{message.row},"message_id":{_quoted(item.message_id)},"chat":{_quoted(message.chat)},'
        f'"user":{_quoted(message.user)},"status":"{item.status}","errors":{errors},'
        f'"chat_id":{item.chat_id or "null"},"session_id":{item.session_id or "null"}}}\n'
    ).encode("utf-8", "backslashreplace")

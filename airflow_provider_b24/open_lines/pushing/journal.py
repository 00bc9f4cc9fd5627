"""What a push records as it goes, so that a later try of the task sends only the rest.

Before a request, its messages are recorded as in flight; after the reply, as accepted, rejected or unknown. A
process may be killed between any two lines of it: what is in flight then is verified by reading the chats.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

from airflow_provider_b24.exceptions import Bitrix24OutcomeUnknownError, Bitrix24PushStateError, Outcome
from airflow_provider_b24.open_lines.pushing.log_files import damaged
from airflow_provider_b24.open_lines.pushing.message_index import (
    Conversation,
    EarlierResult,
    Key,
    conversation_key,
    message_key,
)
from airflow_provider_b24.open_lines.report import Delivery, DeliveryStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from airflow_provider_b24.open_lines.pushing.log_files import LineLog
    from airflow_provider_b24.open_lines.pushing.message_index import MessageIndex
    from airflow_provider_b24.open_lines.pushing.outgoing import OutgoingMessage
    from airflow_provider_b24.open_lines.pushing.source import Source

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaskRun:
    """Whose push it is, and where to: the tries of one task instance share what they remember of a target.

    :param task: the names of DAG, task, run and mapped task.
    :param run: which run of the task: a person's clear begins another one.
    :param number: which try it is, from 1.
    :param target: portal, connector and line: nothing that was sent elsewhere was sent here.
    """

    task: tuple[str, ...] = ()
    run: int = 0
    number: int = 1
    target: tuple[str, ...] = ()


@dataclass(frozen=True)
class InFlight:
    """Messages that may have reached the portal, and nobody has heard of them since.

    :param moments: the messages, and when the last request of each was sent, in Unix seconds.
    :param conversations: where their conversations are, as far as that is known.
    """

    moments: Mapping[Key, float] = field(default_factory=dict)
    conversations: Mapping[str, Conversation] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        conversations = {key: [item.chat_id, item.session_id] for key, item in self.conversations.items()}
        return {"moments": dict(self.moments), "conversations": conversations}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return what ``to_dict`` described.

        :param data: the mapping.
        :raises ValueError: when it is anything else.
        """
        moments, conversations = data["moments"], data["conversations"]
        if not all(_is_number(at) for at in moments.values()):
            raise ValueError("a moment is no number")
        return cls(moments, {key: _read_conversation(item) for key, item in conversations.items()})

    def without(self, keys: Set[Key]) -> InFlight:
        """Return it without messages of which it is known what became of them."""
        if self.moments.keys().isdisjoint(keys):
            return self
        return InFlight({key: at for key, at in self.moments.items() if key not in keys}, self.conversations)


class Journal(Protocol):
    """The memory of a push over the tries of its task."""

    def begin(self) -> None:
        """Become the owner of the memory: an older try that still works stops before its next request."""

    def recall(self, index: MessageIndex, source: Source) -> InFlight:
        """Give the index what earlier tries found, and return what was in flight when the last one ended.

        :raises Bitrix24PushStateError: when the messages must be the same and are not.
        :raises Bitrix24OutcomeUnknownError: when an earlier try may have sent messages, and nothing is known.
        """

    def known(self, ordinal: int, key: Key) -> EarlierResult | None:
        """Return what an earlier try found of the message at a place in the source."""

    def sending(self, in_flight: InFlight) -> None:
        """Record that messages are about to be sent, and what else is in flight."""

    def check_owner(self) -> None:
        """Make sure that no newer try has become the owner.

        :raises Bitrix24PushStateError: when one has.
        """

    def record(self, messages: list[OutgoingMessage]) -> None:
        """Record what became of the next rows of the source, without a gap."""

    def close(self) -> None:
        """Write what is not written yet."""


class NoJournal:
    """A push whose process is never replaced by another one."""

    def begin(self) -> None:
        """Do nothing."""

    def recall(self, index: MessageIndex, source: Source) -> InFlight:  # noqa: ARG002
        """Return nothing."""
        return InFlight()

    def known(self, ordinal: int, key: Key) -> EarlierResult | None:  # noqa: ARG002
        """Return None."""
        return None

    def sending(self, in_flight: InFlight) -> None:
        """Do nothing."""

    def check_owner(self) -> None:
        """Do nothing."""

    def record(self, messages: list[OutgoingMessage]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class LineJournal:
    """A journal of JSON lines next to the report: a file, or objects of a storage.

    :param log: where the lines are.
    :param task: whose push it is, and where to; the lines of other targets are left as they are.
    :param redelivery: what is done when an earlier try may have sent messages, and nothing is known of it.
    """

    def __init__(self, log: LineLog, task: TaskRun, *, redelivery: str = "at_most_once") -> None:
        self._log = log
        self._task = task
        self._redelivery = redelivery
        self._index: MessageIndex | None = None
        self._has_begun = False

    def begin(self) -> None:
        """Become the owner of the journal."""
        self._log.claim()
        self._has_begun = True
        if self._log.is_new:
            self._append_head(is_lost=self._task.number > 1)

    def recall(self, index: MessageIndex, source: Source) -> InFlight:  # noqa: ARG002
        """Give the index what earlier tries found, and return what was in flight when the last one ended."""
        if not self._has_begun:
            self.begin()
        self._index = index
        reader = _JournalReader(index, self._task)
        for number, line in enumerate(self._log.read(), start=2):
            try:
                reader.read(line)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise damaged(self._log.name, number, f"is no line of this task's journal: {error}") from None
        reader.close()
        if reader.is_lost:
            refuse_lost(self._redelivery)
        self._append_head(is_lost=False)
        return reader.in_flight

    def known(self, ordinal: int, key: Key) -> EarlierResult | None:  # noqa: ARG002
        """Return what an earlier try found of a message."""
        return self._index.known(key) if self._index else None

    def sending(self, in_flight: InFlight) -> None:
        """Record that messages are about to be sent, and what else is in flight."""
        self._log.append(_line({"sending": in_flight.to_dict()}))

    def check_owner(self) -> None:
        """Make sure that no newer try has become the owner."""
        if not self._log.is_owner():
            raise superseded()

    def record(self, messages: list[OutgoingMessage]) -> None:
        """Record what became of rows."""
        lines = b"".join([item.line for item in messages if item.is_new and item.valid])
        if lines:
            self._log.append(lines)

    def close(self) -> None:
        """Write what is not written yet."""
        self._log.close()

    def _append_head(self, *, is_lost: bool) -> None:
        task = self._task
        head = {"task": list(task.task), "run": task.run, "target": list(task.target), "is_lost": is_lost}
        self._log.append(_line(head))


class _JournalReader:
    """Reads the lines of earlier tries into the index."""

    def __init__(self, index: MessageIndex, task: TaskRun) -> None:
        self._index = index
        self._task = task
        self._run = 0
        self._is_of_target = False
        self._known: dict[Key, EarlierResult] = {}
        self.in_flight = InFlight()
        #: What an earlier try did is not known.
        self.is_lost = False

    def read(self, line: bytes) -> None:
        """Read one line.

        :param line: the line.
        :raises ValueError: when it is no line of the task's journal.
        """
        entry = json.loads(line)
        if "task" in entry:
            self._begin(entry)
        elif not self._is_of_target:
            return
        elif "sending" in entry:
            # What became of it before says nothing of what is sent now.
            self.close()
            self.in_flight = InFlight.from_dict(entry["sending"])
        else:
            self._learn(entry)

    def close(self) -> None:
        """Give the index the rest."""
        self._index.learn(self._known.items())
        self.in_flight = self.in_flight.without(set(self._known))
        self._known.clear()

    def _begin(self, entry: dict[str, Any]) -> None:
        if tuple(entry["task"]) != self._task.task:
            raise ValueError("it is that of another task")
        self._run = int(entry["run"])
        self._is_of_target = tuple(entry["target"]) == self._task.target
        self.is_lost = bool(entry["is_lost"])

    def _learn(self, entry: dict[str, Any]) -> None:
        chat, errors = entry["chat"], json.dumps(entry["errors"], ensure_ascii=False)
        key = message_key(chat, entry["message_id"])
        chat_id, session_id = entry["chat_id"], entry["session_id"]
        status = DeliveryStatus(entry["status"])
        self._known[key] = EarlierResult(status, self._run, chat_id, session_id, errors)
        if chat_id:
            self._index.learn_conversation(conversation_key(chat, entry["user"]), chat_id, session_id)
        if len(self._known) >= 1000:
            self.close()


def superseded() -> Bitrix24PushStateError:
    """Return the error for a try that goes on although a newer one has begun."""
    return Bitrix24PushStateError(
        "A newer try of this task has begun: this one sends no more requests",
        outcome=Outcome.NOT_EXECUTED,
        advice="Nothing is to be done: the newer try sends the rest.",
    )


def refuse_lost(redelivery: str) -> None:
    """Refuse to send what an earlier try may have sent, unless messages may arrive twice.

    :param redelivery: the operator's parameter.
    :raises Bitrix24OutcomeUnknownError: when nothing may arrive twice.
    """
    if redelivery == "at_least_once":
        log.warning("An earlier try may have delivered messages, and nothing is known of it: all are sent")
        return
    raise Bitrix24OutcomeUnknownError(
        "An earlier try may have delivered messages, and nothing is known of it: it left neither a value in "
        "the task state store nor a journal here; nothing was sent",
        outcome=Outcome.UNKNOWN,
        advice="Look into the chats. Before Airflow 3.3 a retry needs the journal next to the report: Set "
        "report_path= to a path that all workers share. To send everything, set redelivery='at_least_once'.",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read_conversation(item: Any) -> Conversation:
    chat_id, session_id = item
    if not _is_number(chat_id) or not (session_id is None or _is_number(session_id)):
        raise ValueError("a conversation has no numbers")
    return Conversation(chat_id, session_id)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _line(entry: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode(entry).encode("utf-8", "backslashreplace") + b"\n"


def to_delivery(message_id: str, known: EarlierResult) -> Delivery:
    """Return the delivery that an earlier try found."""
    errors = tuple(json.loads(known.errors))
    return Delivery(message_id, DeliveryStatus(known.status), errors, known.chat_id, known.session_id)

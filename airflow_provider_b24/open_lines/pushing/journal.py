"""What a push writes down as it goes, so that a later try of the task sends only the rest.

Before a request, its messages are noted as in flight; after the reply, as accepted, rejected or unknown. A
process may be killed between any two lines of it: what is in flight then is verified by reading the chats.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

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


@dataclass(frozen=True)
class TaskRun:
    """Whose push it is: the tries of one task instance share its memory.

    :param task: the names of DAG, task, run and mapped task.
    :param run: which run of the task: a person's clear begins another one.
    """

    task: tuple[str, ...] = ()
    run: int = 0


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
        """Return what ``to_dict`` described."""
        conversations = {key: Conversation(*item) for key, item in data["conversations"].items()}
        return cls(data["moments"], conversations)

    def without(self, keys: Set[Key]) -> InFlight:
        """Return it without messages of which it is known what became of them."""
        if self.moments.keys().isdisjoint(keys):
            return self
        return InFlight({key: at for key, at in self.moments.items() if key not in keys}, self.conversations)


class Journal(Protocol):
    """The memory of a push over the tries of its task."""

    def recall(self, index: MessageIndex, source: Source) -> InFlight:
        """Give the index what earlier tries found, and return what was in flight when the last one ended.

        :raises Bitrix24PushStateError: when the messages must be the same and are not.
        """

    def known(self, ordinal: int, key: Key) -> EarlierResult | None:
        """Return what an earlier try found of the message at a place in the source."""

    def sending(self, in_flight: InFlight) -> None:
        """Note that messages are about to be sent, and what else is in flight."""

    def record(self, messages: list[OutgoingMessage]) -> None:
        """Record what became of the next rows of the source, without a gap."""

    def close(self) -> None:
        """Write what is not written yet."""


class NoJournal:
    """A push whose process is never replaced by another one."""

    def recall(self, index: MessageIndex, source: Source) -> InFlight:  # noqa: ARG002
        """Return nothing."""
        return InFlight()

    def known(self, ordinal: int, key: Key) -> EarlierResult | None:  # noqa: ARG002
        """Return None."""
        return None

    def sending(self, in_flight: InFlight) -> None:
        """Do nothing."""

    def record(self, messages: list[OutgoingMessage]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class LineJournal:
    """A journal of JSON lines next to the report: a file, or objects of a storage.

    :param log: where the lines are.
    :param task: whose push it is; the lines of another task or run are removed.
    """

    def __init__(self, log: LineLog, task: TaskRun) -> None:
        self._log = log
        self._task = task
        self._index: MessageIndex | None = None

    def recall(self, index: MessageIndex, source: Source) -> InFlight:  # noqa: ARG002
        """Give the index what earlier tries found, and return what was in flight when the last one ended."""
        self._index = index
        reader = _JournalReader(index, self._task)
        for line in self._log.read():
            if not reader.read(line):
                self._log.remove()
                reader = _JournalReader(index, self._task)
                break
        reader.close()
        self._log.append(_line({"task": list(self._task.task), "run": self._task.run}))
        return reader.in_flight

    def known(self, ordinal: int, key: Key) -> EarlierResult | None:  # noqa: ARG002
        """Return what an earlier try found of a message."""
        return self._index.known(key) if self._index else None

    def sending(self, in_flight: InFlight) -> None:
        """Note that messages are about to be sent, and what else is in flight."""
        self._log.append(_line({"sending": in_flight.to_dict()}))

    def record(self, messages: list[OutgoingMessage]) -> None:
        """Record what became of rows."""
        lines = b"".join([item.line for item in messages if item.is_new and item.valid])
        if lines:
            self._log.append(lines)

    def close(self) -> None:
        """Write what is not written yet."""
        self._log.close()


class _JournalReader:
    """Reads the lines of earlier tries into the index."""

    def __init__(self, index: MessageIndex, task: TaskRun) -> None:
        self._index = index
        self._task = task
        self._run = 0
        self._known: dict[Key, EarlierResult] = {}
        self.in_flight = InFlight()

    def read(self, line: bytes) -> bool:
        """Read one line; return False when it is another task's journal."""
        entry = json.loads(line)
        if "task" in entry:
            self._run = entry["run"]
            return bool(tuple(entry["task"]) == self._task.task)
        if "sending" in entry:
            # What became of it before says nothing of what is sent now.
            self.close()
            self.in_flight = InFlight.from_dict(entry["sending"])
        else:
            self._learn(entry)
        return True

    def close(self) -> None:
        """Give the index the rest."""
        self._index.learn(self._known.items())
        self.in_flight = self.in_flight.without(set(self._known))
        self._known.clear()

    def _learn(self, entry: dict[str, Any]) -> None:
        chat, errors = entry["chat"], json.dumps(entry["errors"], ensure_ascii=False)
        key = message_key(chat, entry["message_id"])
        chat_id, session_id = entry["chat_id"], entry["session_id"]
        self._known[key] = EarlierResult(entry["status"], self._run, chat_id, session_id, errors)
        if chat_id:
            self._index.learn_conversation(conversation_key(chat, entry["user"]), chat_id, session_id)
        if len(self._known) >= 1000:
            self.close()


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _line(entry: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode(entry).encode("utf-8", "backslashreplace") + b"\n"


def to_delivery(message_id: str, known: EarlierResult) -> Delivery:
    """Return the delivery that an earlier try found."""
    errors = tuple(json.loads(known.errors))
    return Delivery(message_id, DeliveryStatus(known.status), errors, known.chat_id, known.session_id)

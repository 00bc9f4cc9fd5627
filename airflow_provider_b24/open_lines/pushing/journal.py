"""What a push writes down as it goes, so that a later try of the task sends only the rest.

Before a request, its messages are noted as in flight; after the reply, as accepted, rejected or unknown. A
process may be killed between any two lines of it: what is in flight then is settled by reading the chats.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

from airflow_provider_b24.open_lines.pushing.ledger import Key, Known, Place, message_key, place_key
from airflow_provider_b24.open_lines.report import Delivery, DeliveryStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from airflow_provider_b24.open_lines.pushing.ledger import Ledger
    from airflow_provider_b24.open_lines.pushing.log_files import LineLog
    from airflow_provider_b24.open_lines.pushing.source import Source


@dataclass(frozen=True)
class TaskRun:
    """Whose push it is: the tries of one task instance share its memory.

    :param task: the names of DAG, task, run and mapped task.
    :param run: which run of the task: a person's clear begins another one.
    """

    task: tuple[str, ...] = ()
    run: int = 0


@dataclass(slots=True)
class Settled:
    """What became of a row.

    :param ordinal: its place in the source, from 0.
    :param row: its index in the list, or its line in the file.
    :param key: what it is known by.
    :param chat: the outside id of its chat.
    :param user: the outside id of its person.
    :param valid: whether it is a message that may be sent: it breaks no rule, and is no duplicate.
    :param is_new: whether this try has found it.
    """

    ordinal: int
    row: int
    key: Key
    chat: str
    user: str
    delivery: Delivery
    valid: bool = True
    is_new: bool = True
    _line: bytes = b""

    @property
    def line(self) -> bytes:
        """Its line, which the journal and the report have in the same form."""
        if not self._line:
            self._line = report_line(self)
        return self._line


@dataclass(frozen=True)
class InFlight:
    """Messages that may have reached the portal, and nobody has heard of them since.

    :param moments: the messages, and when the last request of each was sent, in Unix seconds.
    :param places: where their conversations are, as far as that is known.
    """

    moments: Mapping[Key, float] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        places = {key: [place.chat_id, place.session_id] for key, place in self.places.items()}
        return {"moments": dict(self.moments), "places": places}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return what ``to_dict`` described."""
        places = {key: Place(*place) for key, place in data["places"].items()}
        return cls(data["moments"], places)

    def without(self, keys: Set[Key]) -> InFlight:
        """Return it without messages that are settled."""
        if self.moments.keys().isdisjoint(keys):
            return self
        return InFlight({key: at for key, at in self.moments.items() if key not in keys}, self.places)


class Journal(Protocol):
    """The memory of a push over the tries of its task."""

    def recall(self, ledger: Ledger, source: Source) -> InFlight:
        """Tell the ledger what earlier tries found, and return what was in flight when the last one ended.

        :raises Bitrix24PushStateError: when the messages must be the same and are not.
        """

    def known(self, ordinal: int, key: Key) -> Known | None:
        """Return what an earlier try found of the message at a place in the source."""

    def sending(self, in_flight: InFlight) -> None:
        """Note that messages are about to be sent, and what else is in flight."""

    def settled(self, rows: list[Settled]) -> None:
        """Note what became of the next rows of the source, without a gap."""

    def close(self) -> None:
        """Write what is not written yet."""


class NoJournal:
    """A push whose process is never replaced by another one."""

    def recall(self, ledger: Ledger, source: Source) -> InFlight:  # noqa: ARG002
        """Return nothing."""
        return InFlight()

    def known(self, ordinal: int, key: Key) -> Known | None:  # noqa: ARG002
        """Return None."""
        return None

    def sending(self, in_flight: InFlight) -> None:
        """Do nothing."""

    def settled(self, rows: list[Settled]) -> None:
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
        self._ledger: Ledger | None = None

    def recall(self, ledger: Ledger, source: Source) -> InFlight:  # noqa: ARG002
        """Tell the ledger what earlier tries found, and return what was in flight when the last one ended."""
        self._ledger = ledger
        reader = _JournalReader(ledger, self._task)
        for line in self._log.read():
            if not reader.read(line):
                self._log.remove()
                reader = _JournalReader(ledger, self._task)
                break
        reader.close()
        self._log.append(_line({"task": list(self._task.task), "run": self._task.run}))
        return reader.in_flight

    def known(self, ordinal: int, key: Key) -> Known | None:  # noqa: ARG002
        """Return what an earlier try found of a message."""
        return self._ledger.known(key) if self._ledger else None

    def sending(self, in_flight: InFlight) -> None:
        """Note that messages are about to be sent, and what else is in flight."""
        self._log.append(_line({"sending": in_flight.to_dict()}))

    def settled(self, rows: list[Settled]) -> None:
        """Note what became of rows."""
        lines = b"".join([row.line for row in rows if row.is_new and row.valid])
        if lines:
            self._log.append(lines)

    def close(self) -> None:
        """Write what is not written yet."""
        self._log.close()


class _JournalReader:
    """Reads the lines of earlier tries into the ledger."""

    def __init__(self, ledger: Ledger, task: TaskRun) -> None:
        self._ledger = ledger
        self._task = task
        self._run = 0
        self._known: dict[Key, Known] = {}
        self.in_flight = InFlight()

    def read(self, line: bytes) -> bool:
        """Read one line; return False when it is another task's journal."""
        entry = json.loads(line)
        if "task" in entry:
            self._run = entry["run"]
            return bool(tuple(entry["task"]) == self._task.task)
        if "sending" in entry:
            # What was settled before says nothing of what is sent now.
            self.close()
            self.in_flight = InFlight.from_dict(entry["sending"])
        else:
            self._learn(entry)
        return True

    def close(self) -> None:
        """Tell the ledger the rest."""
        self._ledger.learn(self._known.items())
        self.in_flight = self.in_flight.without(set(self._known))
        self._known.clear()

    def _learn(self, entry: dict[str, Any]) -> None:
        chat, errors = entry["chat"], json.dumps(entry["errors"], ensure_ascii=False)
        key = message_key(chat, entry["message_id"])
        chat_id, session_id = entry["chat_id"], entry["session_id"]
        self._known[key] = Known(entry["status"], self._run, chat_id, session_id, errors)
        if chat_id:
            self._ledger.learn_place(place_key(chat, entry["user"]), chat_id, session_id)
        if len(self._known) >= 1000:
            self.close()


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_quoted = json.encoder.encode_basestring


def report_line(settled: Settled) -> bytes:
    """Return a line of the report: a message, its place in the source, and what became of it.

    :param settled: what became of it.
    """
    item = settled.delivery
    errors = json.dumps(item.errors, ensure_ascii=False) if item.errors else "[]"
    # Written by hand: this is done for each message.
    return (
        f'{{"row":{settled.row},"message_id":{_quoted(item.message_id)},"chat":{_quoted(settled.chat)},'
        f'"user":{_quoted(settled.user)},"status":"{item.status}","errors":{errors},'
        f'"chat_id":{item.chat_id or "null"},"session_id":{item.session_id or "null"}}}\n'
    ).encode("utf-8", "backslashreplace")


def _line(entry: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode(entry).encode("utf-8", "backslashreplace") + b"\n"


def to_delivery(message_id: str, known: Known) -> Delivery:
    """Return the delivery that an earlier try found."""
    errors = tuple(json.loads(known.errors))
    return Delivery(message_id, DeliveryStatus(known.status), errors, known.chat_id, known.session_id)

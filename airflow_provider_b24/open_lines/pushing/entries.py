"""The messages of a push on their way: checked, compared with what earlier tries found, not yet sent."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.open_lines.messages import message_violations, prepare_message
from airflow_provider_b24.open_lines.pushing.journal import InFlight, to_delivery
from airflow_provider_b24.open_lines.pushing.message_index import conversation_key, message_key
from airflow_provider_b24.open_lines.pushing.outgoing import OutgoingMessage
from airflow_provider_b24.open_lines.report import DeliveryStatus
from airflow_provider_b24.rest.encoding import encode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.open_lines.pushing.journal import Journal
    from airflow_provider_b24.open_lines.pushing.message_index import MessageIndex
    from airflow_provider_b24.open_lines.pushing.source import Row, Source

#: Broken rules that an error names; all are in the report.
_MAX_NAMED = 20
_MAX_ID = 200
#: Rows whose ids are looked up together: no more than a request holds, so that none waits for others.
_LOOK_UP = 10
UNENCODABLE = "can't be written as JSON"


class Entries:
    """The messages of a source, ready to be sent, and those that are not to be sent.

    :param source: the messages.
    :param index: where their ids are kept.
    :param journal: what earlier tries found.
    :param run: which run of the task it is: a person's clear sends rejected messages again.
    :param clock: returns Unix seconds.
    """

    def __init__(
        self, source: Source, index: MessageIndex, journal: Journal, *, run: int, clock: Callable[[], float]
    ) -> None:
        self._source = source
        self._index = index
        self._journal = journal
        self._run = run
        self._clock = clock
        #: What was in flight when an earlier try ended, of which it is not known what became of it.
        self.in_flight = InFlight()
        #: Messages of which an earlier try has found what became of them.
        self.skipped = 0

    def __iter__(self) -> Iterator[OutgoingMessage]:
        for entry, problems in self._checked_entries():
            if problems:
                entry.valid = False
                entry.reject(*problems)
            else:
                self._recall(entry)
            yield entry

    def refuse_invalid(self, take: Callable[[OutgoingMessage], None]) -> None:
        """Read the whole source once, and refuse it when a message breaks a rule.

        :param take: called with each invalid message.
        :raises Bitrix24ValidationError: naming the messages.
        """
        named: list[str] = []
        invalid = 0
        for entry, broken in self._checked_entries():
            problems = broken
            if not problems and not is_encodable(entry):
                problems = [f"{entry.name}: {UNENCODABLE}"]
            if problems:
                invalid += 1
                named += problems[: _MAX_NAMED - len(named)]
                entry.valid = False
                entry.reject(*problems)
                take(entry)
        if invalid:
            raise _refusal(named, invalid)
        self._index.forget_seen()

    def _checked_entries(self) -> Iterator[tuple[OutgoingMessage, list[str]]]:
        """Yield the entry of each row, and the rules that it breaks; some rows at a time are looked up."""
        rows = enumerate(self._source)
        while checked := [self._checked(ordinal, row) for ordinal, row in islice(rows, _LOOK_UP)]:
            entries = [entry for entry, problems in checked if not problems]
            firsts = self._index.first_seen([(entry.key, entry.row) for entry in entries])
            duplicates = {
                entry.ordinal: [_duplicate(entry, first)]
                for entry, first in zip(entries, firsts, strict=True)
                if entry.row != first
            }
            for entry, problems in checked:
                yield entry, problems or duplicates.get(entry.ordinal, [])

    def _checked(self, ordinal: int, row: Row) -> tuple[OutgoingMessage, list[str]]:
        """Return the entry of a row, and the rules of the schema that it breaks."""
        message = None if row.problem else prepare_message(row.item, now=self._clock())
        if message is None:
            return _invalid_entry(ordinal, row), self._violations(row)
        chat, outside_id = str(message["chat"]["id"]), str(message["message"]["id"])
        user = str(message["user"]["id"])
        if not _is_text(chat, outside_id, user):
            return _invalid_entry(ordinal, row), [f"{row.name}: {UNENCODABLE}"]
        # The key of row.key, without reading the ids once more.
        key, conversation = message_key(chat, outside_id), conversation_key(chat, user)
        return OutgoingMessage(
            ordinal, row.number, key, row.name, chat, user, conversation, outside_id, message
        ), []

    def _violations(self, row: Row) -> list[str]:
        if row.problem:
            return [f"{row.name}: {row.problem}"]
        return message_violations(row.item, name=row.name, now=self._clock())

    def _recall(self, entry: OutgoingMessage) -> None:
        """Take over what an earlier try found of a message."""
        known = self._journal.known(entry.ordinal, entry.key)
        if (at := self.in_flight.moments.get(entry.key)) is not None:
            entry.sent_at = at
        elif known is None:
            return
        elif known.status == DeliveryStatus.UNKNOWN:
            entry.sent_at = 0.0
        elif known.status == DeliveryStatus.ACCEPTED or known.run == self._run:
            entry.delivery, entry.is_new = to_delivery(entry.message_id, known), False
            self.skipped += 1


def is_encodable(entry: OutgoingMessage) -> bool:
    """Say whether a message can be written as JSON.

    :param entry: the message.
    """
    try:
        encode_json(entry.payload or {})
    except Bitrix24ValidationError:
        return False
    return True


def _invalid_entry(ordinal: int, row: Row) -> OutgoingMessage:
    item = row.item if isinstance(row.item, dict) else {}
    chat, user, message = (_id_in(item.get(part)) for part in ("chat", "user", "message"))
    return OutgoingMessage(
        ordinal, row.number, row.key, row.name, chat, user, message_id=message, valid=False
    )


def _id_in(part: Any) -> str:
    """Return an id for the report; half a surrogate pair in it is written as it would be in JSON."""
    value = part.get("id") if isinstance(part, dict) else None
    text = str(value)[:_MAX_ID] if isinstance(value, str | int) else ""
    return text.encode("utf-8", "backslashreplace").decode()


def _is_text(*ids: str) -> bool:
    """Say whether ids can be written down: half a surrogate pair can not."""
    try:
        "".join(ids).encode()
    except UnicodeEncodeError:
        return False
    return True


def _duplicate(entry: OutgoingMessage, first: int) -> str:
    name = entry.name.replace(str(entry.row), str(first))
    return f"{entry.name}.message.id: {entry.message_id!r} is the id of {name} in the same chat"


def _refusal(named: list[str], invalid: int) -> Bitrix24ValidationError:
    """Return the error for messages that break rules; it names them."""
    path, _, rule = named[0].partition(": ")
    others = "".join(f"; {problem}" for problem in named[1:])
    if len(named) >= _MAX_NAMED:
        others += f"; {invalid:,} messages are invalid in all"
    return Bitrix24ValidationError(path, f"{rule}{others}")

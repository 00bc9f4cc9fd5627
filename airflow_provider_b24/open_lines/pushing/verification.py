"""Whether a message arrived whose reply was lost: its conversation is read, where the portal allows it.

The portal keeps the outside id of a message as the parameter CONNECTOR_MID and shows it in
``im.dialog.messages.get``, to members of the chat, and in ``imopenlines.session.history.get``. A message
that is there since the request was accepted. One that is not there was not, when the request has ended by
then and the conversation is the one in which it must be; of a conversation that a search has found, that
proves nothing. An id that is there from before the request proves nothing either: it may be that of another
message, or the clocks of worker and portal differ.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.chats.exactly_once import CLOCK_SKEW, REQUEST_SECONDS
from airflow_provider_b24.chats.messages import NEWEST, PAGE, read_rows
from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.ids import positive_number
from airflow_provider_b24.open_lines.pushing.message_index import Conversation
from airflow_provider_b24.rest import php

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_b24.rest.client import Bitrix24Client

log = logging.getLogger(__name__)

_HISTORY = "imopenlines.session.history.get"
_DIALOG = "imopenlines.dialog.get"
_SEARCH = "im.search.chat.list"
#: Newer messages of other people may hide ours; so many pages are read.
_MAX_PAGES = 4
_MAX_CANDIDATES = 5
_SHORTEST_SEARCH = 2
#: The field of a chat's ``entity_data_1`` that holds the session.
_SESSION_FIELD = 5


class Presence(Enum):
    """Whether a message is in its conversation."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class UncertainMessage:
    """A message of which it is not known whether it arrived.

    :param chat: the outside id of its chat.
    :param message_id: its own outside id.
    :param conversation: its conversation, when it is known.
    :param since: when it was sent, in Unix seconds.
    :param sought: a text by which the conversation may be found: its name, or the person's.
    """

    chat: str
    message_id: str
    conversation: Conversation | None
    since: float
    sought: str = ""


@dataclass(frozen=True)
class DeliveryCheck:
    """What the conversation says of a message."""

    presence: Presence
    conversation: Conversation | None = None


@dataclass(frozen=True)
class _Reading:
    """The outside ids in a conversation.

    :param ids: what was found, and when the newest message with each id was posted, in Unix seconds.
    :param complete: whether every message since the request is among them.
    """

    ids: Mapping[str, float]
    complete: bool

    def check(self, message: UncertainMessage, conversation: Conversation) -> DeliveryCheck:
        """Return what the conversation says of a message."""
        posted = self.ids.get(message.message_id)
        if posted is not None and posted >= message.since - CLOCK_SKEW:
            return DeliveryCheck(Presence.PRESENT, conversation)
        is_absent = posted is None and self.complete
        return DeliveryCheck(Presence.ABSENT if is_absent else Presence.UNKNOWN)


_NOTHING = _Reading({}, complete=False)


class DeliveryVerification:
    """Finds out what became of messages whose reply was lost.

    :param client: the connection's client.
    :param connector: the connector's id.
    :param line: the open line's number.
    :param clock: returns Unix seconds.
    :param sleep: waits for seconds.
    """

    def __init__(
        self,
        client: Bitrix24Client,
        *,
        connector: str,
        line: int,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._client = client
        self._code = f"{connector.lower()}|{line}|"
        self._clock = clock
        self._sleep = sleep
        self._is_member = True

    def verify(self, uncertain: Sequence[UncertainMessage]) -> list[DeliveryCheck]:
        """Return what became of messages; waits until the request must have ended when one is not there yet.

        :param uncertain: the messages, at least one.
        """
        first, last = min(message.since for message in uncertain), max(message.since for message in uncertain)
        checks = self._find(uncertain, since=first)
        left = last + REQUEST_SECONDS - self._clock()
        missing = [index for index, item in enumerate(checks) if item.presence is Presence.ABSENT]
        if missing and left > 0:
            log.info("Waiting %.0f s until the portal has ended the request whose reply is lost", left)
            self._sleep(left)
            again = self._find([uncertain[index] for index in missing], since=first)
            for index, check in zip(missing, again, strict=True):
                checks[index] = check
        return checks

    def _find(self, uncertain: Sequence[UncertainMessage], *, since: float) -> list[DeliveryCheck]:
        readings: dict[Conversation, _Reading] = {}
        for conversation in {message.conversation for message in uncertain if message.conversation}:
            readings[conversation] = self._read(conversation, since)
        return [
            readings[message.conversation].check(message, message.conversation)
            if message.conversation
            else self._search(message)
            for message in uncertain
        ]

    def _search(self, message: UncertainMessage) -> DeliveryCheck:
        for conversation in self._candidates(message):
            check = self._read(conversation, message.since).check(message, conversation)
            if check.presence is Presence.PRESENT:
                return check
        return DeliveryCheck(Presence.UNKNOWN)

    def _candidates(self, message: UncertainMessage) -> list[Conversation]:
        """Return the conversations that may be the one of a message, found by name."""
        if len(message.sought) < _SHORTEST_SEARCH:
            return []
        prefix = f"{self._code}{message.chat}|"
        try:
            rows = php.as_rows(self._client.call(_SEARCH, {"FIND_LINES": message.sought}))
            found = [
                php.as_id(row.get("id"))
                for row in rows
                if php.as_text(row.get("entity_id")).lower().startswith(prefix.lower())
            ]
        except (Bitrix24Error, ValueError) as error:
            log.debug("No search in open lines: %s", error)
            return []
        return [Conversation(chat_id) for chat_id in found[:_MAX_CANDIDATES]]

    def _read(self, conversation: Conversation, since: float) -> _Reading:
        reading = self._read_as_member(conversation, since) if self._is_member else None
        return reading or self._read_session(conversation)

    def _read_as_member(self, conversation: Conversation, since: float) -> _Reading | None:
        """Read the newest messages of the chat; None when the connection's user may not."""
        ids: dict[str, float] = {}
        before = NEWEST
        for _ in range(_MAX_PAGES):
            try:
                page = read_rows(self._client, f"chat{conversation.chat_id}", before=before)
                rows = php.as_rows(page.get("messages"))
                _add_ids(ids, rows, "CONNECTOR_MID")
                numbers = [php.as_id(row.get("id")) for row in rows]
            except (Bitrix24Error, ValueError) as error:
                log.debug("No messages of chat %d: %s", conversation.chat_id, error)
                self._is_member = False
                return None
            if len(rows) < PAGE or _oldest(rows) < since - CLOCK_SKEW:
                return _Reading(ids, complete=bool(ids))
            before = min(numbers)
        return _Reading(ids, complete=False)

    def _read_session(self, conversation: Conversation) -> _Reading:
        """Read the present session of the chat, and the last one that is known."""
        try:
            present = self._present_session(conversation)
            sessions = {session for session in (present, conversation.session_id) if session}
            ids: dict[str, float] = {}
            for session in sessions:
                history = php.as_dict(self._client.call(_HISTORY, {"SESSION_ID": session}))
                _add_ids(ids, php.as_rows(history.get("message")), "connectorMid")
        except (Bitrix24Error, ValueError) as error:
            log.debug("No history of chat %d: %s", conversation.chat_id, error)
            return _NOTHING
        # Another session may lie between the two.
        return _Reading(ids, complete=bool(ids) and present == conversation.session_id)

    def _present_session(self, conversation: Conversation) -> int | None:
        chat = php.as_row(self._client.call(_DIALOG, {"CHAT_ID": conversation.chat_id}))
        fields = php.as_text(chat.get("entity_data_1")).split("|")
        return positive_number(fields[_SESSION_FIELD]) if len(fields) > _SESSION_FIELD else None


def _add_ids(ids: dict[str, float], rows: Iterable[Mapping[str, Any]], name: str) -> None:
    """Add the outside ids of messages, each with the moment of its newest message."""
    for row in rows:
        for value in php.as_list(php.as_dict(row.get("params")).get(name)):
            outside_id, posted = php.as_text(value), _posted(row)
            ids[outside_id] = max(ids.get(outside_id, posted), posted)


def _oldest(rows: Iterable[Mapping[str, Any]]) -> float:
    """Return when the oldest message was posted, in Unix seconds."""
    return min(map(_posted, rows))


def _posted(row: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(php.as_text(row.get("date"))).timestamp()

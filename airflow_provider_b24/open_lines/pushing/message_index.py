"""What a push knows of its messages and chats, on disk, so that memory does not grow with the push."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: The outside ids of a chat and of a message: a message id may come again in another chat.
Key: TypeAlias = str
_SEPARATOR = "\x1f"
#: The page cache, in KiB.
_CACHE = 4096
#: Chats that are remembered as stored, so that they are not stored with each message.
_RECENT = 10_000


def message_key(chat: object, message: object) -> Key:
    """Return what a message is known by.

    :param chat: the outside id of the chat.
    :param message: the outside id of the message.
    """
    return _joined(str(chat), message)


def row_key(row: int) -> Key:
    """Return what a row is known by that is no message, or repeats one.

    :param row: its index in the list, or its line in the file.
    """
    return f"{_SEPARATOR}{row}"


def conversation_key(chat: object, user: object) -> str:
    """Return what a conversation is known by.

    :param chat: the outside id of the chat.
    :param user: the outside id of the person.
    """
    return _joined(str(chat), user)


def _joined(chat: str, other: object) -> str:
    """Return two ids as one text, which no other two ids have."""
    if chat and _SEPARATOR not in chat:
        return f"{chat}{_SEPARATOR}{other}"
    return f"{_SEPARATOR}{_SEPARATOR}{len(chat)}{_SEPARATOR}{chat}{other}"


@dataclass(frozen=True, slots=True)
class EarlierResult:
    """What an earlier try found of a message.

    :param status: accepted, rejected or unknown.
    :param run: in which run of the task: a person's clear begins another one.
    :param errors: the reasons, as a JSON list.
    """

    status: str
    run: int
    chat_id: int | None = None
    session_id: int | None = None
    errors: str = "[]"


@dataclass(frozen=True, slots=True)
class Conversation:
    """Where a conversation is on the portal.

    :param chat_id: its chat.
    :param session_id: the last session of it that is known.
    """

    chat_id: int
    session_id: int | None = None


class MessageIndex:
    """An index in a temporary file, which disappears with the process."""

    def __init__(self) -> None:
        # Without a name it is a temporary file, which SQLite removes at once.
        self._db = sqlite3.connect("", isolation_level=None)
        self._recent: dict[str, Conversation] = {}
        self._is_first_try = True
        for statement in _SCHEMA:
            self._db.execute(statement)
        self._db.execute("BEGIN")

    def close(self) -> None:
        """Remove the file."""
        self._db.close()

    def first_seen(self, rows: Sequence[tuple[Key, int]]) -> list[int]:
        """Record messages, and return for each the first row that has it: another one is a duplicate.

        :param rows: the messages, and the row of each, in order.
        """
        added = self._db.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", rows).rowcount
        if added == len(rows):
            return [row for _, row in rows]
        found = (self._db.execute("SELECT row FROM seen WHERE key = ?", (key,)) for key, _ in rows)
        return [cursor.fetchone()[0] for cursor in found]

    def forget_seen(self) -> None:
        """Begin to read the source again."""
        self._db.execute("DELETE FROM seen")

    def learn(self, known: Iterable[tuple[Key, EarlierResult]]) -> None:
        """Take over what an earlier try found; later entries replace earlier ones."""
        rows = (
            (key, item.status, item.run, item.chat_id, item.session_id, item.errors) for key, item in known
        )
        learned = self._db.executemany("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._is_first_try &= learned.rowcount < 1

    def known(self, key: Key) -> EarlierResult | None:
        """Return what an earlier try found of a message."""
        if self._is_first_try:
            return None
        row = self._db.execute("SELECT * FROM known WHERE key = ?", (key,)).fetchone()
        return EarlierResult(*row[1:]) if row else None

    def learn_conversation(self, key: str, chat_id: int, session_id: int | None) -> None:
        """Record where a conversation is."""
        recent = self._recent.get(key)
        if recent is not None and recent.chat_id == chat_id and recent.session_id == session_id:
            return
        if len(self._recent) >= _RECENT:
            self._recent.clear()
        self._recent[key] = Conversation(chat_id, session_id)
        self._db.execute("INSERT OR REPLACE INTO conversations VALUES (?, ?, ?)", (key, chat_id, session_id))

    def conversation(self, key: str) -> Conversation | None:
        """Return where a conversation is, when a message of it was accepted before."""
        if recent := self._recent.get(key):
            return recent
        row = self._db.execute(
            "SELECT chat_id, session_id FROM conversations WHERE key = ?", (key,)
        ).fetchone()
        return Conversation(*row) if row else None


_SCHEMA = (
    f"PRAGMA cache_size = -{_CACHE}",
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "CREATE TABLE seen (key TEXT PRIMARY KEY, row INTEGER) WITHOUT ROWID",
    "CREATE TABLE known (key TEXT PRIMARY KEY, status TEXT, run INTEGER, chat_id INTEGER,"
    " session_id INTEGER, errors TEXT) WITHOUT ROWID",
    "CREATE TABLE conversations (key TEXT PRIMARY KEY, chat_id INTEGER, session_id INTEGER) WITHOUT ROWID",
)

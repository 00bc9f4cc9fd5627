"""The messages of a chat, as the portal shows them to the connection's user."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_b24.rest import php

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_b24.rest.client import Bitrix24Client

#: The most messages in one reply.
PAGE = 50
#: LAST_ID of the newest page. Without an id, the portal shows the oldest unread messages when there are many.
NEWEST = 2_147_483_647
#: Pages that are read of a busy chat.
_MAX_PAGES = 10
_HISTORY = "im.dialog.messages.get"
_T = TypeVar("_T")


@dataclass(frozen=True)
class ChatMessage:
    """One message of a chat.

    :param author_id: who wrote it; 0 is the portal itself.
    :param date: when, as ISO 8601 text.
    :param text: the text; the portal writes links as BB codes.
    :param reply_to: the message that it replies to; None when it is no reply.
    :param template_id: the id under which it was sent, empty when there was none.
    """

    id: int
    author_id: int
    date: str
    text: str
    reply_to: int | None = None
    template_id: str = ""

    @property
    def posted_at(self) -> float:
        """When it was posted, in Unix seconds; infinity when the portal's date can't be read."""
        try:
            return datetime.fromisoformat(self.date).timestamp()
        except (ValueError, OverflowError):
            return math.inf

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> ChatMessage:
        """Return the message that a row of a reply describes.

        :param row: the row as the portal sent it.
        :raises ValueError: when it has no id or no author.
        """
        return cls(
            id=php.as_id(row.get("id")),
            author_id=php.as_count(row.get("author_id")),
            date=_optional(php.as_text, row.get("date")) or "",
            text=_optional(php.as_text, row.get("text")) or "",
            reply_to=_reply_to(row.get("params")),
            template_id=_optional(php.as_text, row.get("uuid")) or "",
        )


def read_until(client: Bitrix24Client, dialog: str, *, not_before: float) -> list[ChatMessage]:
    """Return the messages since a moment, newest first, 50 a request (``im.dialog.messages.get``).

    :param client: the connection's client.
    :param dialog: ``chatN``, or a person's user id.
    :param not_before: the moment in Unix seconds.
    :raises Bitrix24ServerError: when a reply holds no messages.
    """
    pages = [_read_page(client, dialog, before=NEWEST)]
    while len(pages) < _MAX_PAGES and len(pages[-1].messages) >= PAGE:
        if min(message.posted_at for message in pages[-1].messages) < not_before:
            break
        pages.append(_read_page(client, dialog, before=_oldest(pages[-1])))
    known = {message.id: message for page in pages for message in page.messages}
    found = [known[number] for number in sorted(known, reverse=True)]
    return [message for message in found if message.posted_at >= not_before]


@dataclass
class History:
    """Messages of a chat, oldest first, and who wrote them.

    :param names: user id to the person's name.
    """

    messages: list[ChatMessage] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)


def read_history(client: Bitrix24Client, dialog: str, *, since: int | None) -> History:
    """Return the messages after a message, 50 a request (``im.dialog.messages.get``).

    The pages are read from the newest down: not every portal sorts those after ``FIRST_ID``.

    :param client: the connection's client.
    :param dialog: ``chatN``, or a person's user id.
    :param since: the message after which they are read; None reads the newest page.
    :raises Bitrix24ServerError: when a reply holds no messages.
    """
    pages = [_read_page(client, dialog, before=NEWEST)]
    while since is not None and _goes_on(pages, since):
        pages.append(_read_page(client, dialog, before=_oldest(pages[-1])))
    known = {message.id: message for page in pages for message in page.messages}
    names = {user_id: name for page in pages for user_id, name in page.names.items()}
    return History([known[number] for number in sorted(known) if number > (since or 0)], names)


def _goes_on(pages: list[History], since: int) -> bool:
    """Say whether older messages of interest may follow; a page that repeats the last one ends it."""
    is_full = len(pages[-1].messages) >= PAGE
    is_repeated = len(pages) > 1 and _oldest(pages[-1]) >= _oldest(pages[-2])
    return is_full and not is_repeated and _oldest(pages[-1]) > since


def _oldest(page: History) -> int:
    return min((message.id for message in page.messages), default=0)


def read_rows(client: Bitrix24Client, dialog: str, *, before: int = NEWEST) -> dict[str, Any]:
    """Return a page of messages as the portal sent it (``im.dialog.messages.get``); empty: no message yet.

    :param client: the connection's client.
    :param dialog: ``chatN``, or a person's user id.
    :param before: the message before which they stand; the default is the newest page.
    :raises ValueError: when the reply is no object.
    """
    # A talk with a person that has no message yet is ``false``.
    return php.as_dict(client.call(_HISTORY, {"DIALOG_ID": dialog, "LIMIT": PAGE, "LAST_ID": before}))


def _read_page(client: Bitrix24Client, dialog: str, *, before: int) -> History:
    with php.promised("a list of messages", method=_HISTORY, conn_id=client.conn_id):
        reply = read_rows(client, dialog, before=before)
        messages = [ChatMessage.from_row(row) for row in php.as_rows(reply.get("messages"))]
        return History(messages, _names(reply.get("users")))


def _names(users: Any) -> dict[int, str]:
    """Return user id to name; a row that says neither is left out, since a name is only shown."""
    if not isinstance(users, list | dict):
        return {}
    found = [
        (_optional(php.as_id, row.get("id")), row) for row in php.as_list(users) if isinstance(row, dict)
    ]
    return {number: _optional(php.as_text, row.get("name")) or "" for number, row in found if number}


def _reply_to(params: Any) -> int | None:
    """Return REPLY_ID: a number, text, or a list of one; None where it is anything else."""
    value = params.get("REPLY_ID") if isinstance(params, dict) else None
    if isinstance(value, list | dict):
        values = php.as_list(value)
        value = values[0] if len(values) == 1 else None
    return _optional(php.as_id, value)


def _optional(read: Callable[[Any], _T], value: Any) -> _T | None:
    """Return an optional field of a message; None where the portal sent something that can't be read."""
    try:
        return read(value)
    except ValueError:
        return None

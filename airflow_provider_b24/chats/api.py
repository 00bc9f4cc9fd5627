"""Chats of one portal."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.chats.exactly_once import ADD, CLOCK_SKEW, is_ours, post_and_verify, post_once
from airflow_provider_b24.chats.messages import read_history, read_until
from airflow_provider_b24.chats.people import read_member_ids, read_own_id, read_people
from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.ids import parse_chat_id, parse_id
from airflow_provider_b24.rest import php
from airflow_provider_b24.utils.frames import hide_frames
from airflow_provider_b24.utils.lazy import cached_property

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.chats.messages import ChatMessage, History
    from airflow_provider_b24.rest.client import Bitrix24Client

#: The portal does not search for less.
_SHORTEST_SEARCH = 2
_SEARCH = "im.search.chat.list"


@dataclass(frozen=True)
class Chat:
    """A chat that a search found."""

    id: int
    title: str

    def to_dict(self) -> dict[str, Any]:
        """Return the chat as JSON values."""
        return {"id": self.id, "title": self.title}


@hide_frames
class ChatsApi:
    """The ``im.*`` methods that a pipeline needs."""

    def __init__(self, client: Bitrix24Client, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep

    def send(
        self,
        *,
        message: str,
        chat_id: int | str | None = None,
        user_id: int | str | None = None,
        reply_to: int | str | None = None,
    ) -> int:
        """Post a message to a chat, or to one person (``im.message.add``).

        A request whose reply is lost is not retried: the portal would post the message twice.

        :param message: the text; BB codes are allowed.
        :param chat_id: the chat's number, or ``chatN``.
        :param user_id: the person's user id; give one of the two.
        :param reply_to: the message of the same chat that it replies to.
        :returns: the message's id.
        :raises Bitrix24OutcomeUnknownError: when it is unknown whether the message was posted.
        """
        return self._client.call_for_id(ADD, _params(message, chat_id, user_id, reply_to))

    def send_once(
        self,
        *,
        message: str,
        template_id: str,
        chat_id: int | str | None = None,
        user_id: int | str | None = None,
        may_have_posted: bool = False,
        not_before: float | None = None,
    ) -> int:
        """Post a message under an id of its own, once; after a lost reply the chat is read.

        :param message: the text; BB codes are allowed.
        :param template_id: a lower-case UUIDv4, the same for each try.
        :param chat_id: the chat's number, or ``chatN``.
        :param user_id: the person's user id; give one of the two.
        :param may_have_posted: whether an earlier try may have posted it.
        :param not_before: when the first try began, in Unix seconds; None: now.
        :returns: the message's id.
        :raises Bitrix24OutcomeUnknownError: when it is unknown whether the message was posted.
        """
        params = _params(message, chat_id, user_id, None)
        since = (time.time() if not_before is None else not_before) - CLOCK_SKEW

        def find() -> int | None:
            for item in read_until(self._client, params["DIALOG_ID"], not_before=since):
                if is_ours(item, text=message, author_id=self._own_id, template_id=template_id):
                    return item.id
            return None

        return post_and_verify(
            lambda: self._client.call_for_id(ADD, {**params, "TEMPLATE_ID": template_id}),
            find,
            may_have_posted=may_have_posted,
            clock=time.time,
            sleep=self._sleep,
        )

    def post_once(
        self,
        *,
        message: str,
        chat_id: int | str | None = None,
        user_id: int | str | None = None,
        since_message_id: int | str | None = None,
        reply_to: int | str | None = None,
    ) -> int:
        """Post a message unless the connection's user has posted the same text already.

        Safe to call again after a lost reply, from another process, or after a restart.

        :param message: the text; BB codes are allowed.
        :param chat_id: the chat's number, or ``chatN``.
        :param user_id: the person's user id; give one of the two.
        :param since_message_id: an earlier message counts only after this one; None: only among the
            newest 50.
        :param reply_to: the message of the same chat that it replies to.
        :returns: the id of the message, be it the earlier one or the new one.
        :raises Bitrix24OutcomeUnknownError: when the reply is lost and the message is not in the chat yet.
        """
        params = _params(message, chat_id, user_id, reply_to)
        since = None if since_message_id is None else parse_id(since_message_id, "since_message_id")
        return post_once(self._client, params, own_id=self._own_id, since=since)

    def messages(self, *, chat_id: int | str, since_message_id: int | str) -> list[ChatMessage]:
        """Return all messages of a chat after a message, oldest first (``im.dialog.messages.get``).

        :param chat_id: the chat's number, or ``chatN``.
        :param since_message_id: the message after which they are read.
        :raises Bitrix24AccessDeniedError: when the connection's user is not in the chat.
        """
        return self._history(chat_id, since_message_id, "since_message_id").messages

    def replies(self, *, chat_id: int | str, message_id: int | str) -> list[dict[str, Any]]:
        """Return what people have replied to a message, oldest first (``im.dialog.messages.get``).

        :param chat_id: the chat's number, or ``chatN``.
        :param message_id: the message, for example a poll's.
        :returns: ``[{"user_id", "name", "text", "date"}]``.
        :raises Bitrix24AccessDeniedError: when the connection's user is not in the chat.
        """
        history = self._history(chat_id, message_id, "message_id")
        replied = parse_id(message_id, "message_id")
        return [
            {
                "user_id": message.author_id,
                "name": history.names.get(message.author_id, ""),
                "text": message.text,
                "date": message.date,
            }
            for message in history.messages
            if message.reply_to == replied
        ]

    def members(self, chat_id: int | str) -> list[int]:
        """Return the user ids of a chat's members (``im.chat.user.list``).

        :param chat_id: the chat's number, or ``chatN``.
        :raises Bitrix24ChatAccessError: when the connection's user does not see the chat.
        :raises Bitrix24ServerError: when the reply is not a list of user ids.
        """
        return read_member_ids(self._client, parse_chat_id(chat_id))

    def people(self, chat_id: int | str) -> list[int]:
        """Return the user ids of a chat's members who can vote: neither bots nor people who have left.

        :param chat_id: the chat's number, or ``chatN``.
        :raises Bitrix24ServerError: when a reply is not a list of users.
        """
        members = read_people(self._client, self.members(chat_id))
        return [person.id for person in members if person.is_active]

    def find(self, title: str) -> list[Chat]:
        """Return the chats with exactly this title (``im.search.chat.list``); there may be several.

        :param title: two characters or more.
        """
        if not isinstance(title, str) or len(title.strip()) < _SHORTEST_SEARCH:
            raise Bitrix24ValidationError("title", f"needs {_SHORTEST_SEARCH} characters or more")
        wanted = title.strip()
        # The portal's search also looks into the members' names.
        return [chat for chat in self._search(wanted) if chat.title == wanted]

    @cached_property
    def _own_id(self) -> int:
        return read_own_id(self._client)

    def _history(self, chat_id: int | str, since: int | str, path: str) -> History:
        dialog = dialog_id(chat_id=chat_id, user_id=None)
        return read_history(self._client, dialog, since=parse_id(since, path))

    def _search(self, text: str) -> list[Chat]:
        rows = self._client.iterate(_SEARCH, {"FIND": text})
        with php.promised("a list of chats", method=_SEARCH, conn_id=self._client.conn_id):
            # Pages may overlap.
            found = {chat.id: chat for chat in map(_chat, rows)}
        return list(found.values())


def _chat(row: Any) -> Chat:
    fields = php.as_row(row)
    title = php.as_text(fields.get("name")) or php.as_text(fields.get("title"))
    return Chat(php.as_id(fields.get("id")), title.strip())


def dialog_id(*, chat_id: int | str | None, user_id: int | str | None) -> str:
    """Return Bitrix24's name for a chat or for the talk with one person."""
    if (chat_id is None) == (user_id is None):
        raise Bitrix24ValidationError("chat_id", "give either chat_id or user_id")
    if chat_id is not None:
        return f"chat{parse_chat_id(chat_id)}"
    return str(parse_id(user_id, "user_id"))


def _params(
    message: str, chat_id: int | str | None, user_id: int | str | None, reply_to: int | str | None
) -> dict[str, Any]:
    if not isinstance(message, str) or not message.strip():
        raise Bitrix24ValidationError("message", "must be text, and not blank")
    reply = {} if reply_to is None else {"REPLY_ID": parse_id(reply_to, "reply_to")}
    return {"DIALOG_ID": dialog_id(chat_id=chat_id, user_id=user_id), "MESSAGE": message, **reply}

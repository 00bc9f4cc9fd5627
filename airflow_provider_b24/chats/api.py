"""Chats of one portal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.ids import parse_chat_id, parse_id
from airflow_provider_b24.rest import php
from airflow_provider_b24.utils.frames import hide_frames

if TYPE_CHECKING:
    from airflow_provider_b24.rest.client import Bitrix24Client

#: The portal does not search for less.
_SHORTEST_SEARCH = 2
_ADD = "im.message.add"
_MEMBERS = "im.chat.user.list"


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

    def __init__(self, client: Bitrix24Client) -> None:
        self._client = client

    def send(
        self, *, message: str, chat_id: int | str | None = None, user_id: int | str | None = None
    ) -> int:
        """Post a message to a chat, or to one person (``im.message.add``).

        A request whose reply is lost is not retried: the portal would post the message twice.

        :param message: the text; BB codes are allowed.
        :param chat_id: the chat's number, or ``chatN``.
        :param user_id: the person's user id; give one of the two.
        :returns: the message's id.
        :raises Bitrix24OutcomeUnknownError: when it is unknown whether the message was posted.
        """
        if not isinstance(message, str) or not message.strip():
            raise Bitrix24ValidationError("message", "must be text, and not blank")
        params = {"DIALOG_ID": dialog_id(chat_id=chat_id, user_id=user_id), "MESSAGE": message}
        return self._client.call_for_id(_ADD, params)

    def members(self, chat_id: int | str) -> list[int]:
        """Return the user ids of a chat's members (``im.chat.user.list``).

        :param chat_id: the chat's number, or ``chatN``.
        :raises Bitrix24ServerError: when the reply is not a list of user ids.
        """
        result = self._client.call(_MEMBERS, {"CHAT_ID": parse_chat_id(chat_id)})
        with php.promised("a list of user ids", method=_MEMBERS, conn_id=self._client.conn_id):
            return [php.as_id(value) for value in php.as_list(result)]

    def find(self, title: str) -> list[Chat]:
        """Return the chats with exactly this title (``im.search.chat.list``); there may be several.

        :param title: two characters or more.
        """
        if not isinstance(title, str) or len(title.strip()) < _SHORTEST_SEARCH:
            raise Bitrix24ValidationError("title", f"needs {_SHORTEST_SEARCH} characters or more")
        wanted = title.strip()
        # The portal's search also looks into the members' names.
        return [chat for chat in self._search(wanted) if chat.title == wanted]

    def _search(self, text: str) -> list[Chat]:
        found: dict[int, Chat] = {}
        for row in self._client.iterate("im.search.chat.list", {"FIND": text}):
            if isinstance(row, Mapping) and str(row.get("id", "")).isdigit():
                chat = Chat(int(row["id"]), str(row.get("name") or row.get("title") or "").strip())
                found[chat.id] = chat
        return list(found.values())


def dialog_id(*, chat_id: int | str | None, user_id: int | str | None) -> str:
    """Return Bitrix24's name for a chat or for the talk with one person."""
    if (chat_id is None) == (user_id is None):
        raise Bitrix24ValidationError("chat_id", "give either chat_id or user_id")
    if chat_id is not None:
        return f"chat{parse_chat_id(chat_id)}"
    return str(parse_id(user_id, "user_id"))

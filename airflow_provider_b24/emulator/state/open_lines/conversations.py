"""Conversations of open lines: a chat, its session, and who it is with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.emulator.state.chats import Chat, Chats, Message
    from airflow_provider_b24.emulator.state.context import PortalContext
    from airflow_provider_b24.emulator.state.open_lines.bindings import Bindings
    from airflow_provider_b24.emulator.state.people import User


@dataclass(frozen=True, slots=True)
class Place:
    """Where a conversation is held; ``outside_chat`` is the chat's id in the outside system.

    In a group chat, which all guests of an outside chat share, ``user_id`` is 0.
    """

    connector_id: str
    line_id: int
    outside_chat: str
    user_id: int

    @property
    def code(self) -> str:
        """What open lines know the place by."""
        return f"{self.connector_id}|{self.line_id}|{self.outside_chat}|{self.user_id}"


@dataclass(slots=True)
class Conversation:
    """One conversation and its session, which is another one each time it is taken up again."""

    chat: Chat
    place: Place
    session_id: int
    is_open: bool = True

    @property
    def messages(self) -> list[Message]:
        """The messages so far, oldest first."""
        return list(self.chat.messages)


class Conversations:
    """All conversations, by chat, by session and by code."""

    def __init__(self, context: PortalContext, chats: Chats, bindings: Bindings) -> None:
        self._context = context
        self._chats = chats
        self._bindings = bindings
        self._by_chat: dict[int, Conversation] = {}
        self._session_listeners: list[Callable[[Conversation], None]] = []
        self._by_code: dict[str, Conversation] = {}

    def __iter__(self) -> Iterator[Conversation]:
        return iter(list(self._by_chat.values()))

    def by_chat(self, chat_id: int) -> Conversation | None:
        """Return the conversation in a chat, or None."""
        return self._by_chat.get(chat_id)

    def by_session(self, session_id: int) -> Conversation | None:
        """Return the conversation of a session, or None."""
        return next((item for item in self if item.session_id == session_id), None)

    def by_code(self, code: str) -> Conversation | None:
        """Return the conversation with this code, or None."""
        return self._by_code.get(code)

    def ensure(
        self,
        place: Place,
        *,
        guest: User,
        title: str,
        description: str = "",
        operators: list[int],
    ) -> Conversation:
        """Return the conversation, begun or taken up again; in a group each guest joins it."""
        known = self.by_code(place.code)
        begins = known is None or not known.is_open
        conversation = known or self._begin(place, title=title, operators=operators)
        if guest.id not in conversation.chat.members:
            conversation.chat.members.append(guest.id)
        if not conversation.is_open:
            conversation.session_id = self._context.ids.next("session")
            conversation.is_open = True
        conversation.chat.description = description or conversation.chat.description
        self.refresh(conversation)
        if begins:
            self._tell(conversation)
        return conversation

    def finish(self, conversation: Conversation) -> None:
        """End the session; the next message from outside begins another one."""
        if conversation.is_open:
            conversation.is_open = False
            self._tell(conversation)

    def on_session(self, listener: Callable[[Conversation], None]) -> None:
        """Call a listener with each conversation whose session begins or ends."""
        self._session_listeners.append(listener)

    def _tell(self, conversation: Conversation) -> None:
        for listener in self._session_listeners:
            listener(conversation)

    def refresh(self, conversation: Conversation) -> None:
        """Write the session and the CRM item into the chat, where chat methods show them."""
        entity = self._bindings.entity(conversation.chat.id)
        bound = f"Y|{entity[0].upper()}|{entity[1]}" if entity else "N|NONE|0"
        started = int(conversation.chat.created)
        conversation.chat.entity_data_1 = f"{bound}|N|N|{conversation.session_id}|{started}|0|0|0"

    def _begin(self, place: Place, *, title: str, operators: list[int]) -> Conversation:
        chat = self._chats.add(
            title,
            members=operators,
            owner_id=operators[0] if operators else 0,
            kind="lines",
            entity_type="LINES",
            entity_id=place.code,
        )
        conversation = Conversation(chat, place, self._context.ids.next("session"))
        self._by_chat[chat.id] = self._by_code[place.code] = conversation
        return conversation

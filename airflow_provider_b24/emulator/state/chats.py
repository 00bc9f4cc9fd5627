"""Chats and the messages in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_b24.emulator.state.context import PortalContext


@dataclass(slots=True)
class Message:
    """One message; author 0 is the system."""

    id: int
    chat_id: int
    author_id: int
    text: str
    date: float
    uuid: str | None = None
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Chat:
    """A chat: ``kind`` is ``chat``, ``open``, ``private`` or ``lines``."""

    id: int
    title: str
    owner_id: int
    kind: str = "chat"
    members: list[int] = field(default_factory=list)
    entity_type: str = ""
    entity_id: str = ""
    entity_data_1: str = ""
    description: str = ""
    color: str = ""
    created: float = 0.0
    messages: list[Message] = field(default_factory=list)
    #: User id to the newest message that the account has read, and to its first one (START_ID).
    read_up_to: dict[int, int] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)

    @property
    def dialog_id(self) -> str:
        """How im.* methods name the chat."""
        return f"chat{self.id}"

    def can_read(self, user_id: int) -> bool:
        """Whether this user sees the messages."""
        return user_id in self.members or self.kind == "open"

    def visible_to(self, user_id: int) -> list[Message]:
        """Return the messages that a user sees, oldest first."""
        start = self.starts.get(user_id, 0)
        return [message for message in self.messages if message.id >= start]

    def unread_by(self, user_id: int) -> list[Message]:
        """Return the messages that a member has not read, oldest first."""
        if user_id not in self.members:
            return []
        read = self.read_up_to.get(user_id, 0)
        return [message for message in self.visible_to(user_id) if message.id > read]

    def can_write(self, user_id: int) -> bool:
        """Whether this user may post."""
        return user_id in self.members


class Chats:
    """All chats, and all messages by id."""

    def __init__(self, context: PortalContext) -> None:
        self._context = context
        self._chats: dict[int, Chat] = {}
        self._messages: dict[int, Message] = {}
        self._delete_listeners: list[Callable[[int], None]] = []
        self._post_listeners: list[Callable[[Message], None]] = []

    def __iter__(self) -> Iterator[Chat]:
        return iter(list(self._chats.values()))

    def get(self, chat_id: int) -> Chat | None:
        """Return the chat, or None."""
        return self._chats.get(chat_id)

    def message(self, message_id: int) -> Message | None:
        """Return the message, or None."""
        return self._messages.get(message_id)

    def add(
        self,
        title: str,
        *,
        members: Iterable[int] = (),
        owner_id: int = 1,
        kind: str = "chat",
        entity_type: str = "",
        entity_id: str = "",
        entity_data_1: str = "",
        description: str = "",
        color: str = "",
    ) -> Chat:
        """Open a chat; only the listed users are its members."""
        with self._context.lock:
            chat = Chat(
                id=self._context.ids.next("chat"),
                title=title,
                owner_id=owner_id,
                kind=kind,
                members=list(dict.fromkeys(members)),
                entity_type=entity_type,
                entity_id=entity_id,
                entity_data_1=entity_data_1,
                description=description,
                color=color,
                created=self._context.clock(),
            )
            self._chats[chat.id] = chat
            return chat

    def private(self, one: int, other: int) -> Chat:
        """Return the dialog of two people, opened on first use."""
        with self._context.lock:
            for chat in self._chats.values():
                if chat.kind == "private" and set(chat.members) == {one, other}:
                    return chat
            return self.add("", members=(one, other), owner_id=one, kind="private")

    def post(
        self,
        chat: Chat,
        *,
        author_id: int,
        text: str,
        uuid: str | None = None,
        params: dict[str, Any] | None = None,
        reply_to: int | None = None,
    ) -> Message:
        """Add a message to a chat, without asking whether the author may."""
        with self._context.lock:
            # The portal keeps the values of these parameters as text.
            reply = {} if reply_to is None else {"REPLY_ID": str(reply_to)}
            message = Message(
                self._context.ids.next("message"),
                chat.id,
                author_id,
                text,
                self._context.clock(),
                uuid,
                {**(params or {}), **reply},
            )
            chat.messages.append(message)
            # Who posts has read what stood before.
            chat.read_up_to[author_id] = message.id
            self._messages[message.id] = message
            for listener in self._post_listeners:
                listener(message)
            return message

    def holds(self, chat: Chat, message_id: int) -> bool:
        """Whether a message is in this chat, and not deleted."""
        message = self._messages.get(message_id)
        return message is not None and message.chat_id == chat.id

    def replied_to(self, message: Message) -> Message | None:
        """Return the message that a message replies to, unless it is none or deleted."""
        return self._messages.get(int(message.params.get("REPLY_ID", 0)))

    def on_post(self, listener: Callable[[Message], None]) -> None:
        """Call a listener with each message that is posted."""
        self._post_listeners.append(listener)

    def on_delete(self, listener: Callable[[int], None]) -> None:
        """Call a listener with the id of each message that is deleted."""
        self._delete_listeners.append(listener)

    def delete(self, message: Message) -> None:
        """Remove a message and, through the listeners, what is attached to it."""
        with self._context.lock:
            self._messages.pop(message.id, None)
            self._chats[message.chat_id].messages.remove(message)
            for listener in self._delete_listeners:
                listener(message.id)

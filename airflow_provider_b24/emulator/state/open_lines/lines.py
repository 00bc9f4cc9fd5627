"""Open lines: where connectors deliver, and what a test sets up and looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.state.open_lines.bindings import Bindings
from airflow_provider_b24.emulator.state.open_lines.connectors import Connector, Connectors
from airflow_provider_b24.emulator.state.open_lines.conversations import Conversation, Conversations, Place
from airflow_provider_b24.emulator.state.open_lines.outsiders import Outsiders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_b24.emulator.state.chats import Chats, Message
    from airflow_provider_b24.emulator.state.context import PortalContext
    from airflow_provider_b24.emulator.state.credentials import Credentials
    from airflow_provider_b24.emulator.state.people import People

LIVECHAT = "livechat"


@dataclass(slots=True)
class Line:
    """One open line; a paused one takes messages in and opens no session for them."""

    id: int
    name: str
    active: bool = True
    paused: bool = False


class Lines:
    """All open lines by id, with their connectors, conversations and CRM bindings."""

    def __init__(
        self, context: PortalContext, *, people: People, chats: Chats, credentials: Credentials
    ) -> None:
        self._context = context
        self._people = people
        self._chats = chats
        self._credentials = credentials
        self._lines: dict[int, Line] = {}
        self.connectors = Connectors()
        self.outsiders = Outsiders(people)
        self.bindings = Bindings()
        self.conversations = Conversations(context, chats, self.bindings)

    def __iter__(self) -> Iterator[Line]:
        return iter(list(self._lines.values()))

    def get(self, line_id: int) -> Line | None:
        """Return the line, or None."""
        return self._lines.get(line_id)

    def add(self, name: str, *, active: bool = True) -> int:
        """Open a line and return its id."""
        with self._context.lock:
            line = Line(self._context.ids.next("line"), name, active)
            self._lines[line.id] = line
            return line.id

    def activate(self, line_id: int) -> None:
        """Switch a line on."""
        self._lines[line_id].active = True

    def deactivate(self, line_id: int) -> None:
        """Switch a line off: what is sent to it is refused with NOT_ACTIVE_LINE."""
        self._lines[line_id].active = False

    def pause(self, line_id: int) -> None:
        """Let a line accept messages without taking them: the replies carry no session."""
        self._lines[line_id].paused = True

    def unpause(self, line_id: int) -> None:
        """Let a line take messages again."""
        self._lines[line_id].paused = False

    def install_connector(
        self, connector: str, line: int, *, name: str | None = None, chat_group: bool = False
    ) -> None:
        """Register a connector for the portal's application and switch it on for a line.

        :param connector: the connector's id.
        :param line: the line's id.
        :param name: the connector's name; None: its id.
        :param chat_group: all users of an outside chat share one conversation.
        """
        with self._context.lock:
            owner = self._credentials.application.client_id
            self.connectors.register(Connector(connector.lower(), name or connector, owner, chat_group))
            self.connectors.activate(connector.lower(), line)

    def delivers(self, connector: str, line_id: int) -> bool:
        """Whether what the connector sends reaches the line."""
        line, status = self.get(line_id), self.connectors.status(connector, line_id)
        return line is not None and line.active and status.active and not status.error

    def reject(self, outside_id: str, reason: str = "The user cannot be created") -> None:
        """Fail each connector message of an outside user; the others are not affected.

        :param outside_id: the user's id in the outside system.
        :param reason: the error of these messages.
        """
        self.outsiders.reject(outside_id, reason)

    def accept(self, outside_id: str) -> None:
        """Take the messages of this outside person again."""
        self.outsiders.accept(outside_id)

    def conversation(self, line: int, *, chat: str | None = None) -> Conversation | None:
        """Return a line's latest conversation, or the latest one of an outside chat."""
        found = [item for item in self.conversations if item.place.line_id == line]
        if chat is not None:
            found = [item for item in found if item.place.outside_chat == str(chat)]
        return found[-1] if found else None

    def find(self, connector: str, line: int, chat: str, user: str | None) -> Conversation | None:
        """Return a conversation by outside ids; in a group chat the user is None."""
        guest = None if user is None else self.outsiders.find(connector, user)
        if user is not None and guest is None:
            return None
        return self.conversations.by_code(Place(connector, line, chat, guest.id if guest else 0).code)

    def messages(self, line: int) -> list[Message]:
        """Return all messages of a line's conversations, in the order of their ids."""
        found = (item.messages for item in self.conversations if item.place.line_id == line)
        return sorted((message for messages in found for message in messages), key=lambda item: item.id)

    def state(self) -> list[dict[str, Any]]:
        """Return all lines with their conversations, for the control API."""
        return [
            {
                "id": line.id,
                "name": line.name,
                "active": line.active,
                "conversations": [
                    {
                        "chat_id": item.chat.id,
                        "session_id": item.session_id,
                        "user_code": item.place.code,
                        "is_open": item.is_open,
                    }
                    for item in self.conversations
                    if item.place.line_id == line.id
                ],
            }
            for line in self
        ]

    def operators(self) -> list[int]:
        """Return the ids of the operators: all employees."""
        return [user.id for user in self._people.employees()]

    def bind_crm(self, entity_type: str, entity_id: int, chat_id: int) -> None:
        """Make a line's chat belong to a CRM item.

        :param entity_type: lead, deal, company or contact.
        :param entity_id: the item's id.
        :param chat_id: the chat's id.
        :raises ValueError: open-line chats do not belong to items of this type.
        """
        with self._context.lock:
            self.bindings.bind(entity_type, entity_id, chat_id)
            conversation = self.conversations.by_chat(chat_id)
            if conversation is not None:
                self.conversations.refresh(conversation)

    def add_crm_chat(
        self,
        entity_type: str,
        entity_id: int,
        *,
        title: str | None = None,
        line: int | None = None,
        guest: str = "Guest",
    ) -> int:
        """Open a live chat with a guest and bind it to a CRM item.

        :param entity_type: lead, deal, company or contact.
        :param entity_id: the item's id.
        :param title: the chat's title; None: the guest and the line.
        :param line: the line's id; None: the first line.
        :param guest: the guest's name.
        :returns: the chat id.
        :raises ValueError: open-line chats do not belong to items of this type.
        """
        with self._context.lock:
            line_id = next(iter(self._lines)) if line is None else line
            visitor = self._people.add(guest, external=True)
            conversation = self.conversations.ensure(
                Place(LIVECHAT, line_id, str(visitor.id), visitor.id),
                guest=visitor,
                title=title or f"{visitor.full_name} - {self._lines[line_id].name}",
                operators=self.operators(),
            )
            self.bind_crm(entity_type, entity_id, conversation.chat.id)
            return conversation.chat.id

    def reply(self, chat_id: int, text: str, *, user_id: int = 1) -> Message:
        """Answer in a conversation as an operator.

        :raises LookupError: the chat is no conversation of an open line.
        """
        with self._context.lock:
            conversation = self.conversations.by_chat(chat_id)
            if conversation is None:
                raise LookupError(f"Chat {chat_id} is no conversation of an open line.")
            return self._chats.post(conversation.chat, author_id=user_id, text=text)

    def finish(self, chat_id: int) -> None:
        """End the session in a chat; the guest's next message begins another one.

        :raises LookupError: the chat is no conversation of an open line.
        """
        with self._context.lock:
            conversation = self.conversations.by_chat(chat_id)
            if conversation is None:
                raise LookupError(f"Chat {chat_id} is no conversation of an open line.")
            self.conversations.finish(conversation)

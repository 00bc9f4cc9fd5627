"""The events of connectors: an operator's message, and the beginning and end of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.chats import Message
    from airflow_provider_b24.emulator.state.events.events import Events
    from airflow_provider_b24.emulator.state.open_lines.connectors import Connector
    from airflow_provider_b24.emulator.state.open_lines.conversations import Conversation
    from airflow_provider_b24.emulator.state.open_lines.lines import Lines
    from airflow_provider_b24.emulator.state.people import People


class LineEvents:
    """Tells the applications that own connectors of what happens in their conversations."""

    def __init__(self, events: Events, *, lines: Lines, people: People) -> None:
        self._events = events
        self._lines = lines
        self._people = people

    def on_post(self, message: Message) -> None:
        """Tell of a message that an employee writes to someone outside."""
        conversation = self._lines.conversations.by_chat(message.chat_id)
        author = self._people.get(message.author_id)
        if conversation is None or author is None or author.external or "CONNECTOR_MID" in message.params:
            return
        connector = self._lines.connectors.get(conversation.place.connector_id)
        if connector is None:
            return
        text = message.text
        if connector.options.get("NEED_SIGNATURE") not in {"N", False, "0"}:
            text = f"[b]{author.full_name}:[/b] [br]{text}"
        row: dict[str, Any] = {
            "im": {"chat_id": message.chat_id, "message_id": message.id},
            "message": {"user_id": author.id, "text": text},
            "chat": {"id": conversation.place.outside_chat},
        }
        if message.params.get("FILES"):
            row["message"]["files"] = message.params["FILES"]
        data = {"CONNECTOR": connector.id, "LINE": conversation.place.line_id, "MESSAGES": [row]}
        self._happen("ONIMCONNECTORMESSAGEADD", connector, data, user_id=author.id)

    def on_session(self, conversation: Conversation) -> None:
        """Tell that a session has begun or ended."""
        place = conversation.place
        connector = self._lines.connectors.get(place.connector_id)
        if connector is None:
            return
        row = {
            "connector": {
                "connector_id": connector.id,
                "line_id": place.line_id,
                "chat_id": place.outside_chat,
                "user_id": place.user_id,
            },
            "session": {
                "id": conversation.session_id,
                "closed": "N" if conversation.is_open else "Y",
                "parent_id": 0,
                "close_term": 10,
            },
            "chat": {"id": place.outside_chat},
            "user": {"id": place.user_id},
        }
        data = {"CONNECTOR": connector.id, "LINE": str(place.line_id), "DATA": [row]}
        name = "ONIMCONNECTORDIALOGSTART" if conversation.is_open else "ONIMCONNECTORDIALOGFINISH"
        self._happen(name, connector, data)

    def _happen(self, name: str, connector: Connector, data: Any, *, user_id: int = 0) -> None:
        self._events.happen(name, data, client_id=connector.client_id, user_id=user_id)

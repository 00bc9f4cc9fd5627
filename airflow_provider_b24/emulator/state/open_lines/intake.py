"""How an open line takes in what a connector sends, one message at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.php import pairs, to_int, truthy
from airflow_provider_b24.emulator.state.open_lines.conversations import Place

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.chats import Message
    from airflow_provider_b24.emulator.state.open_lines.connectors import Connector
    from airflow_provider_b24.emulator.state.open_lines.conversations import Conversation
    from airflow_provider_b24.emulator.state.open_lines.lines import Line
    from airflow_provider_b24.emulator.state.people import User
    from airflow_provider_b24.emulator.state.portal import Portal

Row = dict[str, Any]


class RejectedError(Exception):
    """Why one message failed; the others of the call are not affected."""


class Intake:
    """Takes in the messages of one connector on one line."""

    def __init__(self, portal: Portal, connector: Connector, line: Line) -> None:
        self._portal = portal
        self._connector = connector
        self._line = line
        self._kinds = {"message": self._add, "message_update": self._update, "message_del": self._delete}

    def take(self, row: Row, *, kind: str = "message") -> Row:
        """Take one message in; returns what the call reports for it."""
        wanted = str(row.pop("type_message", "") or kind).lower()
        try:
            if wanted not in self._kinds:
                raise self._rejected("line.unsupported_type")
            return self._kinds[wanted](row)
        except RejectedError as error:
            return {"SUCCESS": False, "ERRORS": [str(error)]}

    def _add(self, row: Row) -> Row:
        row, guest = self._prepare(row)
        conversation = self._conversation(row, guest)
        if conversation is None:
            return _report(row)
        self._post(row, guest, conversation)
        session = {"ID": str(conversation.session_id), "CHAT_ID": str(conversation.chat.id)}
        return {**_report(row), "session": session}

    def _update(self, row: Row) -> Row:
        row, guest = self._prepare(row)
        message = self._find(row, guest)
        if message is not None:
            message.text = _text(row)
            message.params["IS_EDITED"] = "Y"
        return _report(row)

    def _delete(self, row: Row) -> Row:
        row, guest = self._user_and_chat(row)
        message = self._find(row, guest)
        if message is not None:
            self._portal.chats.delete(message)
        return _report(row)

    def _prepare(self, row: Row) -> tuple[Row, User]:
        row, guest = self._user_and_chat(row)
        message = row["message"]
        if not isinstance(message, dict):
            raise self._rejected("line.not_all_data")
        row["message"] = message = dict(message)
        if truthy(message.get("files")):
            message["files"] = _files(message["files"])
        if not _text(row) and not truthy(message.get("files")):
            raise self._rejected("line.not_all_data")
        if message.get("disable_crm") == "Y":
            del message["disable_crm"]
            row.setdefault("extra", {})["disable_tracker"] = "Y"
        return row, guest

    def _user_and_chat(self, row: Row) -> tuple[Row, User]:
        person, chat = row.get("user"), row.get("chat")
        if not (isinstance(person, dict) and person and isinstance(chat, dict) and chat):
            raise self._rejected("line.not_all_data")
        row = {**row, "chat": self._described(chat)}
        if person.get("skip_phone_validate") == "Y":
            row["extra"] = {"skip_phone_validate": "Y"}
        guest = self._guest(person)
        row["user"] = str(guest.id)
        return row, guest

    def _guest(self, person: Row) -> User:
        outside_id = person.get("id")
        if outside_id in (None, ""):
            raise self._rejected("line.no_user")
        reason = self._portal.lines.outsiders.rejection(str(outside_id))
        if reason is not None:
            raise RejectedError(reason)
        return self._portal.lines.outsiders.ensure(self._connector.id, person)

    def _described(self, chat: Row) -> Row:
        described = dict(chat)
        link = described.pop("url", None)
        if truthy(link):
            described["description"] = self._portal.say("line.original_post", link=link)
        return described

    def _conversation(self, row: Row, guest: User) -> Conversation | None:
        """Return where the message goes; None if the line does not take it."""
        chat = row["chat"]
        if self._line.paused or chat.get("id") in (None, ""):
            return None
        return self._portal.lines.conversations.ensure(
            self._place(chat, guest),
            guest=guest,
            title=str(chat.get("name") or f"{guest.full_name} - {self._line.name}"),
            description=str(chat.get("description", "")),
            operators=self._portal.lines.operators(),
        )

    def _place(self, chat: Row, guest: User) -> Place:
        who = 0 if self._connector.chat_group else guest.id
        return Place(self._connector.id, self._line.id, str(chat.get("id", "")), who)

    def _post(self, row: Row, guest: User, conversation: Conversation) -> None:
        message = row["message"]
        manager = self._portal.people.get(to_int(message.get("user_id")))
        params: Row = {"CONNECTOR_MID": [str(message.get("id", ""))]}
        if message.get("files"):
            params["FILES"] = message["files"]
        author = manager if manager is not None and not manager.external else guest
        self._portal.chats.post(conversation.chat, author_id=author.id, text=_text(row), params=params)

    def _find(self, row: Row, guest: User) -> Message | None:
        """Return the message that came with this outside id in this outside chat."""
        place = self._place(row["chat"], guest)
        conversation = self._portal.lines.conversations.by_code(place.code)
        message = row.get("message")
        outside_id = str(message.get("id", "")) if isinstance(message, dict) else ""
        found = conversation.messages if conversation else []
        return next((item for item in found if outside_id in item.params.get("CONNECTOR_MID", ())), None)

    def _rejected(self, key: str) -> RejectedError:
        return RejectedError(self._portal.say(key))


def _text(row: Row) -> str:
    text = row["message"].get("text")
    return "" if text is None else str(text)


def _files(files: object) -> list[dict[str, str]]:
    rows = [item for _, item in pairs(files) if isinstance(item, dict) and item.get("url")]
    return [{"name": str(item.get("name") or _file_name(item)), "url": str(item["url"])} for item in rows]


def _file_name(item: Row) -> str:
    return str(item["url"]).partition("?")[0].rstrip("/").rpartition("/")[2] or "file"


def _report(row: Row) -> Row:
    report = {**row, "SUCCESS": True}
    message = report.get("message")
    if isinstance(message, dict) and truthy(message.get("date")):
        # The server writes its own date object, of which JSON keeps nothing.
        report["message"] = {**message, "date": {}}
    return report

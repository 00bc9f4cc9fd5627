"""What the page at the portal's root shows to one person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.page.bbcode import parse, plain
from airflow_provider_b24.emulator.page.poll_view import card

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.chats import Chat, Message
    from airflow_provider_b24.emulator.state.open_lines.conversations import Conversation
    from airflow_provider_b24.emulator.state.open_lines.lines import Line
    from airflow_provider_b24.emulator.state.people import User
    from airflow_provider_b24.emulator.state.portal import Portal

Row = dict[str, Any]

SHOWN_MESSAGES = 200


def view(portal: Portal, user: User, chat_id: int | None) -> Row:
    """Return all lists and the messages of one chat; of the first chat if that one is not there."""
    with portal.lock:
        chats = [chat for chat in portal.chats if chat.kind != "lines" and chat.can_read(user.id)]
        conversations = list(portal.lines.conversations)
        open_chat = _chosen(chats, conversations, chat_id)
        return {
            "portal": portal.url,
            "me": user.id,
            "users": [_person(each) for each in portal.people.employees()],
            "chats": [_entry(portal, chat, user) for chat in chats],
            "lines": [_line(portal, line, conversations, user) for line in portal.lines],
            "open": None if open_chat is None else _open_chat(portal, open_chat, user),
        }


def _chosen(chats: list[Chat], conversations: list[Conversation], chat_id: int | None) -> Chat | None:
    readable = chats + [item.chat for item in conversations]
    wanted = (chat for chat in readable if chat.id == chat_id)
    return next(wanted, readable[0] if readable else None)


def _person(user: User) -> Row:
    return {"id": user.id, "name": user.full_name, "position": user.position}


def _entry(portal: Portal, chat: Chat, user: User) -> Row:
    last = chat.messages[-1] if chat.messages else None
    return {
        "id": chat.id,
        "title": _title(portal, chat, user),
        "last": "" if last is None else _line_of_text(portal, last),
    }


def _title(portal: Portal, chat: Chat, user: User) -> str:
    if chat.title:
        return chat.title
    others = [portal.people.name_of(member) for member in chat.members if member != user.id]
    return ", ".join(others) or f"Chat {chat.id}"


def _line_of_text(portal: Portal, message: Message) -> str:
    poll = portal.polls.by_message(message.id)
    text = plain(parse(message.text)) or ", ".join(file["name"] for file in message.params.get("FILES", ()))
    return f"Poll: {text}" if poll else text


def _line(portal: Portal, line: Line, conversations: list[Conversation], user: User) -> Row:
    own = [item for item in conversations if item.place.line_id == line.id]
    return {
        "id": line.id,
        "name": line.name,
        "active": line.active,
        "conversations": [_entry(portal, item.chat, user) for item in own],
    }


def _open_chat(portal: Portal, chat: Chat, user: User) -> Row:
    conversation = portal.lines.conversations.by_chat(chat.id)
    return {
        "id": chat.id,
        "title": _title(portal, chat, user),
        "about": _about(portal, chat, conversation),
        "answerable": conversation is not None,
        "writable": conversation is None and chat.can_write(user.id),
        "messages": [_message(portal, message, user) for message in chat.messages[-SHOWN_MESSAGES:]],
    }


def _about(portal: Portal, chat: Chat, conversation: Conversation | None) -> str:
    if conversation is None:
        people = ", ".join(portal.people.name_of(member) for member in chat.members)
        return f"Chat {chat.id} · {people}" if people else f"Chat {chat.id}"
    place = conversation.place
    line = portal.lines.get(place.line_id)
    parts = [f"Chat {chat.id}", f"line {line.name if line else place.line_id}", place.connector_id]
    entity = portal.lines.bindings.entity(chat.id)
    if entity is not None:
        parts.append(f"{entity[0]} {entity[1]}")
    return " · ".join([*parts, *([chat.description] if chat.description else [])])


def _message(portal: Portal, message: Message, user: User) -> Row:
    author = portal.people.get(message.author_id)
    poll = portal.polls.by_message(message.id)
    return {
        "id": message.id,
        "author": "" if message.author_id == 0 else portal.people.name_of(message.author_id),
        "from": _origin(message, author, user),
        "at": message.date,
        "quote": _quote(portal, message),
        "text": plain(parse(message.text)),
        "parts": parse(message.text),
        "files": [file["name"] for file in message.params.get("FILES", ())],
        "edited": message.params.get("IS_EDITED") == "Y",
        "delivered": _is_delivered(portal, message, author),
        "poll": None if poll is None else card(portal, poll, user),
    }


def _is_delivered(portal: Portal, message: Message, author: User | None) -> bool:
    """Whether a connector has said that an operator's message arrived outside."""
    answers = portal.lines.conversations.by_chat(message.chat_id) is not None
    written_here = author is not None and not author.external
    return answers and written_here and bool(message.params.get("CONNECTOR_MID"))


def _quote(portal: Portal, message: Message) -> Row | None:
    replied = portal.chats.replied_to(message)
    return (
        None
        if replied is None
        else {"author": portal.people.name_of(replied.author_id), "text": replied.text}
    )


def _origin(message: Message, author: User | None, user: User) -> str:
    if message.author_id == 0:
        return "system"
    if message.author_id == user.id:
        return "mine"
    return "outside" if author is not None and author.external else "other"

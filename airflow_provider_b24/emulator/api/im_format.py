"""Chats, messages and users as the im.* methods show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.call import Call
    from airflow_provider_b24.emulator.state.chats import Chat, Message
    from airflow_provider_b24.emulator.state.people import User
    from airflow_provider_b24.emulator.state.portal import Portal

MESSAGE_TYPES = {"chat": "C", "open": "O", "private": "P", "lines": "L"}


def dialog(call: Call, dialog_id: Any) -> Chat:
    """Return the chat that ``chatN`` or a user's id names.

    :raises ApiError: it names nothing.
    """
    name = str(dialog_id or "")
    if name.startswith("chat"):
        chat = call.portal.chats.get(php.to_int(name.removeprefix("chat")))
        if chat is None:
            raise ApiError("CHAT_ID", call.portal.say("chat.not_created"))
        return chat
    number = php.to_int(name)
    if number <= 0:
        raise ApiError("USER_ID_EMPTY", "User ID can't be empty")
    if call.portal.people.get(number) is None:
        raise ApiError("USER_NOT_FOUND", "User not found")
    return call.portal.chats.private(call.user.id, number)


def readable(call: Call) -> Chat:
    """Return the chat of DIALOG_ID if the caller may read it.

    :raises ApiError: there is none, or the caller may not read it.
    """
    dialog_id = php.upper_keys(call.params).get("DIALOG_ID")
    if not dialog_id:
        raise ApiError("DIALOG_ID_EMPTY", "Dialog ID can't be empty")
    chat = dialog(call, dialog_id)
    if not chat.can_read(call.user.id):
        raise ApiError("ACCESS_ERROR", "You do not have access to the specified dialog", 403)
    return chat


def chat(portal: Portal, chat: Chat, viewer: User) -> dict[str, Any]:
    """Return a chat."""
    return {
        "id": chat.id,
        "name": title(portal, chat, viewer),
        "description": chat.description,
        "owner": chat.owner_id,
        "extranet": False,
        "avatar": "",
        "color": chat.color or "#4ba984",
        "type": chat.kind,
        "entity_type": chat.entity_type,
        "entity_id": chat.entity_id,
        "entity_data_1": chat.entity_data_1,
        "entity_data_2": "",
        "entity_data_3": "",
        "mute_list": [],
        "date_create": php.iso(chat.created),
        "message_type": MESSAGE_TYPES[chat.kind],
        "user_counter": len(chat.members),
        "last_message_id": chat.messages[-1].id if chat.messages else 0,
        "dialog_id": _dialog_id(chat, viewer),
    }


def title(portal: Portal, chat: Chat, viewer: User) -> str:
    """Return a chat's title; a private dialog has the other user's name."""
    if chat.kind != "private":
        return chat.title
    other = portal.people.get(_other(chat, viewer))
    return other.full_name if other else ""


def message(message: Message, *, is_unread: bool = False) -> dict[str, Any]:
    """Return a message."""
    return {
        "id": message.id,
        "chat_id": message.chat_id,
        "author_id": message.author_id,
        "date": php.iso(message.date),
        "text": message.text,
        "unread": is_unread,
        "uuid": message.uuid,
        "replaces": [],
        "params": message.params or [],
    }


def user(user: User) -> dict[str, Any]:
    """Return a user."""
    return {
        "id": user.id,
        "active": user.active,
        "name": user.full_name,
        "first_name": user.name,
        "last_name": user.last_name,
        "work_position": user.position,
        "avatar": user.avatar,
        "bot": user.bot,
        "connector": user.external,
    }


def recent(portal: Portal, found: Chat, viewer: User) -> dict[str, Any]:
    """Return a chat as an entry of the list of recent dialogs."""
    last = found.messages[-1] if found.messages else None
    private = found.kind == "private"
    return {
        "id": _other(found, viewer) if private else found.dialog_id,
        "chat_id": found.id,
        "type": "user" if private else "chat",
        "title": title(portal, found, viewer),
        "message": {
            "id": last.id if last else 0,
            "text": last.text if last else "",
            "author_id": last.author_id if last else 0,
            "date": php.iso(last.date if last else found.created),
            "uuid": last.uuid if last else None,
        },
        "counter": len(found.unread_by(viewer.id)),
        "pinned": False,
        "date_last_activity": php.iso(last.date if last else found.created),
        # This method shows a private dialog as a user: its chat object has no id and no name.
        "chat": {"text_field_enabled": True, "mute_list": []} if private else chat(portal, found, viewer),
        "options": [],
    }


def _other(chat: Chat, viewer: User) -> int:
    return next((number for number in chat.members if number != viewer.id), viewer.id)


def _dialog_id(chat: Chat, viewer: User) -> str:
    return str(_other(chat, viewer)) if chat.kind == "private" else chat.dialog_id

"""Open lines and their conversations in the shapes that imopenlines.* methods return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator import php

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.chats import Message
    from airflow_provider_b24.emulator.state.open_lines.conversations import Conversation
    from airflow_provider_b24.emulator.state.open_lines.lines import Line
    from airflow_provider_b24.emulator.state.people import User
    from airflow_provider_b24.emulator.state.portal import Portal

Row = dict[str, Any]


def config(portal: Portal, line: Line, *, queue: bool) -> Row:
    """Return a line's settings; the portal writes all of them as strings."""
    row: Row = {"ID": str(line.id), "ACTIVE": "Y" if line.active else "N", "LINE_NAME": line.name}
    if queue:
        row["QUEUE"] = [str(user_id) for user_id in portal.lines.operators()]
    return row


def dialog(portal: Portal, conversation: Conversation) -> Row:
    """Return the chat of a conversation as imopenlines.dialog.get does."""
    chat = conversation.chat
    return {
        "id": chat.id,
        "name": chat.title,
        "description": chat.description,
        "owner": chat.owner_id,
        "color": chat.color,
        "avatar": "",
        "type": "lines",
        "message_type": "L",
        "entity_type": "LINES",
        "entity_id": conversation.place.code,
        "entity_data_1": chat.entity_data_1,
        "entity_data_2": "",
        "entity_data_3": "",
        "user_counter": len(chat.members),
        "message_count": len(chat.messages),
        "last_message_id": chat.messages[-1].id if chat.messages else 0,
        "date_create": php.iso(chat.created),
        "manager_list": [user.id for user in portal.people.employees() if user.admin],
        "dialog_id": chat.dialog_id,
    }


def history(portal: Portal, conversation: Conversation) -> Row:
    """Return a conversation's messages as imopenlines.session.history.get does, newest first."""
    chat = conversation.chat
    newest = list(reversed(conversation.messages))
    authors = {message.author_id for message in newest}
    people = [user for user in portal.people if user.id in authors]
    number = str(chat.id)
    return {
        "chatId": chat.id,
        "canJoin": "Y",
        "canVoteHead": "Y",
        "sessionId": conversation.session_id,
        "sessionVoteHead": 0,
        "sessionCommentHead": None,
        "userId": chat.dialog_id,
        "message": {str(item.id): _message(item, chat.dialog_id) for item in newest} or [],
        "usersMessage": {chat.dialog_id: [str(item.id) for item in newest]},
        "users": {str(user.id): _user(user) for user in people} or [],
        "openlines": {"canvoteashead": {str(conversation.place.line_id): True}},
        "userInGroup": [],
        "woUserInGroup": [],
        "chat": {number: _chat(conversation)},
        "userBlockChat": {number: {str(user.id): False for user in people} or []},
        "userInChat": {number: list(chat.members)},
        "files": [],
    }


def _message(message: Message, dialog_id: str) -> Row:
    outside = message.params.get("CONNECTOR_MID")
    return {
        "id": str(message.id),
        "chatid": str(message.chat_id),
        "senderid": str(message.author_id),
        "recipientid": dialog_id,
        "date": php.iso(message.date),
        "text": message.text,
        "textlegacy": message.text,
        "params": {"connectorMid": outside} if outside else [],
    }


def _user(user: User) -> Row:
    return {
        "id": str(user.id),
        "name": user.full_name,
        "active": user.active,
        "firstName": user.name,
        "lastName": user.last_name,
        "workPosition": user.position or None,
        "avatar": user.avatar,
        "extranet": user.external,
        "connector": user.external,
        "externalAuthId": "imconnector" if user.external else "default",
        "profile": f"/company/personal/user/{user.id}/",
    }


def _chat(conversation: Conversation) -> Row:
    chat = conversation.chat
    return {
        "id": str(chat.id),
        "name": chat.title,
        "owner": str(chat.owner_id),
        "entityType": "LINES",
        "entityId": conversation.place.code,
        "entityData1": chat.entity_data_1,
        "dateCreate": php.iso(chat.created),
        "type": "lines",
        "messageType": "L",
    }

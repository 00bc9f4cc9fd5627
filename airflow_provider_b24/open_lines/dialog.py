"""A conversation of an open line: its chat, who it is with, and what was said."""

from __future__ import annotations

from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.ids import parse_chat_id, parse_id
from airflow_provider_b24.rest import php

#: The parts of a chat's ``entity_data_1`` that are read: bound to CRM, type, id, and the session.
_BOUND, _TYPE, _ITEM, _SESSION = 0, 1, 2, 5


def dialog_params(*, chat_id: Any, session_id: Any, user_code: Any = None) -> dict[str, Any]:
    """Return the parameter that names a conversation.

    :param chat_id: its chat's number, or ``chatN``.
    :param session_id: its session.
    :param user_code: ``connector|line|external chat|user``, as a chat's ``entity_id`` has it.
    :raises Bitrix24ValidationError: unless exactly one is given.
    """
    given = {"chat_id": chat_id, "session_id": session_id, "user_code": user_code}
    named = [key for key, value in given.items() if value is not None]
    if len(named) != 1:
        raise Bitrix24ValidationError("chat_id", "give exactly one of chat_id and session_id")
    if chat_id is not None:
        return {"CHAT_ID": parse_chat_id(chat_id)}
    if session_id is not None:
        return {"SESSION_ID": parse_id(session_id, "session_id")}
    if not isinstance(user_code, str) or user_code.removeprefix("imol|").count("|") != 3:
        raise Bitrix24ValidationError("user_code", f"must be connector|line|chat|user, not {user_code!r}")
    return {"USER_CODE": user_code}


def read_dialog(result: Any) -> dict[str, Any]:
    """Return a conversation as JSON values.

    :param result: what ``imopenlines.dialog.get`` answered.
    :raises ValueError: when it is no conversation.
    """
    row = php.as_row(result)
    return {
        "chat_id": php.as_id(row.get("id")),
        "name": php.as_text(row.get("name")),
        **_place(php.as_text(row.get("entity_id"))),
        **_session(php.as_text(row.get("entity_data_1"))),
    }


def read_history(result: Any) -> dict[str, Any]:
    """Return what was said in a session as JSON values, the oldest message first.

    :param result: what ``imopenlines.session.history.get`` answered.
    :raises ValueError: when it is no history.
    """
    row = php.as_row(result)
    messages = [_message(item) for item in php.as_rows(row.get("message"))]
    return {
        "session_id": php.as_id(row.get("sessionId")),
        "chat_id": php.as_id(row.get("chatId")),
        "messages": sorted(messages, key=lambda message: message["id"]),
        "users": [_user(item) for item in php.as_rows(row.get("users"))],
        "files": [_file(item) for item in php.as_rows(row.get("files"))],
    }


def _place(code: str) -> dict[str, Any]:
    parts = code.split("|")
    if len(parts) != 4:
        raise ValueError("entity_id does not name a connector, a line, a chat and a user")
    connector, line, external_chat, user = parts
    return {
        "connector": connector,
        "line": php.as_id(line),
        "external_chat_id": external_chat,
        "user_id": php.as_count(user) or None,
    }


def _session(data: str) -> dict[str, Any]:
    parts = data.split("|")
    if len(parts) <= _SESSION:
        raise ValueError("entity_data_1 does not name a session")
    is_bound = parts[_BOUND] == "Y" and parts[_ITEM] not in ("", "0")
    crm = {"type": parts[_TYPE].lower(), "id": php.as_id(parts[_ITEM])} if is_bound else None
    return {"session_id": php.as_count(parts[_SESSION]) or None, "crm": crm}


def _message(row: dict[str, Any]) -> dict[str, Any]:
    params = php.as_dict(row.get("params"))
    return {
        "id": php.as_id(row.get("id")),
        "author_id": php.as_count(row.get("senderid")),
        "date": php.as_text(row.get("date")),
        "text": php.as_text(row.get("text")),
        "external_ids": [php.as_text(item) for item in php.as_list(params.get("connectorMid"))],
        "file_ids": [php.as_id(item) for item in php.as_list(params.get("fileId"))],
    }


def _user(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": php.as_id(row.get("id")),
        "name": php.as_text(row.get("name")),
        "is_external": php.as_bool(row.get("connector")),
    }


def _file(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": php.as_id(row.get("id")),
        "name": php.as_text(row.get("name")),
        "size": php.as_count(row.get("size") or 0),
        "url": php.as_text(row.get("urldownload")),
    }

"""The open-line chats that are tied to CRM items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24CrmChatError, Bitrix24ValidationError
from airflow_provider_b24.ids import parse_chat_id, parse_id
from airflow_provider_b24.rest import php

if TYPE_CHECKING:
    from airflow_provider_b24.rest.client import Bitrix24Client

#: What a CRM item may be.
ENTITY_TYPES = ("lead", "deal", "company", "contact")
_CHATS = "imopenlines.crm.chat.get"
_LAST = "imopenlines.crm.chat.getLastId"
_ADD = "imopenlines.crm.message.add"


def entity_params(entity_type: Any, entity_id: Any) -> dict[str, Any]:
    """Return the parameters that name a CRM item."""
    kind = str(entity_type).strip().lower()
    if kind not in ENTITY_TYPES:
        raise Bitrix24ValidationError(
            "entity_type", f"must be one of {', '.join(ENTITY_TYPES)}, not {entity_type!r}"
        )
    return {"CRM_ENTITY_TYPE": kind, "CRM_ENTITY": parse_id(entity_id, "entity_id")}


def find_chat(client: Bitrix24Client, entity: dict[str, Any]) -> int:
    """Return the item's newest open-line chat: an active one, or else the last.

    :raises Bitrix24CrmChatError: when no conversation is tied to the item.
    """
    for active_only in (True, False):
        chats = read_chats(client, entity, active_only=active_only)
        if chats:
            return max(int(chat["chat_id"]) for chat in chats)
    text = f"no open-line chat is tied to {entity['CRM_ENTITY_TYPE']} {entity['CRM_ENTITY']}"
    raise client.refusal(Bitrix24CrmChatError, _CHATS, text)


def read_chats(client: Bitrix24Client, entity: dict[str, Any], *, active_only: bool) -> list[dict[str, Any]]:
    """Return the item's open-line chats: ``{"chat_id", "connector", "connector_name"}`` each."""
    rows = client.call(_CHATS, {**entity, "ACTIVE_ONLY": "Y" if active_only else "N"})
    with php.promised("a list of chats", method=_CHATS, conn_id=client.conn_id):
        return [_chat(row) for row in php.as_rows(rows)]


def read_last_chat_id(client: Bitrix24Client, entity: dict[str, Any]) -> int:
    """Return the chat that was tied to the item last."""
    result = client.call(_LAST, entity)
    with php.promised("a chat's id", method=_LAST, conn_id=client.conn_id):
        return php.as_id(result)


def send_to_chat(
    client: Bitrix24Client, entity: dict[str, Any], *, user_id: Any, chat_id: Any, message: Any
) -> dict[str, int]:
    """Post a message to a CRM item's chat and return ``{"message_id", "chat_id"}``."""
    if not isinstance(message, str) or not message.strip() or message.strip() == "0":
        # The portal takes "0" for no message at all.
        raise Bitrix24ValidationError("message", "must be text, and neither blank nor '0'")
    user = parse_id(user_id, "user_id")
    chat = find_chat(client, entity) if chat_id is None else parse_chat_id(chat_id)
    params = {**entity, "USER_ID": user, "CHAT_ID": chat, "MESSAGE": message}
    return {"message_id": client.call_for_id(_ADD, params), "chat_id": chat}


def _chat(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "chat_id": php.as_id(row.get("CHAT_ID")),
        "connector": php.as_text(row.get("CONNECTOR_ID")),
        "connector_name": php.as_text(row.get("CONNECTOR_TITLE")),
    }

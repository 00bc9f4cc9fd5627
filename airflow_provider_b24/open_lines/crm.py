"""The open-line chats that are tied to CRM items."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.chats.exactly_once import is_ours, post_and_verify
from airflow_provider_b24.chats.messages import read_history, read_until
from airflow_provider_b24.exceptions import Bitrix24CrmChatError, Bitrix24Error, Bitrix24ValidationError
from airflow_provider_b24.ids import parse_chat_id, parse_id
from airflow_provider_b24.rest import php

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.client import Bitrix24Client

log = logging.getLogger(__name__)

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


@dataclass
class CrmMemory:
    """What a task remembers of its message, over its tries.

    :param chat_id: the chat, once it is found.
    :param since: its newest message before the first try.
    :param not_before: when the first try began, in Unix seconds, where ``since`` is not remembered.
    :param may_have_posted: whether an earlier try may have posted it.
    :param save: called when both are known, before the message is posted.
    :param sleep: waits for seconds.
    """

    chat_id: int | None = None
    since: int | None = None
    not_before: float | None = None
    may_have_posted: bool = False
    save: Callable[[CrmMemory], None] = lambda memory: None  # noqa: ARG005
    sleep: Callable[[float], None] = time.sleep


def send_to_chat(
    client: Bitrix24Client,
    entity: dict[str, Any],
    *,
    user_id: Any,
    chat_id: Any,
    message: Any,
    memory: CrmMemory,
) -> dict[str, int]:
    """Post a message to a CRM item's chat and return ``{"message_id", "chat_id"}``."""
    if not isinstance(message, str) or not message.strip() or message.strip() == "0":
        # The portal takes "0" for no message at all.
        raise Bitrix24ValidationError("message", "must be text, and neither blank nor '0'")
    user = parse_id(user_id, "user_id")
    chat = memory.chat_id or (find_chat(client, entity) if chat_id is None else parse_chat_id(chat_id))
    if memory.chat_id is None:
        # An earlier try without a memory may have posted already.
        memory.since = None if memory.may_have_posted else newest_message(client, chat)
        memory.chat_id = chat
        memory.save(memory)
    params = {**entity, "USER_ID": user, "CHAT_ID": chat, "MESSAGE": message}
    message_id = post_and_verify(
        lambda: client.call_for_id(_ADD, params),
        lambda: _find_message(client, memory, text=message, author_id=user),
        may_have_posted=memory.may_have_posted,
        clock=time.time,
        sleep=memory.sleep,
    )
    return {"message_id": message_id, "chat_id": chat}


def newest_message(client: Bitrix24Client, chat_id: int) -> int | None:
    """Return the newest message of a chat, 0 when there is none; None when the chat can't be read.

    :param client: the connection's client.
    :param chat_id: the chat's number.
    """
    try:
        found = read_history(client, f"chat{chat_id}", since=None).messages
    except Bitrix24Error as error:
        log.debug("No messages of chat %d: %s", chat_id, error)
        return None
    return max((message.id for message in found), default=0)


def _find_message(client: Bitrix24Client, memory: CrmMemory, *, text: str, author_id: int) -> int | None:
    """Return the message that was posted since the first try began."""
    dialog = f"chat{memory.chat_id}"
    if memory.since is not None:
        found = read_history(client, dialog, since=memory.since).messages
    elif memory.not_before is not None:
        found = read_until(client, dialog, not_before=memory.not_before)
    else:
        raise client.outcome_unknown(_ADD, f"the messages of chat {memory.chat_id} can't be read")
    return next((item.id for item in found if is_ours(item, text=text, author_id=author_id)), None)


def _chat(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "chat_id": php.as_id(row.get("CHAT_ID")),
        "connector": php.as_text(row.get("CONNECTOR_ID")),
        "connector_name": php.as_text(row.get("CONNECTOR_TITLE")),
    }

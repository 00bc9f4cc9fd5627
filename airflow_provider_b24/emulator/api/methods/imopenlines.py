"""The imopenlines.* methods: open lines as employees and their CRM items see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.api import line_format
from airflow_provider_b24.emulator.api.arguments import missing, positive, require_filled
from airflow_provider_b24.emulator.api.registry import method
from airflow_provider_b24.emulator.php import is_numeric, pairs, to_int, truthy, upper_keys
from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.call import Call
    from airflow_provider_b24.emulator.state.conversations import Conversation

SCOPE = "imopenlines"

YOU_MAY_NOT = "Access denied! You dont have access to this action"
USER_MAY_NOT = "Access denied! User dont have access to this entity"


@method("imopenlines.crm.message.add", scope=SCOPE)
def add_crm_message(call: Call) -> object:
    """Post into the open-line chat of a CRM item, as an employee who is in that chat."""
    require_filled(call.params, "CRM_ENTITY_TYPE")
    kind, item = str(call.params["CRM_ENTITY_TYPE"]), positive(call.params, "CRM_ENTITY")
    user_id, chat_id = positive(call.params, "USER_ID"), positive(call.params, "CHAT_ID")
    require_filled(call.params, "MESSAGE")
    _check_crm_access(call, kind, item, call.user.id, YOU_MAY_NOT)
    _check_crm_access(call, kind, item, user_id, USER_MAY_NOT)
    if chat_id not in call.portal.lines.bindings.chats(kind, item):
        text = "Chat does not belong to the CRM entity being checked"
        raise ApiError("CHAT_NOT_IN_CRM", text)
    return _post(call, chat_id, user_id, str(call.params["MESSAGE"]))


def _post(call: Call, chat_id: int, user_id: int, text: str) -> int:
    chat = call.portal.chats.get(chat_id)
    if chat is None or not text.strip():
        raise ApiError("MESSAGE_ADD_ERROR", "Message isn't added")
    if not chat.can_write(user_id):
        raise ApiError("CANCELED", call.portal.say("chat.no_write"))
    return call.portal.chats.post(chat, author_id=user_id, text=text).id


def _check_crm_access(call: Call, kind: str, item: int, user_id: int, text: str) -> None:
    known = call.portal.people.get(user_id) is not None
    if not (known and call.portal.lines.bindings.allows(kind, item, user_id)):
        raise ApiError("ACCESS_DENIED", text, status=403)


@method("imopenlines.crm.chat.get", scope=SCOPE)
def crm_chats(call: Call) -> object:
    """Return the open-line chats of a CRM item; finished ones only with ACTIVE_ONLY "N"."""
    require_filled(call.params, "CRM_ENTITY_TYPE")
    kind, item = str(call.params["CRM_ENTITY_TYPE"]), positive(call.params, "CRM_ENTITY")
    _check_crm_access(call, kind, item, call.user.id, YOU_MAY_NOT)
    bound = call.portal.lines.bindings.chats(kind, item)
    found = (call.portal.lines.conversations.by_chat(chat_id) for chat_id in bound)
    everything = call.params.get("ACTIVE_ONLY") == "N"
    return [_crm_chat(call, each) for each in found if each and (everything or each.is_open)]


def _crm_chat(call: Call, conversation: Conversation) -> dict[str, str]:
    connector = call.portal.lines.connectors.get(conversation.place.connector_id)
    return {
        "CHAT_ID": str(conversation.chat.id),
        "CONNECTOR_ID": conversation.place.connector_id,
        "CONNECTOR_TITLE": connector.name if connector else "Live chat",
    }


@method("imopenlines.crm.chat.getLastId", scope=SCOPE)
def last_crm_chat(call: Call) -> object:
    """Return the id of the chat that was bound to a CRM item last."""
    kind = call.params.get("CRM_ENTITY_TYPE")
    if not truthy(kind) or not truthy(call.params.get("CRM_ENTITY")):
        raise ApiError("CRM_CHAT_EMPTY_CRM_DATA", "Empty CRM data")
    bound = call.portal.lines.bindings.chats(str(kind), positive(call.params, "CRM_ENTITY"))
    if not bound:
        raise ApiError("CRM_CHAT_EMPTY_CRM_DATA", "Could not find CRM entity")
    return bound[-1]


@method("imopenlines.dialog.get", scope=SCOPE)
def dialog(call: Call) -> object:
    """Return the chat of a conversation, named in any of four ways."""
    conversation = _named(call, upper_keys(call.params))
    if conversation is None or not (call.user.admin or conversation.chat.can_read(call.user.id)):
        raise ApiError("ACCESS_ERROR", "You do not have access to the specified dialog")
    return line_format.dialog(call.portal, conversation)


def _named(call: Call, params: dict[str, Any]) -> Conversation | None:
    conversations = call.portal.lines.conversations
    if params.get("CHAT_ID") is not None:
        return conversations.by_chat(to_int(params["CHAT_ID"]))
    if params.get("DIALOG_ID") is not None:
        prefix, _, number = str(params["DIALOG_ID"]).rpartition("chat")
        return conversations.by_chat(to_int(number)) if not prefix and number.isdigit() else None
    if params.get("SESSION_ID") is not None:
        return conversations.by_session(to_int(params["SESSION_ID"]))
    return conversations.by_code(str(params.get("USER_CODE", "")).removeprefix("imol|"))


@method("imopenlines.session.history.get", scope=SCOPE)
def history(call: Call) -> object:
    """Return the messages of a conversation; by CHAT_ID alone only to those who are in it."""
    params = upper_keys(call.params)
    chat_id, session_id = params.get("CHAT_ID"), params.get("SESSION_ID")
    if not truthy(chat_id) and not truthy(session_id):
        raise ApiError("MISSING_REQUIRED_PARAM", "Either CHAT_ID or SESSION_ID is required")
    if truthy(session_id):
        conversation = call.portal.lines.conversations.by_session(to_int(session_id))
        if conversation is None:
            raise ApiError("INVALID_SESSION_ID", "The session does not exist")
        return line_format.history(call.portal, conversation)
    return _history_by_chat(call, to_int(chat_id))


def _history_by_chat(call: Call, chat_id: int) -> object:
    chat, conversation = call.portal.chats.get(chat_id), call.portal.lines.conversations.by_chat(chat_id)
    if chat is None:
        raise ApiError("CHAT_ID", "Wrong chat id")
    if conversation is None:
        raise ApiError("CHAT_TYPE", "The chat is not an open line")
    if not chat.can_read(call.user.id):
        raise ApiError("ACCESS_DENIED", "You cannot open this conversation")
    return line_format.history(call.portal, conversation)


@method("imopenlines.config.list.get", scope=SCOPE)
def configs(call: Call) -> object:
    """Return the open lines, filtered, ordered and cut down as asked."""
    params, options = _inner(call, "PARAMS"), _inner(call, "OPTIONS")
    queue = options.get("QUEUE") == "Y"
    rows = [line_format.config(call.portal, line, queue=queue) for line in call.portal.lines]
    for name, wanted in pairs(params.get("FILTER")):
        rows = [row for row in rows if _matches(row.get(name.lstrip("=")), wanted)]
    for name, way in reversed(pairs(params.get("ORDER"))):
        keys = [_sortable(row.get(name)) for row in rows]
        order = sorted(range(len(rows)), key=keys.__getitem__, reverse=str(way).upper() == "DESC")
        rows = [rows[position] for position in order]
    names = [str(name) for _, name in pairs(params.get("SELECT"))]
    if not names or "*" in names:
        return rows
    return [{name: value for name, value in row.items() if name in (*names, "QUEUE")} for row in rows]


def _inner(call: Call, name: str) -> dict[str, Any]:
    value = upper_keys(call.params).get(name)
    return upper_keys(value) if isinstance(value, dict) else {}


def _matches(value: object, wanted: object) -> bool:
    allowed = [item for _, item in pairs(wanted)] if isinstance(wanted, dict | list) else [wanted]
    return str(value) in [str(item) for item in allowed]


def _sortable(value: object) -> tuple[int, str]:
    return (to_int(value), "") if is_numeric(value) else (0, str(value))


@method("imopenlines.config.get", scope=SCOPE)
def config(call: Call) -> object:
    """Return one open line, with its operators unless WITH_QUEUE is "N"; false if there is none."""
    params = upper_keys(call.params)
    if not truthy(params.get("CONFIG_ID")):
        raise missing("CONFIG_ID")
    line = call.portal.lines.get(to_int(params["CONFIG_ID"]))
    if line is None:
        return False
    return line_format.config(call.portal, line, queue=params.get("WITH_QUEUE", "Y") != "N")

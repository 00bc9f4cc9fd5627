"""The imopenlines.* methods: open lines as employees and their CRM items see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.api import line_format
from airflow_provider_b24.emulator.api.arguments import positive, require_filled
from airflow_provider_b24.emulator.api.registry import method
from airflow_provider_b24.emulator.php import to_int, truthy, upper_keys
from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.call import Call
    from airflow_provider_b24.emulator.state.open_lines.conversations import Conversation

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
    """Return the messages of a session, which a chat's id names too; names in upper case only."""
    chat_id, session_id = call.params.get("CHAT_ID"), call.params.get("SESSION_ID")
    if not truthy(chat_id) and not truthy(session_id):
        raise ApiError("MISSING_REQUIRED_PARAM", "Session ID or Chat ID must be provided")
    conversations = call.portal.lines.conversations
    if truthy(session_id):
        found = conversations.by_session(to_int(session_id))
    else:
        found = conversations.by_chat(to_int(chat_id))
        if found is None:
            text = "Unable to determine session ID from provided parameters"
            raise ApiError("INVALID_SESSION_ID", text)
    if found is None or not (call.user.admin or found.chat.can_read(call.user.id)):
        text = "You cannot open this conversation as you do not have sufficient rights"
        raise ApiError("ACCESS_DENIED", text)
    return line_format.history(call.portal, found)

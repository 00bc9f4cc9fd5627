"""im.message.*, im.dialog.messages.get and im.dialog.read: what is said in chats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.api import im_format
from airflow_provider_b24.emulator.api.call import Call, InFlight
from airflow_provider_b24.emulator.api.registry import method
from airflow_provider_b24.emulator.php.api_error import ApiError
from airflow_provider_b24.emulator.state.uuids import DuplicateInFlightError

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.chats import Chat, Message

MESSAGES_A_PAGE = 50
USUAL_MESSAGES = 20


@method("im.message.add", scope="im")
def add(call: Call) -> object:
    """Post a message and return its id."""
    params = php.upper_keys(call.params)
    text, attachment = php.trim(str(params.get("MESSAGE") or "")), params.get("ATTACH")
    if not text and not attachment:
        raise ApiError("MESSAGE_EMPTY", "Message can't be empty")
    chat = im_format.dialog(call, params.get("DIALOG_ID"))
    if not chat.can_write(call.user.id):
        raise ApiError("ACCESS_ERROR", call.portal.say("chat.no_write"))
    template_id, reply_to = _template_id(call, params), php.to_int(params.get("REPLY_ID"))
    if reply_to > 0 and not call.portal.chats.holds(chat, reply_to):
        raise _not_added()
    try:
        earlier = call.portal.uuids.claim(template_id, chat_id=chat.id)
    except DuplicateInFlightError:
        raise _not_added() from None
    return InFlight(lambda: _post(call, chat, text, params)) if earlier is None else earlier


def _post(call: Call, chat: Chat, text: str, params: dict[str, Any]) -> int:
    template_id, reply_to = _template_id(call, params), php.to_int(params.get("REPLY_ID"))
    message = call.portal.chats.post(
        chat,
        author_id=0 if params.get("SYSTEM") == "Y" else call.user.id,
        text=text,
        uuid=template_id if call.portal.uuids.accepts(template_id) else None,
        params={name: params[name] for name in ("ATTACH", "KEYBOARD", "MENU") if params.get(name)},
        reply_to=reply_to if reply_to > 0 else None,
    )
    call.portal.uuids.record(template_id, message.id, chat_id=chat.id)
    return message.id


def _template_id(call: Call, params: dict[str, Any]) -> object:
    return params.get("TEMPLATE_ID") if call.portal.quirks.message_template_ids else None


def _not_added() -> ApiError:
    return ApiError("PARAMS_ERROR", "Message isn't added")


@method("im.message.delete", scope="im")
def delete(call: Call) -> object:
    """Delete a message of the caller's own, and with it the poll that it carries."""
    params = php.upper_keys(call.params)
    number = php.to_int(params.get("MESSAGE_ID") or params.get("ID"))
    if number <= 0:
        raise ApiError("MESSAGE_ID_ERROR", "Message ID can't be empty")
    message = call.portal.chats.message(number)
    if message is None or message.author_id != call.user.id:
        raise ApiError("CANT_EDIT_MESSAGE", "Time has expired for modification or you don't have access")
    call.portal.chats.delete(message)
    return True


@method("im.dialog.messages.get", scope="im")
def history(call: Call) -> object:
    """Return messages of a chat: the newest first, but those after FIRST_ID the oldest first."""
    params = php.upper_keys(call.params)
    chat = im_format.readable(call)
    shown = _page(call, chat, params)
    authors = dict.fromkeys(message.author_id for message in shown if message.author_id)
    people = call.portal.people
    unread = {message.id for message in chat.unread_by(call.user.id)}
    return {
        "chat_id": chat.id,
        "messages": [im_format.message(message, is_unread=message.id in unread) for message in shown],
        "users": [im_format.user(found) for number in authors if (found := people.get(number))],
        "files": [],
    }


def _page(call: Call, chat: Chat, params: dict[str, Any]) -> list[Message]:
    messages = chat.visible_to(call.user.id)
    size = min(php.to_int(params.get("LIMIT")) or USUAL_MESSAGES, MESSAGES_A_PAGE)
    if params.get("FIRST_ID") is not None:
        first = php.to_int(params["FIRST_ID"])
        return [message for message in messages if message.id > first][:size]
    if params.get("LAST_ID") is not None:
        last = php.to_int(params["LAST_ID"])
        shown = [message for message in messages if not last or message.id < last][-size:][::-1]
    else:
        unread = [] if call.portal.quirks.newest_page else chat.unread_by(call.user.id)
        shown = _usual_page(messages, unread, size)
    return shown[::-1] if call.portal.quirks.oldest_first else shown


def _usual_page(messages: list[Message], unread: list[Message], size: int) -> list[Message]:
    """Return what the server shows without an id: not the newest page when more than a page is unread."""
    if len(unread) <= size:
        return messages[-(size + len(unread)) :][::-1]
    older = [message for message in messages if message.id < unread[0].id]
    return unread[:size][::-1] + older[-size:][::-1]


@method("im.dialog.read", scope="im")
def read(call: Call) -> object:
    """Mark messages as read, up to MESSAGE_ID or all."""
    params = php.upper_keys(call.params)
    chat = im_format.readable(call)
    newest = chat.messages[-1].id if chat.messages else 0
    last = php.to_int(params.get("MESSAGE_ID")) or newest
    chat.read_up_to[call.user.id] = max(last, chat.read_up_to.get(call.user.id, 0))
    return {
        "dialogId": params["DIALOG_ID"],
        "chatId": chat.id,
        "counter": len(chat.unread_by(call.user.id)),
        "lastId": last,
    }

"""im.chat.*, im.dialog.get, im.search.chat.list, im.recent.list: chats and who is in them."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.api import im_format
from airflow_provider_b24.emulator.api.call import Call, Page
from airflow_provider_b24.emulator.api.registry import method
from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.chats import Chat

CHATS_A_PAGE = 50
RECENT_A_PAGE = 200
SHORTEST_SEARCH = 2


@method("im.chat.add", scope="im")
def add(call: Call) -> object:
    """Open a chat of which the caller is owner and member."""
    params = php.upper_keys(call.params)
    wanted = [php.to_int(value) for _, value in php.pairs(params.get("USERS"))]
    members = [number for number in wanted if call.portal.people.get(number)]
    kind = "open" if params.get("TYPE") == "OPEN" else "chat"
    chat = call.portal.chats.add(
        str(params.get("TITLE") or "Chat"),
        members=[call.user.id, *members],
        owner_id=call.user.id,
        kind=kind,
        entity_type=str(params.get("ENTITY_TYPE") or ""),
        entity_id=str(params.get("ENTITY_ID") or ""),
        description=str(params.get("DESCRIPTION") or ""),
        color=str(params.get("COLOR") or ""),
    )
    if params.get("MESSAGE"):
        call.portal.chats.post(chat, author_id=call.user.id, text=str(params["MESSAGE"]))
    return chat.id


@method("im.chat.leave", scope="im")
def leave(call: Call) -> object:
    """Take the caller out of a chat."""
    params = php.upper_keys(call.params)
    number = php.to_int(params.get("CHAT_ID") or str(params.get("DIALOG_ID") or "").removeprefix("chat"))
    if number <= 0:
        raise ApiError("CHAT_ID_EMPTY", "Chat ID can't be empty")
    chat = call.portal.chats.get(number)
    if chat is None or call.user.id not in chat.members:
        raise ApiError("WRONG_REQUEST", "You don't have access or user isn't member in chat")
    chat.members.remove(call.user.id)
    return True


@method("im.chat.user.list", scope="im")
def user_list(call: Call) -> object:
    """Return the ids of a chat's members; none for a chat that the caller does not see."""
    chat_id = php.to_int(php.upper_keys(call.params).get("CHAT_ID"))
    if chat_id <= 0:
        raise ApiError("CHAT_ID_EMPTY", "Chat ID can't be empty")
    chat = call.portal.chats.get(chat_id)
    return list(chat.members) if chat is not None and chat.can_read(call.user.id) else []


@method("im.chat.get", scope="im")
def get(call: Call) -> object:
    """Find a chat by the entity that it belongs to."""
    params = php.upper_keys(call.params)
    entity = str(params.get("ENTITY_TYPE") or ""), str(params.get("ENTITY_ID") or "")
    for chat in call.portal.chats:
        if entity[0] and (chat.entity_type, chat.entity_id) == entity and chat.can_read(call.user.id):
            return {"ID": chat.id}
    return None


@method("im.dialog.get", scope="im")
def dialog_get(call: Call) -> object:
    """Return one chat."""
    return im_format.chat(call.portal, im_format.readable(call), call.user)


@method("im.search.chat.list", scope="im")
def search(call: Call) -> object:
    """Find chats by title, but also by the names of the people in them."""
    params = php.upper_keys(call.params)
    text = str(params.get("FIND") or params.get("FIND_LINES") or "").strip().casefold()
    if len(text) < SHORTEST_SEARCH:
        raise ApiError("FIND_SHORT", "Too short a search phrase.")
    lines_only = not params.get("FIND")
    found = [
        chat
        for chat in call.portal.chats
        if chat.can_read(call.user.id)
        and chat.kind != "private"
        and (chat.kind == "lines") is lines_only
        and _fits(call, chat, text)
    ]
    size = _size(params.get("LIMIT"), CHATS_A_PAGE, CHATS_A_PAGE)
    start = max(php.to_int(params.get("OFFSET") or call.start), 0)
    shown = [im_format.chat(call.portal, chat, call.user) for chat in found[start : start + size]]
    return Page(shown, total=len(found), next=start + size if start + size < len(found) else None)


@method("im.recent.list", scope="im")
def recent(call: Call) -> object:
    """Return the caller's dialogs, the latest first."""
    params = php.upper_keys(call.params)
    skipped = {
        kind
        for name, kind in (("SKIP_OPENLINES", "lines"), ("SKIP_DIALOG", "private"), ("SKIP_CHAT", "chat"))
        if params.get(name) == "Y"
    }
    if "chat" in skipped:
        skipped.add("open")
    until = _moment(params.get("LAST_MESSAGE_DATE"))
    mine = [
        chat
        for chat in call.portal.chats
        if call.user.id in chat.members and chat.kind not in skipped and _last_activity(chat)[0] <= until
    ]
    mine.sort(key=_last_activity, reverse=True)
    size = _size(params.get("LIMIT"), RECENT_A_PAGE, RECENT_A_PAGE)
    start = max(php.to_int(params.get("OFFSET")), 0)
    items = [im_format.recent(call.portal, chat, call.user) for chat in mine[start : start + size]]
    more = start + size < len(mine)
    return Page({"items": items, "hasMorePages": more, "hasMore": more}, total=-1)


def _moment(value: Any) -> float:
    """Return a date as Unix time; what is no date is no limit."""
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return math.inf


def _last_activity(chat: Chat) -> tuple[float, int]:
    if not chat.messages:
        return chat.created, 0
    return chat.messages[-1].date, chat.messages[-1].id


def _fits(call: Call, chat: Chat, text: str) -> bool:
    members = (call.portal.people.get(number) for number in chat.members)
    names = [chat.title, *(user.full_name for user in members if user)]
    return any(text in name.casefold() for name in names)


def _size(value: Any, default: int, most: int) -> int:
    return min(php.to_int(value) or default, most) if value is not None else default

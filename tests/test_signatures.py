"""The signatures that users meet first: what is written once must go on working."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from airflow_provider_b24.chats.api import ChatsApi
from airflow_provider_b24.events.api import EventsApi
from airflow_provider_b24.open_lines.api import OpenLinesApi
from airflow_provider_b24.open_lines.connectors import ConnectorsApi
from airflow_provider_b24.polls.api import PollsApi

NEEDED = inspect.Parameter.empty
KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY

#: Keyword-only parameters with their defaults.
KEYWORDS: list[tuple[Any, dict[str, Any]]] = [
    (
        PollsApi.send,
        {
            "chat_id": NEEDED,
            "question": NEEDED,
            "answers": NEEDED,
            "multiple_choice": False,
            "anonymous": False,
            "allow_revote": False,
            "template_id": None,
        },
    ),
    (PollsApi.send_data, {"chat_id": NEEDED, "data": NEEDED, "template_id": None}),
    (PollsApi.vote, {"answers": NEEDED}),
    (PollsApi.missing_voters, {"chat_id": NEEDED}),
    (OpenLinesApi.send, {"connector": NEEDED, "line": NEEDED, "messages": NEEDED}),
    (OpenLinesApi.update, {"connector": NEEDED, "line": NEEDED, "messages": NEEDED}),
    (OpenLinesApi.delete, {"connector": NEEDED, "line": NEEDED, "messages": NEEDED}),
    (
        OpenLinesApi.send_to_crm_chat,
        {"entity_type": NEEDED, "entity_id": NEEDED, "user_id": NEEDED, "chat_id": None, "message": NEEDED},
    ),
    (
        ConnectorsApi.set_up,
        {
            "connector": NEEDED,
            "line": None,
            "state": "present",
            "name": None,
            "handler_url": None,
            "icon": None,
            "icon_disabled": None,
            "chat_group": False,
            "options": None,
            "data": None,
            "force": False,
        },
    ),
    (ConnectorsApi.status, {"connector": NEEDED, "line": NEEDED}),
    (ConnectorsApi.set_error, {"connector": NEEDED, "line": NEEDED}),
    (OpenLinesApi.mark_delivered, {"connector": NEEDED, "line": NEEDED, "messages": NEEDED}),
    (OpenLinesApi.mark_read, {"connector": NEEDED, "line": NEEDED, "messages": NEEDED}),
    (
        OpenLinesApi.rename_chat,
        {"connector": NEEDED, "line": NEEDED, "chat_id": NEEDED, "name": NEEDED, "user_id": None},
    ),
    (OpenLinesApi.crm_chats, {"entity_type": NEEDED, "entity_id": NEEDED, "active_only": True}),
    (OpenLinesApi.last_crm_chat_id, {"entity_type": NEEDED, "entity_id": NEEDED}),
    (OpenLinesApi.history, {"session_id": None, "chat_id": None}),
    (OpenLinesApi.dialog, {"chat_id": None, "session_id": None, "user_code": None}),
    (ChatsApi.send, {"message": NEEDED, "chat_id": None, "user_id": None, "reply_to": None}),
    (
        ChatsApi.post_once,
        {"message": NEEDED, "chat_id": None, "user_id": None, "since_message_id": None, "reply_to": None},
    ),
    (ChatsApi.messages, {"chat_id": NEEDED, "since_message_id": NEEDED}),
    (ChatsApi.replies, {"chat_id": NEEDED, "message_id": NEEDED}),
    (EventsApi.bind, {"event": NEEDED, "handler": None}),
    (EventsApi.unbind, {"event": NEEDED, "handler": None}),
    (EventsApi.reserve, {"event": None, "limit": 50, "process_id": None}),
    (EventsApi.clear, {"process_id": NEEDED, "ids": None}),
    (EventsApi.mark_failed, {"process_id": NEEDED, "message_ids": NEEDED}),
]

#: What is passed by position.
POSITIONS: list[tuple[Any, list[str]]] = [
    (PollsApi.get, ["poll"]),
    (PollsApi.get_many, ["polls"]),
    (PollsApi.vote, ["poll"]),
    (PollsApi.recall, ["poll"]),
    (PollsApi.stop, ["poll"]),
    (PollsApi.resume, ["poll"]),
    (PollsApi.voters, ["poll"]),
    (PollsApi.missing_voters, ["poll"]),
    (PollsApi.report, ["poll"]),
    (OpenLinesApi.find_line, ["line"]),
    (ChatsApi.members, ["chat_id"]),
    (ChatsApi.find, ["title"]),
]


def name_of(value: Any) -> str:
    return getattr(value, "__qualname__", "")


@pytest.mark.parametrize(("function", "wanted"), KEYWORDS, ids=name_of)
def test_public_functions_keep_their_keyword_parameters(function: Any, wanted: dict[str, Any]) -> None:
    found = inspect.signature(function).parameters
    for name, default in wanted.items():
        assert (found[name].kind, found[name].default) == (KEYWORD_ONLY, default)
    more = [item for item in found.values() if item.kind is KEYWORD_ONLY and item.name not in wanted]
    assert [item.name for item in more if item.default is NEEDED] == []


@pytest.mark.parametrize(("function", "wanted"), POSITIONS, ids=name_of)
def test_public_functions_keep_their_positional_parameters(function: Any, wanted: list[str]) -> None:
    found = [
        item for item in inspect.signature(function).parameters.values() if item.kind is not KEYWORD_ONLY
    ]
    assert [item.name for item in found] == ["self", *wanted]

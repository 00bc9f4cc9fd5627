"""Conversations of open lines as they are read, renamed, and found by CRM items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AccessDeniedError,
    Bitrix24ArgumentError,
    Bitrix24CrmChatError,
    Bitrix24OpenLineError,
    Bitrix24ServerError,
    Bitrix24ValidationError,
)
from airflow_provider_b24.open_lines.api import OpenLinesApi
from tests.support.clients import client_of

from .conftest import Shop, message

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.emulator.state.open_lines.conversations import Conversation

DEAL = {"entity_type": "deal", "entity_id": 288}


@pytest.fixture
def talk(shop: Shop) -> Conversation:
    """A conversation of the shop's customer with two operators."""
    shop.send([message(1), message(2)])
    found = shop.portal.lines.conversation(shop.line)
    assert found is not None
    shop.portal.lines.reply(found.chat.id, "We look into it.", user_id=6)
    return found


# ---- what was said ----


@pytest.mark.parametrize("way", ["session", "chat", "chat text", "webhook"])
def test_a_history_is_read_by_session_and_by_chat(shop: Shop, talk: Conversation, way: str) -> None:
    api = OpenLinesApi(client_of(shop.portal)) if way == "webhook" else shop.api
    names: dict[str, dict[str, Any]] = {
        "session": {"session_id": talk.session_id},
        "webhook": {"session_id": str(talk.session_id)},
        "chat": {"chat_id": talk.chat.id},
        "chat text": {"chat_id": f"chat{talk.chat.id}"},
    }
    found = api.history(**names[way])
    assert (found["session_id"], found["chat_id"]) == (talk.session_id, talk.chat.id)
    assert [row["text"] for row in found["messages"]] == ["Text 1", "Text 2", "We look into it."]
    assert [row["external_ids"] for row in found["messages"]] == [["m1"], ["m2"], []]
    assert [row["id"] for row in found["messages"]] == [row.id for row in talk.messages]
    people = {row["id"]: row for row in found["users"]}
    asker, answerer = (people[found["messages"][position]["author_id"]] for position in (0, 2))
    assert (asker["is_external"], answerer["is_external"]) == (True, False)
    assert answerer["name"] == "Elena Rossi"


def test_an_empty_history_has_no_messages(portal: Emulator) -> None:
    chat = portal.lines.add_crm_chat("deal", 288)
    found = OpenLinesApi(client_of(portal)).history(chat_id=chat)
    assert (found["messages"], found["users"], found["files"]) == ([], [], [])


def test_a_history_that_is_not_there_or_hidden_is_an_error(shop: Shop, talk: Conversation) -> None:
    with pytest.raises(Bitrix24OpenLineError) as caught:
        shop.api.history(chat_id=1)
    assert caught.value.code == "INVALID_SESSION_ID"
    with pytest.raises(Bitrix24AccessDeniedError):
        shop.api.history(session_id=1)


def test_the_files_and_params_of_the_documentation_are_read(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"id": "85851", "senderid": "0", "date": "2026-03-11T13:12:46+01:00", "text": "See the picture"}
    reply = {
        "chatId": 1763,
        "sessionId": 321,
        "message": {"85851": {**row, "params": {"connectorMid": ["85853"], "fileId": [5437]}}},
        "users": [],
        "files": {"5437": {"id": 5437, "name": "2311.png", "size": 900, "urldownload": "https://b24/x"}},
    }
    monkeypatch.setattr(shop.api._client, "call", lambda *_, **__: reply)
    found = shop.api.history(session_id=321)
    assert found["messages"] == [
        {
            "id": 85851,
            "author_id": 0,
            "date": "2026-03-11T13:12:46+01:00",
            "text": "See the picture",
            "external_ids": ["85853"],
            "file_ids": [5437],
        }
    ]
    assert found["files"] == [{"id": 5437, "name": "2311.png", "size": 900, "url": "https://b24/x"}]


@pytest.mark.parametrize(
    "result", [None, [], "x", {}, {"chatId": 1}, {"chatId": 1, "sessionId": 2, "message": 5}]
)
def test_a_reply_that_is_no_history_is_an_error(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, result: Any
) -> None:
    monkeypatch.setattr(shop.api._client, "call", lambda *_, **__: result)
    with pytest.raises(Bitrix24ServerError, match="not a history"):
        shop.api.history(session_id=1)


@pytest.mark.parametrize("given", [{}, {"chat_id": 1, "session_id": 2}])
def test_exactly_one_way_to_name_a_session_is_wanted(shop: Shop, given: dict[str, Any]) -> None:
    for read in (shop.api.history, shop.api.dialog):
        with pytest.raises(Bitrix24ValidationError, match="exactly one"):
            read(**given)


# ---- where it is ----


def test_a_dialog_is_found_by_chat_session_and_code(shop: Shop, talk: Conversation) -> None:
    shop.portal.lines.bind_crm("deal", 288, talk.chat.id)
    ways: list[dict[str, Any]] = [
        {"chat_id": talk.chat.id},
        {"session_id": talk.session_id},
        {"user_code": talk.place.code},
        {"user_code": f"imol|{talk.place.code}"},
    ]
    found = [shop.api.dialog(**way) for way in ways]
    assert found == [found[0]] * 4
    assert found[0] == {
        "chat_id": talk.chat.id,
        "name": talk.chat.title,
        "connector": "shop",
        "line": shop.line,
        "external_chat_id": "c1",
        "user_id": talk.place.user_id,
        "session_id": talk.session_id,
        "crm": {"type": "deal", "id": 288},
    }


def test_a_dialog_without_a_crm_item_has_none(shop: Shop, talk: Conversation) -> None:
    assert shop.api.dialog(chat_id=talk.chat.id)["crm"] is None


def test_a_dialog_that_is_not_there_is_denied(shop: Shop) -> None:
    with pytest.raises(Bitrix24AccessDeniedError):
        shop.api.dialog(chat_id=1)


@pytest.mark.parametrize("code", ["", "shop|12|c1", 5, "a|b"])
def test_a_code_that_names_no_dialog_is_refused(shop: Shop, code: Any) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        shop.api.dialog(user_code=code)
    assert caught.value.path == "user_code"


@pytest.mark.parametrize(
    "change", [{"id": None}, {"entity_id": "x"}, {"entity_data_1": ""}, {"entity_id": "a|b|c|d"}]
)
def test_a_reply_that_is_no_dialog_is_an_error(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    row = {"id": 5, "name": "x", "entity_id": "shop|12|c1|7", "entity_data_1": "N|NONE|0|N|N|321|1|0|0|0"}
    monkeypatch.setattr(shop.api._client, "call", lambda *_, **__: {**row, **change})
    with pytest.raises(Bitrix24ServerError, match="not a conversation"):
        shop.api.dialog(chat_id=5)


# ---- its name ----


def test_a_conversation_is_renamed_by_its_external_ids(shop: Shop, talk: Conversation) -> None:
    shop.api.rename_chat(connector="shop", line=shop.line, chat_id="c1", user_id="u1", name="Order 7")
    assert talk.chat.title == "Order 7"


def test_a_conversation_that_is_not_there_is_not_renamed(shop: Shop, talk: Conversation) -> None:
    with pytest.raises(Bitrix24OpenLineError) as caught:
        shop.api.rename_chat(connector="shop", line=shop.line, chat_id="c2", user_id="u1", name="Order 7")
    assert caught.value.code == "CHAT_RENAMING_FAILED"


def test_a_conversation_of_one_user_needs_the_user(shop: Shop, talk: Conversation) -> None:
    with pytest.raises(Bitrix24ArgumentError):
        shop.api.rename_chat(connector="shop", line=shop.line, chat_id="c1", name="Order 7")


def test_a_group_chat_is_renamed_without_a_user(shop: Shop) -> None:
    shop.portal.lines.install_connector("shop", shop.line, chat_group=True)
    shop.send([message(1)])
    shop.api.rename_chat(connector="shop", line=shop.line, chat_id="c1", name="Order 7")
    talk = shop.portal.lines.conversation(shop.line)
    assert talk is not None
    assert talk.chat.title == "Order 7"


def test_a_rename_without_success_is_an_error(shop: Shop, talk: Conversation) -> None:
    body = '{"result": {"SUCCESS": false}}'
    shop.portal.faults.add("reply", method="imconnector.chat.name.set", body=body)
    with pytest.raises(Bitrix24OpenLineError, match="not renamed"):
        shop.api.rename_chat(connector="shop", line=shop.line, chat_id="c1", user_id="u1", name="Order 7")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"chat_id": ""}, "chat_id"),
        ({"chat_id": 0}, "chat_id"),
        ({"name": " "}, "name"),
        ({"user_id": ""}, "user_id"),
    ],
)
def test_a_rename_that_is_not_usable_is_refused(shop: Shop, change: dict[str, Any], path: str) -> None:
    given = {"connector": "shop", "line": shop.line, "chat_id": "c1", "name": "x", "user_id": "u1", **change}
    with pytest.raises(Bitrix24ValidationError) as caught:
        shop.api.rename_chat(**given)
    assert caught.value.path == path
    assert shop.portal.requests.count() == 0


# ---- its CRM item ----


@pytest.mark.parametrize("auth", ["webhook", "oauth"])
def test_the_chats_of_a_deal_are_listed(shop: Shop, talk: Conversation, auth: str) -> None:
    api = OpenLinesApi(client_of(shop.portal, auth=auth))
    ended = shop.portal.lines.add_crm_chat("deal", 288)
    shop.portal.lines.finish(ended)
    shop.portal.lines.bind_crm("deal", 288, talk.chat.id)
    active = {"chat_id": talk.chat.id, "connector": "shop", "connector_name": "shop"}
    assert api.crm_chats(**DEAL) == [active]
    every = api.crm_chats(**DEAL, active_only=False)
    assert [row["chat_id"] for row in every] == [ended, talk.chat.id]
    assert api.last_crm_chat_id(**DEAL) == talk.chat.id


def test_a_deal_without_chats_has_an_empty_list_and_no_last_chat(shop: Shop) -> None:
    assert shop.api.crm_chats(**DEAL) == []
    with pytest.raises(Bitrix24CrmChatError):
        shop.api.last_crm_chat_id(**DEAL)


def test_a_deal_that_is_hidden_is_denied(shop: Shop) -> None:
    shop.portal.lines.bindings.deny("deal", 288, 1)
    with pytest.raises(Bitrix24AccessDeniedError):
        shop.api.crm_chats(**DEAL)


@pytest.mark.parametrize("read", ["crm_chats", "last_crm_chat_id"])
def test_an_item_of_an_unknown_type_is_refused(shop: Shop, read: str) -> None:
    with pytest.raises(Bitrix24ValidationError):
        getattr(shop.api, read)(entity_type="quote", entity_id=288)

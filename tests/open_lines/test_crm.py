"""Messages into the open-line chats of CRM items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AccessDeniedError,
    Bitrix24ChatAccessError,
    Bitrix24CrmChatError,
    Bitrix24OutcomeUnknownError,
    Bitrix24ValidationError,
)
from airflow_provider_b24.open_lines.api import OpenLinesApi
from tests.support.clients import client_of

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

ADD = "imopenlines.crm.message.add"
CHATS = "imopenlines.crm.chat.get"
DEAL = 288


@pytest.fixture(params=["webhook", "oauth"])
def lines(request: pytest.FixtureRequest, portal: Emulator) -> OpenLinesApi:
    """The portal's open lines, over a webhook and over an application."""
    return OpenLinesApi(client_of(portal, auth=request.param), sleep=lambda _: None)


def say(lines: OpenLinesApi, **changes: Any) -> dict[str, int]:
    given = {"entity_type": "deal", "entity_id": DEAL, "user_id": 1, "message": "Hello", **changes}
    return lines.send_to_crm_chat(**given)


@pytest.mark.parametrize("kind", ["lead", "deal", "company", "contact"])
def test_the_chat_of_an_item_is_found(portal: Emulator, lines: OpenLinesApi, kind: str) -> None:
    chat = portal.lines.add_crm_chat(kind, DEAL)
    sent = say(lines, entity_type=kind)
    (message,) = portal.messages(chat)
    assert sent == {"message_id": message.id, "chat_id": chat}
    assert (message.text, message.author_id) == ("Hello", 1)


def test_types_and_ids_may_be_rendered_text(portal: Emulator, lines: OpenLinesApi) -> None:
    chat = portal.lines.add_crm_chat("deal", DEAL)
    sent = say(lines, entity_type=" Deal ", entity_id=f" {DEAL} ", user_id="2", chat_id=f"chat{chat}")
    assert sent["chat_id"] == chat
    assert portal.messages(chat)[0].author_id == 2


def test_a_given_chat_is_not_looked_up(portal: Emulator, lines: OpenLinesApi) -> None:
    chat = portal.lines.add_crm_chat("deal", DEAL)
    portal.lines.add_crm_chat("deal", DEAL)
    assert say(lines, chat_id=chat)["chat_id"] == chat
    assert portal.requests.count(CHATS) == 0


def test_of_several_chats_the_newest_active_one_is_taken(portal: Emulator, lines: OpenLinesApi) -> None:
    old, active, newest = (portal.lines.add_crm_chat("deal", DEAL) for _ in range(3))
    portal.lines.finish(newest)
    assert old < active < newest
    assert say(lines)["chat_id"] == active
    assert portal.requests.count(CHATS) == 1


def test_without_an_active_chat_the_last_one_is_taken(portal: Emulator, lines: OpenLinesApi) -> None:
    chats = [portal.lines.add_crm_chat("deal", DEAL) for _ in range(2)]
    for chat in chats:
        portal.lines.finish(chat)
    assert say(lines)["chat_id"] == chats[-1]


def test_an_item_without_a_conversation_is_an_error(portal: Emulator, lines: OpenLinesApi) -> None:
    portal.lines.add_crm_chat("lead", DEAL)
    with pytest.raises(Bitrix24CrmChatError, match="no open-line chat is tied to deal 288"):
        say(lines)
    assert portal.requests.count(ADD) == 0


def test_a_chat_of_another_item_is_an_error(portal: Emulator, lines: OpenLinesApi) -> None:
    chat = portal.lines.add_crm_chat("lead", DEAL)
    with pytest.raises(Bitrix24CrmChatError) as caught:
        say(lines, chat_id=chat)
    assert caught.value.code == "CHAT_NOT_IN_CRM"


@pytest.mark.parametrize("user", [1, 2])
def test_an_item_that_a_user_may_not_see_is_denied(portal: Emulator, lines: OpenLinesApi, user: int) -> None:
    chat = portal.lines.add_crm_chat("deal", DEAL)
    portal.lines.bindings.deny("deal", DEAL, user)
    with pytest.raises(Bitrix24AccessDeniedError) as caught:
        say(lines, chat_id=chat, user_id=2)
    assert caught.value.code == "ACCESS_DENIED"
    assert portal.messages(chat) == []


def test_an_author_who_is_not_in_the_chat_is_denied(portal: Emulator, lines: OpenLinesApi) -> None:
    chat = portal.lines.add_crm_chat("deal", DEAL)
    portal.chat(chat).members.remove(2)
    with pytest.raises(Bitrix24ChatAccessError) as caught:
        say(lines, user_id=2)
    assert caught.value.code == "CANCELED"


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "status_502", "html", "empty"])
def test_a_lost_reply_is_verified_by_reading_the_chat(
    portal: Emulator, lines: OpenLinesApi, kind: str
) -> None:
    chat = portal.lines.add_crm_chat("deal", DEAL)
    portal.faults.add(kind, method=ADD)
    sent = say(lines)
    (message,) = portal.messages(chat)
    assert sent == {"message_id": message.id, "chat_id": chat}


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_a_lost_reply_in_a_chat_of_others_is_not_repeated(
    portal: Emulator, lines: OpenLinesApi, kind: str
) -> None:
    chat = portal.lines.add_crm_chat("deal", DEAL)
    portal.chat(chat).members.remove(1)
    portal.faults.add(kind, method=ADD)
    with pytest.raises(Bitrix24OutcomeUnknownError):
        say(lines, user_id=2)
    assert portal.requests.count(ADD) == 1


def test_the_same_text_before_it_is_another_message(portal: Emulator, lines: OpenLinesApi) -> None:
    chat = portal.lines.add_crm_chat("deal", DEAL)
    say(lines)
    portal.faults.add("drop_before", method=ADD)
    say(lines)
    assert [message.text for message in portal.messages(chat)] == ["Hello", "Hello"]


def test_a_lost_chat_lookup_is_retried(portal: Emulator, lines: OpenLinesApi) -> None:
    portal.lines.add_crm_chat("deal", DEAL)
    portal.faults.add("drop_after", method=CHATS, times=2)
    assert say(lines)["message_id"]
    assert portal.requests.count(ADD) == 1


@pytest.mark.parametrize("result", [None, [], True, "", {"ID": 5}])
def test_a_reply_without_a_message_id_has_an_unknown_outcome(
    lines: OpenLinesApi, monkeypatch: pytest.MonkeyPatch, result: Any
) -> None:
    monkeypatch.setattr(lines._client, "call", lambda *_, **__: result)
    with pytest.raises(Bitrix24OutcomeUnknownError):
        say(lines, chat_id=5)


@pytest.mark.parametrize("message", ["0", " 0 ", "", "  ", None, 5])
def test_a_message_that_php_treats_as_empty_is_refused(
    portal: Emulator, lines: OpenLinesApi, message: Any
) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        say(lines, message=message)
    assert caught.value.path == "message"
    assert portal.requests.count() == 0


def test_a_message_that_starts_with_zero_is_sent(portal: Emulator, lines: OpenLinesApi) -> None:
    portal.lines.add_crm_chat("deal", DEAL)
    assert say(lines, message="0 left")["message_id"]

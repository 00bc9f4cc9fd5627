"""Messages into chats, members, chats by title."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.chats.api import Chat, ChatsApi
from airflow_provider_b24.exceptions import (
    Bitrix24ChatAccessError,
    Bitrix24OutcomeUnknownError,
    Bitrix24ValidationError,
)
from tests.support.clients import client_of

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

ADD = "im.message.add"


@pytest.fixture(params=["webhook", "oauth"])
def chats(request: pytest.FixtureRequest, portal: Emulator) -> ChatsApi:
    """The portal's chats, over a webhook and over an application."""
    return ChatsApi(client_of(portal, auth=request.param))


def test_a_message_is_posted_to_a_chat(portal: Emulator, chats: ChatsApi) -> None:
    chat = portal.add_chat("Ops", members=[1, 2])
    ids = [chats.send(chat_id=form, message="Привет") for form in (chat, str(chat), f"chat{chat}")]
    assert [(message.id, message.text) for message in portal.messages(chat)] == [
        (id_, "Привет") for id_ in ids
    ]


def test_a_message_is_posted_to_one_person(portal: Emulator, chats: ChatsApi) -> None:
    message = chats.send(user_id="2", message="Hello")
    found = portal.portal.chats.message(message)
    assert found is not None
    assert sorted(portal.chat(found.chat_id).members) == [1, 2]
    assert portal.requests[-1].params == {"DIALOG_ID": "2", "MESSAGE": "Hello"}


@pytest.mark.parametrize("kind", ["drop_after", "status_502", "html", "empty", "truncated"])
def test_a_lost_reply_is_never_repeated(portal: Emulator, chats: ChatsApi, kind: str) -> None:
    chat = portal.add_chat("Ops")
    portal.faults.add(kind, method=ADD)
    with pytest.raises(Bitrix24OutcomeUnknownError):
        chats.send(chat_id=chat, message="Hello")
    assert portal.requests.count(ADD) == 1


def test_a_send_that_was_not_executed_is_retried(portal: Emulator, chats: ChatsApi) -> None:
    chat = portal.add_chat("Ops")
    portal.faults.add("status_503_limit", method=ADD, times=2)
    chats.send(chat_id=chat, message="Hello")
    assert len(portal.messages(chat)) == 1


def test_a_chat_without_the_user_is_denied(portal: Emulator, chats: ChatsApi) -> None:
    chat = portal.add_chat("Board", members=[2])
    with pytest.raises(Bitrix24ChatAccessError, match="Add the connection's user to the chat") as caught:
        chats.send(chat_id=chat, message="Hello")
    assert caught.value.code == "ACCESS_ERROR"
    with pytest.raises(Bitrix24ChatAccessError, match="Add the connection's user to the chat"):
        chats.members(chat)
    with pytest.raises(Bitrix24ChatAccessError):
        chats.members(999_999)


@pytest.mark.parametrize("result", [None, [], True, 0, ""])
def test_a_reply_without_an_id_has_an_unknown_outcome(
    chats: ChatsApi, monkeypatch: pytest.MonkeyPatch, result: Any
) -> None:
    monkeypatch.setattr(chats._client, "call", lambda *_, **__: result)
    with pytest.raises(Bitrix24OutcomeUnknownError):
        chats.send(chat_id=5, message="Hello")


def test_members_are_listed(portal: Emulator, chats: ChatsApi) -> None:
    chat = portal.add_chat("Ops", members=[1, 4, 2])
    assert chats.members(f"chat{chat}") == [1, 4, 2]


def test_chats_are_found_by_their_whole_title_only(portal: Emulator, chats: ChatsApi) -> None:
    wanted = [portal.add_chat("Anna", members=[1]), portal.add_chat("Anna", members=[1, 2])]
    portal.add_chat("Anna and friends", members=[1])
    # The portal's search finds this one by a member's name.
    portal.add_chat("Ops", members=[1, 2])
    portal.add_chat("Anna", members=[3])
    found = chats.find(" Anna ")
    assert found == [Chat(number, "Anna") for number in wanted]
    assert found[0].to_dict() == {"id": wanted[0], "title": "Anna"}


def test_a_chat_on_the_last_page_is_found(portal: Emulator, chats: ChatsApi) -> None:
    for number in range(120):
        portal.add_chat(f"Ops {number}")
    last = portal.add_chat("Ops")
    assert chats.find("Ops") == [Chat(last, "Ops")]
    assert portal.requests.count("im.search.chat.list") == 3


def test_find_without_a_match_is_an_empty_list(chats: ChatsApi) -> None:
    assert chats.find("Nowhere") == []


@pytest.mark.parametrize("title", ["", " a ", None, 7])
def test_find_refuses_a_title_below_two_characters(portal: Emulator, chats: ChatsApi, title: Any) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        chats.find(title)
    assert (caught.value.path, caught.value.rule) == ("title", "needs 2 characters or more")
    assert portal.requests.count() == 0

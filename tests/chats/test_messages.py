"""The messages of a chat, and the replies to one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.chats.api import ChatsApi
from airflow_provider_b24.chats.messages import ChatMessage, _names
from airflow_provider_b24.exceptions import (
    Bitrix24AccessDeniedError,
    Bitrix24ServerError,
    Bitrix24ValidationError,
)
from tests.support.clients import client_of

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

HISTORY = "im.dialog.messages.get"


@pytest.fixture
def chats(portal: Emulator) -> ChatsApi:
    return ChatsApi(client_of(portal))


@pytest.fixture
def chat(portal: Emulator) -> int:
    return portal.add_chat("Ops", members=[1, 2, 3])


def row(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "author_id": 2, "date": "2026-03-01T10:00:00+00:00", "text": "Hi", **fields}


@pytest.mark.parametrize(("number", "requests"), [(0, 1), (1, 1), (49, 1), (50, 2), (51, 2), (150, 4)])
def test_all_messages_after_one_are_read_oldest_first(
    portal: Emulator, chats: ChatsApi, chat: int, number: int, requests: int
) -> None:
    for before in range(3):
        portal.say(chat, 2, f"before {before}")
    first = portal.say(chat, 2, "first")
    ids = [portal.say(chat, 3, str(index)) for index in range(number)]

    messages = chats.messages(chat_id=f"chat{chat}", since_message_id=first)

    assert [(message.id, message.text) for message in messages] == [
        (message_id, str(index)) for index, message_id in enumerate(ids)
    ]
    assert portal.requests.count(HISTORY) <= requests


def test_a_message_has_its_author_date_text_and_what_it_replies_to(
    portal: Emulator, chats: ChatsApi, chat: int
) -> None:
    first = portal.say(chat, 2, "Deploy?")
    second = portal.say(chat, 3, "Not on Friday", reply_to=first)
    third = portal.portal.chats.post(portal.chat(chat), author_id=0, text="Anna left").id

    reply, system = chats.messages(chat_id=chat, since_message_id=str(first))

    assert (reply.id, reply.author_id, reply.text, reply.reply_to) == (second, 3, "Not on Friday", first)
    assert reply.date.endswith("+00:00")
    assert (system.id, system.author_id, system.reply_to) == (third, 0, None)


def test_the_replies_to_a_message_have_the_names_of_their_authors(
    portal: Emulator, chats: ChatsApi, chat: int
) -> None:
    poll = portal.say(chat, 1, "Deploy?")
    other = portal.say(chat, 1, "Lunch?")
    portal.say(chat, 2, "Soup", reply_to=other)
    portal.say(chat, 3, "The tests are red", reply_to=poll)
    for number in range(60):
        portal.say(chat, 1, str(number))
    portal.say(chat, 2, "Not on Friday", reply_to=poll)
    portal.remove_member(chat, 3)

    replies = chats.replies(chat_id=chat, message_id=poll)

    assert [{**reply, "date": ""} for reply in replies] == [
        {"user_id": 3, "name": "Boris Klein", "text": "The tests are red", "date": ""},
        {"user_id": 2, "name": "Anna Petrova", "text": "Not on Friday", "date": ""},
    ]
    assert all(reply["date"].startswith("20") for reply in replies)


def test_a_chat_without_the_user_is_denied(portal: Emulator, chats: ChatsApi) -> None:
    chat = portal.add_chat("Board", members=[2])
    with pytest.raises(Bitrix24AccessDeniedError):
        chats.messages(chat_id=chat, since_message_id=1)


@pytest.mark.parametrize("params", [[], {}, None, {"REPLY_ID": ""}, {"REPLY_ID": "0"}, {"IS_EDITED": "Y"}])
def test_a_message_without_a_reply_id_is_no_reply(params: Any) -> None:
    assert ChatMessage.from_row(row(5, params=params)).reply_to is None


@pytest.mark.parametrize("reply_id", ["4", 4, [4], ["4"], {"0": 4}])
def test_a_reply_id_is_a_number_however_it_is_written(reply_id: Any) -> None:
    message = ChatMessage.from_row(row(5, author_id="2", params={"REPLY_ID": reply_id}, uuid=None))
    assert message == ChatMessage(5, 2, "2026-03-01T10:00:00+00:00", "Hi", reply_to=4)


@pytest.mark.parametrize(
    "result",
    [
        "none",
        {"messages": "none"},
        {"messages": [{"text": "no id"}]},
        {"messages": [row(5, author_id="Anna")]},
    ],
)
def test_a_reply_that_holds_no_messages_is_an_error_of_the_portal(
    chats: ChatsApi, monkeypatch: pytest.MonkeyPatch, result: Any
) -> None:
    monkeypatch.setattr(chats._client, "call", lambda *_, **__: result)
    with pytest.raises(Bitrix24ServerError, match="list of messages"):
        chats.messages(chat_id=5, since_message_id=1)


@pytest.mark.parametrize("result", [False, {"chat_id": 5, "messages": [], "users": [], "files": []}])
def test_an_empty_chat_has_no_messages(chats: ChatsApi, monkeypatch: pytest.MonkeyPatch, result: Any) -> None:
    monkeypatch.setattr(chats._client, "call", lambda *_, **__: result)
    assert chats.messages(chat_id=5, since_message_id=1) == []


def test_a_portal_that_repeats_a_page_ends_the_reading(
    chats: ChatsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = {"messages": [row(number) for number in range(101, 151)], "users": []}
    monkeypatch.setattr(chats._client, "call", lambda *_, **__: page)
    assert len(chats.messages(chat_id=5, since_message_id=1)) == 50


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"chat_id": "sg5", "since_message_id": 1}, "chat_id"),
        ({"chat_id": 5, "since_message_id": 0}, "since_message_id"),
        ({"chat_id": 5, "since_message_id": None}, "since_message_id"),
    ],
)
def test_ids_are_checked_before_anything_is_sent(
    portal: Emulator, chats: ChatsApi, given: dict[str, Any], path: str
) -> None:
    with pytest.raises(Bitrix24ValidationError) as refusal:
        chats.messages(**given)
    assert refusal.value.path == path
    assert portal.requests.count() == 0


@pytest.mark.parametrize("number", [49, 50, 51, 130])
def test_unread_messages_hide_neither_the_newest_ones_nor_a_reply(
    portal: Emulator, chats: ChatsApi, chat: int, number: int
) -> None:
    """Without an id the portal shows the oldest unread page, once more than a page is unread."""
    poll = portal.say(chat, 1, "Deploy?")
    ids = [portal.say(chat, 2, str(index)) for index in range(number)]
    reply = portal.say(chat, 3, "Not on Friday", reply_to=poll)

    found = chats.messages(chat_id=chat, since_message_id=poll)

    assert [message.id for message in found] == [*ids, reply]
    assert [row["text"] for row in chats.replies(chat_id=chat, message_id=poll)] == ["Not on Friday"]


def test_a_message_is_posted_once_in_a_chat_with_many_unread_ones(
    portal: Emulator, chats: ChatsApi, chat: int
) -> None:
    portal.faults.add("drop_after", method="im.message.add")
    portal.quirks.message_template_ids = False
    for index in range(120):
        portal.say(chat, 2, str(index))
    chats.post_once(message="Done", chat_id=chat)
    assert [message.text for message in portal.messages(chat)].count("Done") == 1


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)


@given(fields=st.dictionaries(st.sampled_from(["date", "text", "uuid", "params"]), _JSON), reply_id=_JSON)
def test_a_message_is_read_whatever_its_optional_fields_are(fields: dict[str, Any], reply_id: Any) -> None:
    shown = row(5, params={"REPLY_ID": reply_id}) | fields
    message = ChatMessage.from_row(shown)
    assert (message.id, message.author_id) == (5, 2)
    assert message.reply_to is None or message.reply_to > 0
    assert isinstance(message.posted_at, float)


@given(users=_JSON)
def test_names_are_read_whatever_the_portal_says_of_people(users: Any) -> None:
    assert all(isinstance(name, str) for name in _names(users).values())

"""A message that must not stand in a chat twice."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.chats.api import ChatsApi
from airflow_provider_b24.chats.exactly_once import is_same_text
from airflow_provider_b24.chats.people import mention
from airflow_provider_b24.exceptions import Bitrix24ArgumentError, Bitrix24OutcomeUnknownError
from tests.support.clients import client_of

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

ADD = "im.message.add"
TEXT = "[USER=2]Anna[/USER], please vote: https://acme.bitrix24.com/vote-result/1"


@pytest.fixture
def chats(portal: Emulator) -> ChatsApi:
    return ChatsApi(client_of(portal))


@pytest.fixture
def chat(portal: Emulator) -> int:
    return portal.add_chat("Ops", members=[1, 2])


@pytest.fixture
def poll(portal: Emulator, chat: int) -> int:
    return portal.say(chat, 1, "Deploy?")


def texts(portal: Emulator, chat: int) -> list[str]:
    return [message.text for message in portal.messages(chat)]


def test_a_message_that_was_posted_before_is_found_by_another_process(
    portal: Emulator, chat: int, poll: int
) -> None:
    ids = {
        ChatsApi(client_of(portal)).post_once(message=TEXT, chat_id=chat, since_message_id=poll)
        for _ in range(3)
    }
    assert len(ids) == 1
    assert texts(portal, chat) == ["Deploy?", TEXT]


def test_another_text_chat_or_start_is_another_message(
    portal: Emulator, chats: ChatsApi, chat: int, poll: int
) -> None:
    other = portal.add_chat("Other", members=[1])
    first = chats.post_once(message=TEXT, chat_id=chat, since_message_id=poll)
    second = chats.post_once(message=TEXT, chat_id=chat, since_message_id=first)
    third = chats.post_once(message="Last call", chat_id=chat, since_message_id=poll)
    fourth = chats.post_once(message=TEXT, chat_id=other, since_message_id=poll)
    assert len({first, second, third, fourth}) == 4


def test_the_same_text_of_another_person_does_not_count(
    portal: Emulator, chats: ChatsApi, chat: int, poll: int
) -> None:
    portal.say(chat, 2, TEXT)
    chats.post_once(message=TEXT, chat_id=chat, since_message_id=poll)
    assert texts(portal, chat) == ["Deploy?", TEXT, TEXT]


def test_without_a_start_the_newest_fifty_messages_count(
    portal: Emulator, chats: ChatsApi, chat: int
) -> None:
    first = chats.post_once(message=TEXT, chat_id=chat)
    for number in range(49):
        portal.say(chat, 2, str(number))
    assert chats.post_once(message=TEXT, chat_id=chat) == first
    portal.say(chat, 2, "one more")
    assert chats.post_once(message=TEXT, chat_id=chat) != first


def test_a_person_gets_a_message_once(portal: Emulator, chats: ChatsApi, poll: int) -> None:
    ids = {chats.post_once(message=TEXT, user_id=2, since_message_id=poll) for _ in range(2)}
    assert len(ids) == 1
    assert portal.requests.count(ADD) == 1


def test_a_message_whose_text_the_portal_rewrites_is_found(
    portal: Emulator, chats: ChatsApi, chat: int, poll: int
) -> None:
    first = chats.post_once(message=TEXT, chat_id=chat, since_message_id=poll)
    portal.messages(chat)[-1].text = "rewritten"
    assert chats.post_once(message=TEXT, chat_id=chat, since_message_id=poll) == first


@pytest.mark.parametrize("kind", ["drop_after", "empty", "truncated"])
def test_a_lost_reply_is_verified_by_a_look_into_the_chat(
    portal: Emulator, chats: ChatsApi, chat: int, poll: int, kind: str
) -> None:
    portal.faults.add(kind, method=ADD)
    first = chats.post_once(message=TEXT, chat_id=chat, since_message_id=poll)
    assert [message.id for message in portal.messages(chat)] == [poll, first]
    assert portal.requests.count(ADD) == 1


def test_a_lost_request_is_unknown_and_the_next_call_posts_the_message(
    portal: Emulator, chats: ChatsApi, chat: int, poll: int
) -> None:
    portal.faults.add("drop_before", method=ADD)
    with pytest.raises(Bitrix24OutcomeUnknownError):
        chats.post_once(message=TEXT, chat_id=chat, since_message_id=poll)
    chats.post_once(message=TEXT, chat_id=chat, since_message_id=poll)
    assert texts(portal, chat) == ["Deploy?", TEXT]


def test_processes_that_post_at_once_post_one_message(portal: Emulator, chat: int, poll: int) -> None:
    barrier = threading.Barrier(6)
    ids: list[int] = []

    def post() -> None:
        own = ChatsApi(client_of(portal))
        barrier.wait()
        ids.append(own.post_once(message=TEXT, chat_id=chat, since_message_id=poll))

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert texts(portal, chat) == ["Deploy?", TEXT]
    assert len(ids) == 6
    assert len(set(ids)) == 1


def test_a_refusal_of_a_message_that_is_not_there_is_raised(
    portal: Emulator, chats: ChatsApi, chat: int, poll: int
) -> None:
    elsewhere = portal.say(portal.add_chat("Other"), 1, "hello")
    with pytest.raises(Bitrix24ArgumentError):
        chats.post_once(message=TEXT, chat_id=chat, since_message_id=poll, reply_to=elsewhere)


def test_a_reply_quotes_its_message(portal: Emulator, chats: ChatsApi, chat: int, poll: int) -> None:
    chats.send(message="one", chat_id=chat, reply_to=poll)
    chats.post_once(message="two", chat_id=chat, since_message_id=poll, reply_to=str(poll))
    assert [message.params for message in portal.messages(chat)[1:]] == [{"REPLY_ID": str(poll)}] * 2


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("see https://a.b/c?d=1", "see [URL=https://a.b/c?d=1]https://a.b/c?...[/URL]"),
        ("see https://a.b", "see [URL]https://a.b[/URL]"),
        ("[url=https://a.b]here[/url]", "[URL=https://a.b]here[/URL]"),
        ("one[br]two", "one\ntwo"),
        ("one\r\ntwo\n", "one\ntwo"),
        ("a < b & c", "a &lt; b &amp; c"),
        ("[USER=2][/USER]", "[USER=2 REPLACE][/USER]"),
    ],
)
def test_a_text_is_recognised_in_the_form_in_which_the_portal_shows_it(sent: str, shown: str) -> None:
    assert is_same_text(sent, shown)


@given(st.text(), st.text(alphabet="abc \n"))
def test_a_text_is_the_same_as_itself_and_not_as_another(text: str, more: str) -> None:
    assert is_same_text(text, text)
    assert not is_same_text(f"{text}x{more}", f"{text}y{more}")


@pytest.mark.parametrize(
    ("name", "code"),
    [("Anna", "[USER=12]Anna[/USER]"), ("A[/USER]b", "[USER=12]A/USERb[/USER]"), ("", "[USER=12][/USER]")],
)
def test_a_mention_is_bb_code_that_a_name_cannot_end(name: str, code: str) -> None:
    assert mention(12, name) == code


def test_the_same_text_below_another_message_is_another_message(
    portal: Emulator, chats: ChatsApi, chat: int, poll: int
) -> None:
    """The decisions of two polls may read the same."""
    other = portal.say(chat, 1, "Deploy tomorrow?")
    for below in (poll, other, poll, other):
        chats.post_once(message=TEXT, chat_id=chat, since_message_id=below, reply_to=below)

    replies = [message.text for message in portal.messages(chat) if message.text == TEXT]
    assert len(replies) == 2

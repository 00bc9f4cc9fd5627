"""Who of a chat has not voted yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AccessDeniedError,
    Bitrix24PollError,
    Bitrix24PollNotFoundError,
    Bitrix24ServerError,
    Bitrix24ValidationError,
)

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.polls.api import PollsApi

SERVICE, ANNA, BORIS, CLARA = 1, 2, 3, 4


@pytest.fixture
def team(portal: Emulator) -> int:
    return portal.add_chat("Team", members=[SERVICE, ANNA, BORIS, CLARA])


def ask(polls: PollsApi, chat: int, **options: Any) -> int:
    return polls.send(chat_id=chat, question="Deploy?", answers=["Yes", "No"], **options)["message_id"]


def test_members_who_have_not_voted_are_named_without_the_asking_account(
    portal: Emulator, polls: PollsApi, team: int
) -> None:
    poll = ask(polls, team)
    portal.vote(poll, user_id=ANNA, answers=["No"])

    assert polls.missing_voters(poll, chat_id=f"chat{team}") == [
        {"id": BORIS, "name": "Boris Klein"},
        {"id": CLARA, "name": "Clara Moreau"},
    ]


def test_who_votes_joins_or_leaves_is_seen_at_the_next_look(
    portal: Emulator, polls: PollsApi, team: int
) -> None:
    poll = ask(polls, team)
    for user in (ANNA, BORIS):
        portal.vote(poll, user_id=user, answers=["Yes"])
    portal.remove_member(team, CLARA)
    assert polls.missing_voters(poll, chat_id=team) == []
    portal.add_member(team, 5)
    assert [person["id"] for person in polls.missing_voters(poll, chat_id=team)] == [5]


def test_bots_and_people_who_left_the_portal_are_not_waited_for(
    portal: Emulator, polls: PollsApi, team: int
) -> None:
    poll = ask(polls, team)
    people = portal.portal.people
    for user, field, value in ((ANNA, "bot", True), (BORIS, "active", False)):
        setattr(people.get(user), field, value)
    assert [person["id"] for person in polls.missing_voters(poll, chat_id=team)] == [CLARA]


def test_a_voter_with_several_answers_counts_once_and_all_pages_are_read(
    portal: Emulator, polls: PollsApi
) -> None:
    crowd = [portal.add_user(f"Voter {number}") for number in range(120)]
    chat = portal.add_chat("Crowd", members=[SERVICE, *crowd])
    poll = ask(polls, chat, multiple_choice=True)
    for user in crowd[:-1]:
        portal.vote(poll, user_id=user, answers=["Yes", "No"])
    assert [person["id"] for person in polls.missing_voters(poll, chat_id=chat)] == crowd[-1:]


def test_a_small_poll_costs_four_requests(portal: Emulator, polls: PollsApi, team: int) -> None:
    poll = ask(polls, team)
    portal.requests.clear()
    polls.missing_voters(poll, chat_id=team)
    assert portal.requests.count() == 4


def test_an_anonymous_poll_names_nobody(polls: PollsApi, team: int) -> None:
    poll = ask(polls, team, anonymous=True)
    with pytest.raises(Bitrix24PollError, match=r"anonymous.*anonymous=False"):
        polls.missing_voters(poll, chat_id=team)


def test_a_chat_without_the_user_is_denied(portal: Emulator, polls: PollsApi, team: int) -> None:
    board = portal.add_chat("Board", members=[ANNA])
    with pytest.raises(Bitrix24AccessDeniedError):
        polls.missing_voters(ask(polls, team), chat_id=board)


def test_a_poll_that_is_not_there_is_not_found(polls: PollsApi, team: int) -> None:
    with pytest.raises(Bitrix24PollNotFoundError):
        polls.missing_voters(987654, chat_id=team)


def test_a_wrong_chat_is_refused_before_anything_is_sent(portal: Emulator, polls: PollsApi) -> None:
    with pytest.raises(Bitrix24ValidationError):
        polls.missing_voters(1, chat_id="general")
    assert portal.requests.count() == 0


@pytest.mark.parametrize(
    ("method", "result"),
    [("profile", []), ("im.chat.user.list", "2,3"), ("im.user.list.get", {"2": {"name": "Anna"}})],
)
def test_a_reply_of_another_shape_is_an_error_of_the_portal(
    polls: PollsApi, team: int, monkeypatch: pytest.MonkeyPatch, method: str, result: Any
) -> None:
    poll, call = ask(polls, team), polls._client.call
    monkeypatch.setattr(
        polls._client, "call", lambda name, *rest, **kw: result if name == method else call(name, *rest, **kw)
    )
    with pytest.raises(Bitrix24ServerError):
        polls.missing_voters(poll, chat_id=team)

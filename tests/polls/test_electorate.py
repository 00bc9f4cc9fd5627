"""Whose votes count, and the poll that is left of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.polls.counting import VoteCounter
from airflow_provider_b24.polls.electorate import Electorate, count_votes, who_counted, without_own_vote
from airflow_provider_b24.polls.reference import parse_reference
from airflow_provider_b24.polls.rules import Everybody
from airflow_provider_b24.polls.verdict import Decided, votes_of

from .test_rules import poll_of

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

SETTINGS = settings(max_examples=100, deadline=None)
cast_votes = st.lists(
    st.tuples(st.integers(1, 9), st.integers(0, 2)), max_size=9, unique_by=lambda vote: vote[0]
)
people = st.frozensets(st.integers(1, 9))


def voters_of(cast: list[tuple[int, int]]) -> dict[int, list[dict[str, object]]]:
    """Return who chose which answer; the answers' ids are 1, 2 and 3."""
    return {
        answer: [{"id": person, "name": f"P{person}"} for person, choice in cast if choice == answer - 1]
        for answer in (1, 2, 3)
    }


@SETTINGS
@given(cast_votes, people, people)
def test_the_count_is_that_of_a_poll_in_which_only_those_who_count_voted(
    cast: list[tuple[int, int]], allowed: frozenset[int], excluded: frozenset[int]
) -> None:
    electorate = Electorate(allowed, excluded)
    counting = [(person, choice) for person, choice in cast if person in allowed and person not in excluded]
    counted = count_votes(poll_of(cast, is_finished=False), voters_of(cast), electorate)

    assert votes_of(counted) == votes_of(poll_of(counting, is_finished=False))
    assert counted.voters == len(counting)
    assert who_counted(voters_of(cast), electorate) == sorted(person for person, _ in counting)


@SETTINGS
@given(cast_votes)
def test_when_everybody_counts_the_count_is_the_poll_s(cast: list[tuple[int, int]]) -> None:
    poll = poll_of(cast, is_finished=False)
    counted = count_votes(poll, voters_of(cast), Electorate())

    assert (votes_of(counted), counted.voters) == (votes_of(poll), poll.voters)


def test_a_rule_that_names_people_narrows_who_counts() -> None:
    narrowed = Electorate(frozenset({1, 2, 3}), frozenset({2})).narrowed(Everybody((2, 3, 4)))

    assert narrowed.allowed == {2, 3}
    assert narrowed.size == 1
    assert [narrowed.counts(person) for person in (1, 2, 3, 4)] == [False, False, True, False]


def test_everybody_means_neither_bots_nor_people_who_have_left(portal: Emulator, hook: Bitrix24Hook) -> None:
    ann, bot, gone = (portal.add_user(name) for name in ("Ann", "Robot", "Gone"))
    portal.portal.people.get(bot).bot = True  # type: ignore[union-attr]
    portal.portal.people.get(gone).active = False  # type: ignore[union-attr]
    chat = portal.add_chat("Team", members=[1, ann, bot, gone])
    sent = hook.polls.send(chat_id=chat, question="Q?", answers=["Yes", "No"])
    portal.vote(sent["message_id"], user_id=ann, answers=["Yes"])
    counter = VoteCounter(
        polls=hook.polls,
        chats=hook.chats,
        rule=Everybody(),
        chat_id=chat,
        account_id=lambda: hook.account_id,
    )

    verdict = counter.count(parse_reference(sent), hook.polls.get(sent)).verdict
    assert isinstance(verdict, Decided)


def test_percentages_are_of_the_votes_that_count_with_two_decimals() -> None:
    poll = poll_of([(1, 0), (2, 0), (3, 1), (4, 2)], is_finished=False)
    electorate = Electorate(excluded=frozenset({4}))
    (question,) = count_votes(poll, voters_of([(1, 0), (2, 0), (3, 1), (4, 2)]), electorate).questions

    assert question.votes == 3
    assert [(answer.votes, answer.percent) for answer in question.answers] == [
        (2, 66.67),
        (1, 33.33),
        (0, 0.0),
    ]


def test_an_answer_that_the_voters_do_not_name_has_no_votes() -> None:
    poll = poll_of([(1, 0)], is_finished=False)
    (question,) = count_votes(poll, {1: [{"id": 1}]}, Electorate()).questions

    assert (question.votes, votes_of(replace(poll, questions=(question,)))) == (1, (1, 0, 0))


def test_without_votes_that_count_all_percentages_are_zero() -> None:
    poll = poll_of([(1, 0)], is_finished=False)
    (question,) = count_votes(poll, voters_of([(1, 0)]), Electorate(frozenset())).questions

    assert [answer.percent for answer in question.answers] == [0.0, 0.0, 0.0]


def test_the_own_vote_is_taken_off_its_answer_and_the_people() -> None:
    poll = poll_of([(1, 0), (2, 0), (3, 1)], is_finished=False)
    (question,) = poll.questions
    own = replace(poll, own_answers={question.id: (1,)})
    counted = without_own_vote(own)

    assert (votes_of(counted), counted.voters) == ((1, 1, 0), 2)
    assert [answer.percent for answer in counted.questions[0].answers] == [50.0, 50.0, 0.0]
    assert without_own_vote(poll) is poll


def test_an_own_vote_that_the_counters_do_not_have_yet_makes_none_negative() -> None:
    poll = poll_of([], is_finished=False)
    (question,) = poll.questions
    counted = without_own_vote(replace(poll, own_answers={question.id: (2,)}))

    assert (votes_of(counted), counted.voters) == ((0, 0, 0), 0)

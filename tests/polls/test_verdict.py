"""What a rule says of a poll: properties that hold for all polls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.polls.rules import Changed, Everybody, FirstTo, Majority, Quorum, Rule
from airflow_provider_b24.polls.verdict import Decided, Impossible, Pending, decide, leaders, votes_of

from .test_rules import poll_of

if TYPE_CHECKING:
    from airflow_provider_b24.polls.poll import Poll

SETTINGS = settings(max_examples=200, deadline=None)
PEOPLE = 7
#: Who votes for which of three answers, in the order in which they vote.
votes = st.lists(st.integers(0, 2), min_size=PEOPLE, max_size=PEOPLE).map(
    lambda choices: [(number + 1, choice) for number, choice in enumerate(choices)]
)
everybody = Everybody(tuple(range(1, PEOPLE + 1)))
rules = st.one_of(
    st.integers(1, PEOPLE).map(Quorum),
    st.just(everybody),
    st.integers(1, PEOPLE).map(FirstTo),
    st.just(Majority(PEOPLE)),
)


def open_poll(cast: list[tuple[int, int]]) -> Poll:
    return poll_of(cast, is_finished=False)


@SETTINGS
@given(votes, rules, st.randoms())
def test_the_order_of_the_votes_does_not_matter(
    cast: list[tuple[int, int]], rule: Rule, random: st.DrawFn
) -> None:
    shuffled = list(cast)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert decide(open_poll(shuffled), rule, early=True) == decide(open_poll(cast), rule, early=True)


@SETTINGS
@given(votes, rules, st.integers(0, PEOPLE), st.booleans())
def test_further_votes_never_undo_a_verdict(
    cast: list[tuple[int, int]], rule: Rule, cut: int, early: bool
) -> None:
    now = decide(open_poll(cast[:cut]), rule, early=early, electorate=PEOPLE)
    later = decide(open_poll(cast), rule, early=early, electorate=PEOPLE)

    assert isinstance(now, Pending) or type(later) is type(now)


@SETTINGS
@given(votes, st.integers(1, PEOPLE), st.integers(0, PEOPLE))
def test_an_early_end_never_contradicts_the_full_count(
    cast: list[tuple[int, int]], people: int, cut: int
) -> None:
    rule = Quorum(people)
    now = open_poll(cast[: min(cut, people)])
    if isinstance(decide(now, rule, early=True), Decided):
        full = [answer.id for answer in leaders(open_poll(cast[:people]))]
        assert [answer.id for answer in leaders(now)] == full != []


@SETTINGS
@given(votes, rules, st.integers(0, PEOPLE))
def test_an_impossible_rule_is_never_met_by_the_full_count(
    cast: list[tuple[int, int]], rule: Rule, cut: int
) -> None:
    now = decide(open_poll(cast[:cut]), rule, electorate=PEOPLE)
    if isinstance(now, Impossible):
        assert not isinstance(decide(open_poll(cast), rule), Decided)


@SETTINGS
@given(votes, st.integers(1, PEOPLE), st.integers(0, PEOPLE))
def test_where_votes_may_change_only_a_met_rule_ends_the_poll(
    cast: list[tuple[int, int]], people: int, cut: int
) -> None:
    poll = replace(open_poll(cast[:cut]), allow_revote=True)

    assert isinstance(decide(poll, Quorum(people), early=True), Decided) is (cut >= people)
    assert not isinstance(decide(poll, Majority(PEOPLE)), Impossible)


@pytest.mark.parametrize(
    ("choices", "rule", "expected"),
    [
        ([0, 0, 0], Majority(5), Decided),
        ([0, 0], Majority(5), Pending),
        ([0, 0, 1, 1, 2], Majority(5), Impossible),
        ([0, 0, 1, 1], Majority(4), Impossible),
        ([0, 1, 0], FirstTo(2), Decided),
        ([0, 1], FirstTo(2), Pending),
        ([0, 0, 0], everybody, Pending),
        ([0, 0, 0, 0], everybody, Decided),
        ([0, 0, 0, 1], everybody, Pending),
        ([0, 0, 0, 1, 0], everybody, Decided),
        ([0, 1, 2, 0, 1, 2, 0], everybody, Decided),
    ],
)
def test_decide_returns_the_verdict_of_the_rule_with_an_early_end(
    choices: list[int], rule: Rule, expected: type
) -> None:
    cast = [(number + 1, choice) for number, choice in enumerate(choices)]

    assert isinstance(decide(open_poll(cast), rule, early=True), expected)


def test_a_majority_that_those_who_count_can_not_give_any_more_is_impossible() -> None:
    split = open_poll([(1, 0), (2, 1)])

    assert isinstance(decide(split, Majority(3), electorate=3), Pending)
    assert isinstance(decide(split, Majority(3), electorate=2), Impossible)


def test_a_changed_poll_is_one_with_other_votes_or_stopped() -> None:
    poll = open_poll([(1, 0), (2, 1)])
    seen = Changed(2, votes_of(poll), allow_revote=True)

    assert isinstance(decide(poll, seen), Pending)
    assert isinstance(decide(open_poll([(1, 0), (2, 2)]), seen), Decided)
    assert isinstance(decide(open_poll([(1, 0)]), seen), Decided)
    assert isinstance(decide(replace(poll, is_finished=True), seen), Decided)


def test_a_poll_without_votes_has_no_leader() -> None:
    assert leaders(open_poll([])) == ()


def two_questions(poll: Poll) -> Poll:
    return replace(poll, questions=(*poll.questions, *poll.questions))


def test_a_rule_of_one_answer_says_why_it_can_not_be_met() -> None:
    poll = open_poll([(1, 0), (2, 0), (3, 1), (4, 1)])

    assert decide(two_questions(poll), FirstTo(2)) == Impossible(
        "the rule counts the votes of one question, and the poll has 2"
    )
    assert decide(replace(poll, is_finished=True), FirstTo(3)) == Impossible(
        "the poll was stopped when no answer had 3 votes"
    )
    assert decide(poll, FirstTo(3), electorate=4) == Impossible(
        "no answer can get 3 votes: 4 of 4 people have voted"
    )
    assert decide(poll, FirstTo(3), electorate=5) == Pending()


def test_a_rule_waits_for_all_votes_unless_it_may_end_early() -> None:
    assert decide(open_poll([(1, 0), (2, 0), (3, 0)]), Quorum(4)) == Pending()


def test_a_poll_with_several_questions_does_not_end_early() -> None:
    poll = open_poll([(1, 0), (2, 0), (3, 0)])

    assert decide(poll, Quorum(4), early=True) == Decided()
    assert decide(two_questions(poll), Quorum(4), early=True) == Pending()


def test_two_answers_are_enough_to_end_early() -> None:
    poll = open_poll([(1, 0), (2, 0), (3, 0)])
    (question,) = poll.questions
    yes_no = replace(poll, questions=(replace(question, answers=question.answers[:2]),))
    only_one = replace(poll, questions=(replace(question, answers=question.answers[:1]),))

    assert decide(yes_no, Quorum(4), early=True) == Decided()
    assert decide(only_one, Quorum(4), early=True) == Pending()


def test_a_question_without_answers_has_no_leader() -> None:
    poll = open_poll([])
    (question,) = poll.questions

    assert leaders(replace(poll, questions=(replace(question, answers=()),))) == ()


def test_one_vote_makes_a_leader() -> None:
    assert [answer.id for answer in leaders(open_poll([(1, 1)]))] == [2]


def test_everybody_must_name_its_people() -> None:
    with pytest.raises(ValueError, match=r"^the rule 'everybody' does not name its people yet$"):
        decide(open_poll([]), Everybody())

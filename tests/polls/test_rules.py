"""When a poll is decided: properties that hold for all polls."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.polls.poll import Poll
from airflow_provider_b24.polls.reference import parse_reference
from airflow_provider_b24.polls.rules import (
    Changed,
    Everybody,
    FirstTo,
    Majority,
    Quorum,
    Rule,
    Stopped,
    min_voters,
    parse_rule,
)
from airflow_provider_b24.polls.verdict import Decided, Impossible, Pending, decide

QUICK = settings(max_examples=100, deadline=None)
rules = st.one_of(st.just(Stopped()), st.integers(min_value=1, max_value=12).map(Quorum))


def poll_of(voters: list[tuple[int, int]], *, is_finished: bool) -> Poll:
    """A poll of three answers in which these people chose these answers, in this order."""
    counts = [sum(choice == answer for _, choice in voters) for answer in range(3)]
    rows = {
        str(number): {"ID": str(number), "MESSAGE": f"Answer {number}", "COUNTER": str(count)}
        for number, count in enumerate(counts, start=1)
    }
    attach = {
        "ID": 91,
        "VOTE_ID": 77,
        "COUNTER": len(voters),
        "QUESTIONS": {"140": {"ID": "140", "QUESTION": "?", "ANSWERS": rows, "COUNTER": str(len(voters))}},
        "isFinished": is_finished,
    }
    return Poll.from_attach(attach, reference=parse_reference(1), portal="https://acme.bitrix24.com")


voters_lists = st.lists(
    st.tuples(st.integers(1, 1000), st.integers(0, 2)), max_size=12, unique_by=lambda vote: vote[0]
)


@QUICK
@given(voters_lists, st.booleans(), rules)
def test_the_order_of_votes_does_not_change_the_verdict(
    votes: list[tuple[int, int]], is_finished: bool, rule: Rule
) -> None:
    verdict = decide(poll_of(votes, is_finished=is_finished), rule)
    assert decide(poll_of(votes[::-1], is_finished=is_finished), rule) == verdict
    assert decide(poll_of(sorted(votes), is_finished=is_finished), rule) == verdict


@QUICK
@given(voters_lists, st.integers(0, 12), st.booleans(), rules)
def test_more_votes_never_undo_a_decision(
    votes: list[tuple[int, int]], cut: int, is_finished: bool, rule: Rule
) -> None:
    if isinstance(decide(poll_of(votes[:cut], is_finished=is_finished), rule), Decided):
        assert isinstance(decide(poll_of(votes, is_finished=is_finished), rule), Decided)


@QUICK
@given(voters_lists, st.booleans(), rules)
def test_a_rule_is_impossible_only_and_pending_never_for_a_finished_poll(
    votes: list[tuple[int, int]], is_finished: bool, rule: Rule
) -> None:
    verdict = decide(poll_of(votes, is_finished=is_finished), rule)
    assert not isinstance(verdict, Impossible) or is_finished
    assert not isinstance(verdict, Pending) or not is_finished


@QUICK
@given(voters_lists, rules)
def test_stopping_never_undoes_a_decision(votes: list[tuple[int, int]], rule: Rule) -> None:
    if isinstance(decide(poll_of(votes, is_finished=False), rule), Decided):
        assert isinstance(decide(poll_of(votes, is_finished=True), rule), Decided)


@QUICK
@given(voters_lists, st.booleans(), st.integers(1, 11))
def test_a_smaller_quorum_is_met_whenever_a_larger_one_is(
    votes: list[tuple[int, int]], is_finished: bool, people: int
) -> None:
    poll = poll_of(votes, is_finished=is_finished)
    if isinstance(decide(poll, Quorum(people + 1)), Decided):
        assert isinstance(decide(poll, Quorum(people)), Decided)


@QUICK
@given(rules)
def test_parse_rule_restores_a_rule_from_its_json(rule: Rule) -> None:
    assert parse_rule(rule.to_json()) == rule == parse_rule(rule)


@pytest.mark.parametrize(
    ("rule", "voters", "is_finished", "verdict"),
    [
        ("stopped", 9, False, Pending),
        ("stopped", 0, True, Decided),
        ("first_vote", 0, False, Pending),
        ("first_vote", 1, False, Decided),
        ("first_vote", 1, True, Decided),
        ("first_vote", 0, True, Impossible),
        ({"quorum": 3}, 2, False, Pending),
        ({"quorum": 3}, 3, False, Decided),
        ({"quorum": "3"}, 4, True, Decided),
        ({"quorum": 3}, 2, True, Impossible),
    ],
)
def test_decide_returns_the_verdict_of_the_rule(
    rule: Any, voters: int, is_finished: bool, verdict: type
) -> None:
    poll = replace(poll_of([], is_finished=is_finished), voters=voters)
    assert isinstance(decide(poll, parse_rule(rule)), verdict)


def test_an_impossible_verdict_gives_its_reason() -> None:
    verdict = decide(poll_of([(1, 1)], is_finished=True), Quorum(3))
    assert verdict == Impossible("the poll was stopped with 1 of 3 votes")


@pytest.mark.parametrize(
    "rule", [{"quorum": 0}, {"quorum": True}, {"quorum": "²"}, {"quorum": 2.0}, {"quorum": None}]
)
def test_a_quorum_that_is_not_a_number_of_people_is_refused(rule: Any) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        parse_rule(rule)
    assert (caught.value.path, caught.value.rule) == ("rule.quorum", "must be a number of people, 1 or more")


FORMS = [
    ("stopped", Stopped(), "stopped by hand", math.inf),
    ({"quorum": 1}, Quorum(1), "first vote", 1),
    ({"quorum": 3}, Quorum(3), "quorum of 3", 3),
    ("everybody", Everybody(), "everybody in the chat", 1),
    ({"everybody": [2, 5]}, Everybody((2, 5)), "all of 2 people", 2),
    ({"first_to": 4}, FirstTo(4), "first answer with 4 votes", 4),
    ({"majority": 5}, Majority(5), "majority of 5", 3),
    ({"majority": 6}, Majority(6), "majority of 6", 4),
]


@pytest.mark.parametrize(("form", "rule", "words", "needed"), FORMS)
def test_each_rule_is_written_read_and_shown(form: Any, rule: Rule, words: str, needed: float) -> None:
    assert parse_rule(form) == rule
    assert rule.to_json() == form
    assert str(rule) == words
    assert min_voters(rule) == needed


@pytest.mark.parametrize("form", ["stopped", " first_vote ", "everybody", "{'quorum': 2}", '{"first_to": 2}'])
def test_a_rule_may_be_the_text_that_a_template_renders(form: str) -> None:
    assert isinstance(parse_rule(form), Stopped | Quorum | Everybody | FirstTo)


@pytest.mark.parametrize(("allow_revote", "needed"), [(True, 0), (False, 4)])
def test_a_change_needs_another_voter_where_votes_are_final(allow_revote: bool, needed: int) -> None:
    changed = Changed(voters=3, votes=(2, 1), allow_revote=allow_revote)

    assert (min_voters(changed), str(changed)) == (needed, "next vote")


@pytest.mark.parametrize("people", [None, 5, "2", [], {}, {2: 3}])
def test_everybody_takes_a_list_of_people(people: Any) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        parse_rule({"everybody": people})
    assert (caught.value.path, caught.value.rule) == ("rule.everybody", "must be a list of user ids")


def test_the_wrong_user_id_of_everybody_is_named() -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        parse_rule({"everybody": [3, "two"]})
    assert (caught.value.path, caught.value.rule) == ("rule.everybody[1]", "must be a user id")


def test_people_are_counted_once_and_kept_in_order() -> None:
    for people in ([5, "2", 5], (5, 2), {2, 5}, frozenset({5, 2})):
        assert parse_rule({"everybody": people}) == Everybody((2, 5))


@pytest.mark.parametrize("rule", ["soon", {}, {"quorum": 1, "majority": 2}, {"most": 1}, None, 3])
def test_what_is_no_rule_is_refused_with_all_forms(rule: Any) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        parse_rule(rule)
    assert caught.value.path == "rule"
    assert caught.value.rule == (
        "must be 'stopped', 'first_vote', 'everybody', {'quorum': k}, {'everybody': [user ids]}, "
        f"{{'first_to': k}} or {{'majority': n}}, not {rule!r}"
    )

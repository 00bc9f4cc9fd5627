"""The result of a poll that was asked: votes go before the deadline, and a tie is an explicit choice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24PollTiedError,
    Bitrix24PollTimeoutError,
    Bitrix24PollUndecidedError,
)
from airflow_provider_b24.polls.counting import Count
from airflow_provider_b24.polls.electorate import Electorate
from airflow_provider_b24.polls.result import Result, ResultPolicy, result_of
from airflow_provider_b24.polls.rules import FirstTo, Quorum, Rule, Stopped
from airflow_provider_b24.polls.verdict import decide

from .test_rules import poll_of


def result(
    choices: list[int],
    rule: Rule,
    *,
    policy: ResultPolicy | None = None,
    seen: list[int] | None = None,
    timed_out: bool = False,
    multiple_choice: bool = False,
) -> Result:
    poll = poll_of([(number, choice) for number, choice in enumerate(choices, start=1)], is_finished=True)
    question = replace(poll.questions[0], multiple_choice=multiple_choice)
    poll = replace(poll, questions=(question,))
    count = Count(poll, decide(poll, rule, early=True), Electorate())
    return result_of(count, rule, policy or ResultPolicy(), seen=seen, timed_out=timed_out)


def test_the_answer_with_the_most_votes_is_chosen() -> None:
    assert result([0, 1, 1], Quorum(3)) == Result(("Answer 2",), "votes")


def test_a_poll_that_was_to_be_stopped_by_hand_is_decided_by_the_stop() -> None:
    assert result([2], Stopped()) == Result(("Answer 3",), "stopped")


def test_a_vote_before_the_stop_counts_although_the_deadline_has_passed() -> None:
    policy = ResultPolicy(defaults=("Answer 3",))

    assert result([0], Quorum(1), policy=policy, timed_out=True) == Result(("Answer 1",), "votes")


def test_the_deadline_chooses_the_defaults() -> None:
    policy = ResultPolicy(defaults=("Answer 3",))

    assert result([0], Quorum(2), policy=policy, timed_out=True) == Result(("Answer 3",), "default", True)


def test_the_deadline_without_defaults_is_an_error() -> None:
    with pytest.raises(Bitrix24PollTimeoutError):
        result([0], Quorum(2), timed_out=True)


@pytest.mark.parametrize("rule", [Quorum(3), FirstTo(2), Quorum(1)])
def test_a_poll_stopped_before_its_rule_was_met_is_undecided(rule: Rule) -> None:
    with pytest.raises(Bitrix24PollUndecidedError, match="stopped"):
        result([], rule)


def test_a_poll_stopped_by_hand_without_a_vote_is_undecided() -> None:
    with pytest.raises(Bitrix24PollUndecidedError, match="without a vote"):
        result([], Stopped())


@pytest.mark.parametrize(
    ("tie", "chosen"), [("first", ("Answer 1",)), ("Answer 2", ("Answer 2",)), ("Answer 3", ("Answer 3",))]
)
def test_a_tie_is_broken_as_the_policy_says(tie: str, chosen: tuple[str, ...]) -> None:
    assert result([0, 1], Quorum(2), policy=ResultPolicy(tie)).chosen == chosen


def test_a_tie_fails_by_default() -> None:
    with pytest.raises(Bitrix24PollTiedError, match="'Answer 1' and 'Answer 2' have 1 votes each"):
        result([0, 1], Quorum(2))


def test_several_leading_answers_are_all_chosen_where_people_may_choose_several() -> None:
    assert result([0, 1], Quorum(2), multiple_choice=True).chosen == ("Answer 1", "Answer 2")


@pytest.mark.parametrize(
    ("choices", "rule", "seen", "chosen"),
    [
        # The first vote was for 1; more votes came before the stop.
        ([0, 1, 1], Quorum(1), [1], "Answer 1"),
        ([0, 0, 1, 1, 1], FirstTo(2), [1], "Answer 1"),
        # A quorum counts all votes before the stop; what was seen breaks a tie.
        ([0, 0, 1, 1, 1], Quorum(2), [1], "Answer 2"),
        ([0, 0, 1, 1], Quorum(2), [1], "Answer 1"),
    ],
)
def test_votes_between_decision_and_stop(
    choices: list[int], rule: Rule, seen: list[int], chosen: str
) -> None:
    assert result(choices, rule, seen=seen).chosen == (chosen,)


def test_all_errors_of_a_result_fail_the_task_without_a_retry() -> None:
    from airflow_provider_b24.exceptions import AirflowFailException

    kinds: list[Any] = [Bitrix24PollTiedError, Bitrix24PollTimeoutError]
    assert all(issubclass(kind, AirflowFailException) for kind in kinds)

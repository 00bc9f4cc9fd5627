"""The result of a poll that was asked: which answer, decided by what. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import (
    Bitrix24PollTiedError,
    Bitrix24PollTimeoutError,
    Bitrix24PollUndecidedError,
    Outcome,
)
from airflow_provider_b24.polls.rules import FirstTo, Majority, Quorum, Stopped
from airflow_provider_b24.polls.verdict import Decided, Impossible, leaders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_b24.polls.counting import Count
    from airflow_provider_b24.polls.poll import Answer, Poll
    from airflow_provider_b24.polls.rules import Rule

_GET = "vote.AttachedVote.get"


@dataclass(frozen=True)
class Result:
    """What people, a deadline or Airflow decided.

    :param chosen: the texts of the answers, in the poll's order.
    :param decided_by: ``votes``, ``stopped``, ``default`` or ``airflow``.
    :param timed_out: whether the deadline decided.
    """

    chosen: tuple[str, ...]
    decided_by: str
    timed_out: bool = False


@dataclass(frozen=True)
class ResultPolicy:
    """What a tie and a deadline mean.

    :param tie: ``fail``, ``first``, or the text of an answer.
    :param defaults: the answers that a deadline chooses; None: it fails.
    """

    tie: str = "fail"
    defaults: tuple[str, ...] | None = None


def result_of(
    count: Count, rule: Rule, policy: ResultPolicy, *, seen: Sequence[int] | None, timed_out: bool
) -> Result:
    """Return the result of a poll that is stopped.

    Votes go before the deadline: a vote that the portal took before it stopped the poll counts.

    :param count: the count after the stop.
    :param rule: the rule.
    :param policy: what a tie and a deadline mean.
    :param seen: ids of the leading answers when the poll was found decided; None: it was not.
    :param timed_out: whether the deadline ended the wait.
    :raises Bitrix24PollTiedError: when several answers lead and the policy says ``fail``.
    :raises Bitrix24PollTimeoutError: when the deadline passed and there is no default.
    :raises Bitrix24PollUndecidedError: when the poll was stopped before the rule was met.
    """
    verdict = count.verdict
    if seen is not None or isinstance(verdict, Decided):
        winners = _winners(count.poll, rule, seen)
        if winners:
            decided_by = "stopped" if isinstance(rule, Stopped) else "votes"
            return Result(_break_tie(count.poll, winners, policy), decided_by)
    if timed_out:
        return _default(policy)
    reason = (
        verdict.reason
        if isinstance(verdict, Impossible)
        else "the poll was stopped without a vote that counts"
    )
    raise Bitrix24PollUndecidedError(
        f"The poll can't be decided by the rule {rule}: {reason}", method=_GET, outcome=Outcome.REFUSED
    )


def _winners(poll: Poll, rule: Rule, seen: Sequence[int] | None) -> tuple[Answer, ...]:
    """Return the leaders; votes after the decision break no rule that asks who was first."""
    answers = poll.questions[0].answers
    if seen is not None and _asks_who_was_first(rule):
        return tuple(answer for answer in answers if answer.id in seen)
    top = leaders(poll)
    if seen is None or len(top) == 1:
        return top
    kept = tuple(answer for answer in top or answers if answer.id in seen)
    return kept or top


def _asks_who_was_first(rule: Rule) -> bool:
    return isinstance(rule, FirstTo | Majority) or rule == Quorum(1)


def _break_tie(poll: Poll, winners: tuple[Answer, ...], policy: ResultPolicy) -> tuple[str, ...]:
    texts = tuple(answer.text for answer in winners)
    # Who may choose several answers may also agree on several.
    if len(texts) == 1 or poll.questions[0].multiple_choice:
        return texts
    if policy.tie == "first":
        return texts[:1]
    if policy.tie != "fail":
        return (policy.tie,)
    raise Bitrix24PollTiedError(
        f"The poll is tied: {' and '.join(map(repr, texts))} have {winners[0].votes} votes each",
        method=_GET,
        outcome=Outcome.REFUSED,
    )


def _default(policy: ResultPolicy) -> Result:
    if policy.defaults is None:
        raise Bitrix24PollTimeoutError(
            "The deadline passed before the poll was decided", method=_GET, outcome=Outcome.REFUSED
        )
    return Result(policy.defaults, "default", timed_out=True)

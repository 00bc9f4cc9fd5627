"""What a rule says of a poll: decided, pending, or impossible. Pure.

The poll holds the votes that count, and nothing else matters: not their order, not the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_b24.polls.rules import Changed, Everybody, FirstTo, Majority, Quorum, Stopped

if TYPE_CHECKING:
    from airflow_provider_b24.polls.poll import Answer, Poll
    from airflow_provider_b24.polls.rules import WatchRule


@dataclass(frozen=True)
class Pending:
    """Not decided yet."""


@dataclass(frozen=True)
class Decided:
    """Decided."""


@dataclass(frozen=True)
class Impossible:
    """The rule can't be met any more.

    :param reason: why, for an error's message.
    """

    reason: str


Verdict = Pending | Decided | Impossible


def decide(poll: Poll, rule: WatchRule, *, early: bool = False, electorate: int | None = None) -> Verdict:
    """Say whether the rule is met, can still be met, or can no longer be met.

    :param poll: the poll, with the votes that count.
    :param rule: the rule; ``everybody`` must name its people.
    :param early: decide as soon as further votes can't change the outcome.
    :param electorate: how many people can vote at most; None is not known.
    """
    if isinstance(rule, Changed):
        return Decided() if _has_changed(poll, rule) else Pending()
    if isinstance(rule, Stopped):
        return Decided() if poll.is_finished else Pending()
    if isinstance(rule, Quorum):
        return _by_turnout(poll, rule.people, early=early)
    if isinstance(rule, Everybody):
        if rule.user_ids is None:
            raise ValueError("the rule 'everybody' does not name its people yet")
        return _by_turnout(poll, len(rule.user_ids), early=early)
    return _by_votes(poll, rule, electorate)


def leaders(poll: Poll) -> tuple[Answer, ...]:
    """Return the answers with the most votes, in the poll's order; none when there is no vote.

    :param poll: a poll with one question.
    """
    answers = poll.questions[0].answers
    top = max((answer.votes for answer in answers), default=0)
    return tuple(answer for answer in answers if answer.votes == top) if top else ()


def _by_turnout(poll: Poll, people: int, *, early: bool) -> Verdict:
    if poll.voters >= people:
        return Decided()
    if early and not poll.allow_revote and _is_unbeatable(poll, people - poll.voters):
        return Decided()
    if poll.is_finished:
        return Impossible(f"the poll was stopped with {poll.voters} of {people} votes")
    return Pending()


def _by_votes(poll: Poll, rule: FirstTo | Majority, electorate: int | None) -> Verdict:
    if len(poll.questions) != 1:
        return Impossible(
            f"the rule counts the votes of one question, and the poll has {len(poll.questions)}"
        )
    top = max(answer.votes for answer in poll.questions[0].answers)
    if top >= rule.votes:
        return Decided()
    if poll.is_finished:
        return Impossible(f"the poll was stopped when no answer had {rule.votes} votes")
    most = rule.of if isinstance(rule, Majority) else electorate
    people = most if most is None or electorate is None else min(most, electorate)
    if people is None or poll.allow_revote or top + max(people - poll.voters, 0) >= rule.votes:
        return Pending()
    return Impossible(f"no answer can get {rule.votes} votes: {poll.voters} of {people} people have voted")


def _is_unbeatable(poll: Poll, remaining: int) -> bool:
    """Say whether one answer leads by more votes than can still come."""
    if len(poll.questions) != 1:
        return False
    votes = sorted((answer.votes for answer in poll.questions[0].answers), reverse=True)
    return len(votes) > 1 and votes[0] - votes[1] > remaining


def _has_changed(poll: Poll, rule: Changed) -> bool:
    return poll.is_finished or poll.voters != rule.voters or votes_of(poll) != rule.votes


def votes_of(poll: Poll) -> tuple[int, ...]:
    """Return the votes of all answers, in order.

    :param poll: the poll.
    """
    return tuple(answer.votes for question in poll.questions for answer in question.answers)

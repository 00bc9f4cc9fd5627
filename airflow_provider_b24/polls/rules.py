"""The rules that say when a poll is decided. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.ids import positive_number

if TYPE_CHECKING:
    from airflow_provider_b24.polls.poll import Poll


@dataclass(frozen=True)
class Pending:
    """Not decided yet."""


@dataclass(frozen=True)
class Decided:
    """Decided."""


@dataclass(frozen=True)
class Impossible:
    """The poll ended so that the rule can't be met.

    :param reason: why, for an error's message.
    """

    reason: str


Verdict = Pending | Decided | Impossible


@dataclass(frozen=True)
class Stopped:
    """Decided when somebody stops the poll."""

    def __str__(self) -> str:
        return "stopped"

    def to_json(self) -> str:
        """Return the rule as a user writes it."""
        return "stopped"


@dataclass(frozen=True)
class Quorum:
    """Decided when so many people have voted.

    :param people: how many.
    """

    people: int

    def __str__(self) -> str:
        return "first vote" if self.people == 1 else f"quorum of {self.people}"

    def to_json(self) -> dict[str, int]:
        """Return the rule as a user writes it."""
        return {"quorum": self.people}


Rule = Stopped | Quorum


def parse_rule(rule: Any) -> Rule:
    """Return the rule that a user's value means.

    :param rule: ``"stopped"``, ``"first_vote"``, or ``{"quorum": k}`` with k from 1 on.
    :raises Bitrix24ValidationError: when it is none of these.
    """
    if isinstance(rule, Stopped | Quorum):
        return rule
    if rule == "stopped":
        return Stopped()
    if rule == "first_vote":
        return Quorum(1)
    if isinstance(rule, Mapping) and set(rule) == {"quorum"}:
        return Quorum(_people(rule["quorum"]))
    raise Bitrix24ValidationError("rule", f"must be 'stopped', 'first_vote' or {{'quorum': k}}, not {rule!r}")


def decide(poll: Poll, rule: Rule) -> Verdict:
    """Say whether the rule is met, can still be met, or can no longer be met.

    :param poll: the poll.
    :param rule: the rule.
    """
    if isinstance(rule, Stopped):
        return Decided() if poll.is_finished else Pending()
    if poll.voters >= rule.people:
        return Decided()
    if poll.is_finished:
        return Impossible(f"the poll was stopped with {poll.voters} of {rule.people} votes")
    return Pending()


def min_voters(rule: Rule) -> float:
    """Return how many people must have voted before the rule can decide a poll that is not stopped.

    :param rule: the rule.
    """
    return math.inf if isinstance(rule, Stopped) else rule.people


def _people(value: Any) -> int:
    people = positive_number(value)
    if people is None:
        raise Bitrix24ValidationError("rule.quorum", "must be a number of people, 1 or more")
    return people

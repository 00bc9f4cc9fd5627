"""The rules that say when a poll is decided: what a user writes, what people read, what they need. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.field_values import literal
from airflow_provider_b24.ids import positive_number


@dataclass(frozen=True)
class Stopped:
    """Decided when a person stops the poll."""

    def __str__(self) -> str:
        return "stopped by hand"

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


@dataclass(frozen=True)
class Everybody:
    """Decided when everybody has voted.

    :param user_ids: who is to vote; None is every member of the chat but the asking account.
    """

    user_ids: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return "everybody in the chat" if self.user_ids is None else f"all of {len(self.user_ids)} people"

    def to_json(self) -> dict[str, list[int]] | str:
        """Return the rule as a user writes it."""
        return "everybody" if self.user_ids is None else {"everybody": list(self.user_ids)}


@dataclass(frozen=True)
class FirstTo:
    """Decided when an answer has so many votes.

    :param votes: how many.
    """

    votes: int

    def __str__(self) -> str:
        return f"first answer with {self.votes} votes"

    def to_json(self) -> dict[str, int]:
        """Return the rule as a user writes it."""
        return {"first_to": self.votes}


@dataclass(frozen=True)
class Majority:
    """Decided when an answer has the votes of more than half of so many people.

    :param of: how many people may vote.
    """

    of: int

    def __str__(self) -> str:
        return f"majority of {self.of}"

    @property
    def votes(self) -> int:
        """How many votes are more than half."""
        return self.of // 2 + 1

    def to_json(self) -> dict[str, int]:
        """Return the rule as a user writes it."""
        return {"majority": self.of}


@dataclass(frozen=True, slots=True)
class Changed:
    """Met when a poll is not as it was seen last; a trigger waits by it for the next vote.

    :param voters: how many had voted.
    :param votes: the votes of each answer.
    :param allow_revote: whether votes can move from one answer to another.
    """

    voters: int
    votes: tuple[int, ...]
    allow_revote: bool

    def __str__(self) -> str:
        return "next vote"


Rule = Stopped | Quorum | Everybody | FirstTo | Majority
WatchRule = Rule | Changed

_NAMED: dict[str, Rule] = {"stopped": Stopped(), "first_vote": Quorum(1), "everybody": Everybody()}
_COUNTED: dict[Any, type[Quorum] | type[FirstTo] | type[Majority]] = {
    "quorum": Quorum,
    "first_to": FirstTo,
    "majority": Majority,
}
_FORMS = (
    "must be 'stopped', 'first_vote', 'everybody', {'quorum': k}, {'everybody': [user ids]}, "
    "{'first_to': k} or {'majority': n}"
)


def parse_rule(rule: Any, path: str = "rule") -> Rule:
    """Return the rule that a user's value means.

    :param rule: ``"stopped"``, ``"first_vote"``, ``"everybody"``, ``{"quorum": k}``,
        ``{"everybody": [user ids]}``, ``{"first_to": k}``, ``{"majority": n}``, or the text of one of
        these, as a template renders it.
    :param path: what the error calls the value.
    :raises Bitrix24ValidationError: when it is none of these.
    """
    if isinstance(rule, Rule):
        return rule
    value = literal(rule) if isinstance(rule, str) else rule
    if isinstance(value, str) and value.strip() in _NAMED:
        return _NAMED[value.strip()]
    if isinstance(value, Mapping) and len(value) == 1:
        name, given = next(iter(value.items()))
        if name == "everybody":
            return Everybody(_user_ids(given, f"{path}.everybody"))
        if name in _COUNTED:
            return _COUNTED[name](_people(given, f"{path}.{name}"))
    raise Bitrix24ValidationError(path, f"{_FORMS}, not {rule!r}")


def min_voters(rule: WatchRule) -> float:
    """Return how many people must have voted before the rule can decide a poll that is not stopped.

    :param rule: the rule.
    """
    if isinstance(rule, Changed):
        return 0 if rule.allow_revote else rule.voters + 1
    if isinstance(rule, Everybody):
        return len(rule.user_ids) if rule.user_ids is not None else 1
    if isinstance(rule, Stopped):
        return math.inf
    return rule.people if isinstance(rule, Quorum) else rule.votes


def _people(value: Any, path: str) -> int:
    people = positive_number(value)
    if people is None:
        raise Bitrix24ValidationError(path, "must be a number of people, 1 or more")
    return people


def _user_ids(value: Any, path: str) -> tuple[int, ...]:
    if not isinstance(value, list | tuple | set | frozenset) or not value:
        raise Bitrix24ValidationError(path, "must be a list of user ids")
    ids = [positive_number(item) for item in value]
    for index, number in enumerate(ids):
        if number is None:
            raise Bitrix24ValidationError(f"{path}[{index}]", "must be a user id")
    return tuple(sorted({number for number in ids if number is not None}))

"""Who counts in a poll, and the poll with their votes alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_b24.polls.poll import Answer, Poll, Question
    from airflow_provider_b24.polls.rules import Everybody

#: Answer id to the people who chose it, as ``hook.polls.voters`` returns it.
Voters = dict[int, list[dict[str, Any]]]


@dataclass(frozen=True)
class Electorate:
    """The people whose votes count; the asking account never counts.

    :param allowed: user ids; None is everybody.
    :param excluded: user ids that do not count although they are allowed.
    """

    allowed: frozenset[int] | None = None
    excluded: frozenset[int] = frozenset()

    @property
    def needs_voters(self) -> bool:
        """Whether one must know who voted for what."""
        return self.allowed is not None or bool(self.excluded)

    @property
    def size(self) -> int | None:
        """How many people can vote at most; None is not known."""
        return None if self.allowed is None else len(self.allowed - self.excluded)

    def counts(self, user_id: int) -> bool:
        """Say whether a person's vote counts.

        :param user_id: the person.
        """
        return (self.allowed is None or user_id in self.allowed) and user_id not in self.excluded

    def narrowed(self, rule: Everybody) -> Electorate:
        """Return the electorate of a rule that names its people.

        :param rule: the rule.
        """
        named = frozenset(rule.user_ids or ())
        allowed = named if self.allowed is None else named & self.allowed
        return replace(self, allowed=allowed)


def count_votes(poll: Poll, voters: Voters, electorate: Electorate) -> Poll:
    """Return the poll with the votes of those who count.

    :param poll: the poll as it was read.
    :param voters: who chose which answer.
    :param electorate: who counts.
    """
    counted = {
        answer_id: [person for person in people if electorate.counts(person["id"])]
        for answer_id, people in voters.items()
    }
    people = {person["id"] for chosen in counted.values() for person in chosen}
    votes = {answer_id: len(chosen) for answer_id, chosen in counted.items()}
    return _with_votes(poll, votes, len(people))


def without_own_vote(poll: Poll) -> Poll:
    """Return the poll without the vote of the asking account, which the portal always tells.

    :param poll: the poll as it was read.
    """
    own = {answer_id for answers in poll.own_answers.values() for answer_id in answers}
    if not own:
        return poll
    votes = {
        answer.id: max(answer.votes - (answer.id in own), 0)
        for question in poll.questions
        for answer in question.answers
    }
    return _with_votes(poll, votes, max(poll.voters - 1, 0))


def _with_votes(poll: Poll, votes: Mapping[int, int], people: int) -> Poll:
    questions = tuple(_question_with(question, votes) for question in poll.questions)
    return replace(poll, voters=people, questions=questions)


def _question_with(question: Question, votes: Mapping[int, int]) -> Question:
    total = sum(votes.get(answer.id, 0) for answer in question.answers)
    answers = tuple(_answer_with(answer, votes.get(answer.id, 0), total) for answer in question.answers)
    return replace(question, votes=total, answers=answers)


def _answer_with(answer: Answer, votes: int, total: int) -> Answer:
    return replace(answer, votes=votes, percent=round(votes * 100 / total, 2) if total else 0.0)


def who_counted(voters: Voters, electorate: Electorate) -> Sequence[int]:
    """Return the user ids of the voters who count, in order.

    :param voters: who chose which answer.
    :param electorate: who counts.
    """
    ids = {person["id"] for people in voters.values() for person in people}
    return sorted(user_id for user_id in ids if electorate.counts(user_id))

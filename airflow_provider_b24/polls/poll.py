"""A poll as Python and XCom see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.polls.reference import PollReference, ReferenceKind
from airflow_provider_b24.rest.php import (
    as_bool,
    as_count,
    as_dict,
    as_id,
    as_number,
    as_rows,
    as_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_REVOTE = 1
_MULTIPLE_CHOICE = 1


@dataclass(frozen=True)
class Answer:
    """One answer and its votes.

    :param percent: its share of the question's votes, 0 to 100.
    """

    id: int
    text: str
    votes: int
    percent: float

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON values."""
        return {"id": self.id, "text": self.text, "votes": self.votes, "percent": self.percent}


@dataclass(frozen=True)
class Question:
    """One question; a chat poll has one, a feed poll may have several."""

    id: int
    text: str
    multiple_choice: bool
    votes: int
    answers: tuple[Answer, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the question as JSON values."""
        return {
            "id": self.id,
            "text": self.text,
            "multiple_choice": self.multiple_choice,
            "votes": self.votes,
            "answers": [answer.to_dict() for answer in self.answers],
        }


@dataclass(frozen=True)
class Poll:
    """A poll at the moment at which it was read.

    :param message_id: the chat message that it is attached to; None when it was named by an attach id
        or is attached to a feed post.
    :param voters: how many people have voted.
    :param is_finished: whether it is stopped.
    :param is_voted: whether the connection's user has voted.
    :param can_vote: whether the connection's user may vote now.
    :param can_revote: whether the connection's user may vote again.
    :param can_edit: whether the connection's user may stop and resume it.
    :param own_answers: question id to the answer ids that the connection's user chose.
    :param result_url: the portal's page with the results.
    """

    message_id: int | None
    attach_id: int
    vote_id: int
    voters: int
    questions: tuple[Question, ...]
    is_finished: bool
    anonymous: bool
    allow_revote: bool
    is_voted: bool
    can_vote: bool
    result_url: str
    can_revote: bool = False
    can_edit: bool = False
    own_answers: Mapping[int, frozenset[int]] = field(default_factory=dict)

    @classmethod
    def from_attach(
        cls,
        attach: Mapping[str, Any],
        *,
        reference: PollReference,
        portal: str,
        anonymous_value: int = 2,
    ) -> Poll:
        """Return the poll that a reply's ``attach`` describes.

        :param attach: the object as the portal sent it.
        :param reference: how the poll was named: the reply does not say what it is attached to.
        :param portal: the portal's address, for an absolute result address.
        :param anonymous_value: the ANONYMITY that hides who voted.
        :raises ValueError: when it has no id, counter, questions or answers, or is not a poll at all.
        """
        by_message = reference.kind is ReferenceKind.MESSAGE
        is_finished = as_bool(attach.get("isFinished"))
        questions = tuple(map(_question, _rows(attach.get("QUESTIONS"))))
        if not questions:
            raise ValueError("it has no questions")
        return cls(
            message_id=int(reference.value) if by_message else None,
            attach_id=as_id(attach.get("ID")),
            vote_id=as_id(attach.get("VOTE_ID")),
            voters=as_count(attach.get("COUNTER")),
            questions=questions,
            is_finished=is_finished,
            anonymous=as_number(attach.get("ANONYMITY")) == anonymous_value,
            allow_revote=bool(int(as_number(attach.get("OPTIONS"))) & _REVOTE),
            is_voted=as_bool(attach.get("isVoted")),
            # In the second in which a poll is stopped the portal still says yes.
            can_vote=as_bool(attach.get("canVote")) and not is_finished,
            result_url=_absolute(as_text(attach.get("resultUrl")), portal),
            can_revote=as_bool(attach.get("canRevote")),
            can_edit=as_bool(attach.get("canEdit")),
            own_answers=_own_answers(attach.get("userAnswerMap")),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the poll as JSON values, for XCom; any poll parameter takes it back."""
        return {
            "message_id": self.message_id,
            "attach_id": self.attach_id,
            "vote_id": self.vote_id,
            "voters": self.voters,
            "questions": [question.to_dict() for question in self.questions],
            "is_finished": self.is_finished,
            "anonymous": self.anonymous,
            "allow_revote": self.allow_revote,
            "is_voted": self.is_voted,
            "can_vote": self.can_vote,
            "result_url": self.result_url,
        }


def _question(row: Mapping[str, Any]) -> Question:
    answers = tuple(map(_answer, _rows(row.get("ANSWERS"))))
    if not answers:
        raise ValueError("it has a question without answers")
    return Question(
        id=as_id(row.get("ID")),
        text=as_text(row.get("QUESTION")),
        multiple_choice=as_number(row.get("FIELD_TYPE")) == _MULTIPLE_CHOICE,
        votes=as_count(row.get("COUNTER")),
        answers=answers,
    )


def _answer(row: Mapping[str, Any]) -> Answer:
    return Answer(
        id=as_id(row.get("ID")),
        text=as_text(row.get("MESSAGE")),
        votes=as_count(row.get("COUNTER")),
        percent=as_number(row.get("PERCENT")),
    )


def _rows(value: Any) -> list[dict[str, Any]]:
    """Return rows in the order in which the chat shows them."""
    return sorted(as_rows(value), key=lambda row: (as_number(row.get("C_SORT")), as_id(row.get("ID"))))


def _own_answers(value: Any) -> dict[int, frozenset[int]]:
    return {
        as_id(question): frozenset(map(as_id, as_dict(answers)))
        for question, answers in as_dict(value).items()
    }


def _absolute(url: str, portal: str) -> str:
    return portal + url if url.startswith("/") else url

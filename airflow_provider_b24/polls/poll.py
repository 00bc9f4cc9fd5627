"""A poll as Python and XCom see it, whatever PHP made of its numbers and empty lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_b24.polls.reference import PollReference, ReferenceKind

_ANONYMOUS = 2
_REVOTE = 1


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

    :param message_id: the chat message that it hangs on; None when it was named by an attach id or
        hangs on a feed post.
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
    def from_attach(cls, attach: Mapping[str, Any], *, reference: PollReference, portal: str) -> Poll:
        """Return the poll that a reply's ``attach`` describes.

        :param reference: how the poll was named: the reply does not say what it hangs on.
        :param portal: the portal's address, for an absolute result address.
        """
        options = _int(attach.get("OPTIONS"))
        named_by_message = reference.kind is ReferenceKind.MESSAGE
        return cls(
            message_id=_int(attach.get("entityId")) or int(reference.value) if named_by_message else None,
            attach_id=_int(attach.get("ID")),
            vote_id=_int(attach.get("VOTE_ID")),
            voters=_int(attach.get("COUNTER")),
            questions=tuple(_question(row) for row in _rows(attach.get("QUESTIONS"))),
            is_finished=bool(attach.get("isFinished")),
            anonymous=_int(attach.get("ANONYMITY")) == _ANONYMOUS,
            allow_revote=bool(options & _REVOTE),
            is_voted=bool(attach.get("isVoted")),
            # In the second in which a poll is stopped the portal still says yes.
            can_vote=bool(attach.get("canVote")) and not attach.get("isFinished"),
            result_url=_absolute(str(attach.get("resultUrl") or ""), portal),
            can_revote=bool(attach.get("canRevote")),
            can_edit=bool(attach.get("canEdit")),
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
    return Question(
        id=_int(row.get("ID")),
        text=str(row.get("QUESTION") or ""),
        multiple_choice=_int(row.get("FIELD_TYPE")) == 1,
        votes=_int(row.get("COUNTER")),
        answers=tuple(_answer(answer) for answer in _rows(row.get("ANSWERS"))),
    )


def _answer(row: Mapping[str, Any]) -> Answer:
    return Answer(
        id=_int(row.get("ID")),
        text=str(row.get("MESSAGE") or ""),
        votes=_int(row.get("COUNTER")),
        percent=float(row.get("PERCENT") or 0),
    )


def _rows(value: Any) -> list[Mapping[str, Any]]:
    """Return PHP's rows in the order in which the chat shows them."""
    rows = list(value.values()) if isinstance(value, Mapping) else list(value or [])
    return sorted(rows, key=lambda row: (_int(row.get("C_SORT")), _int(row.get("ID"))))


def _own_answers(value: Any) -> dict[int, frozenset[int]]:
    if not isinstance(value, Mapping):
        return {}
    return {_int(question): frozenset(map(_int, answers)) for question, answers in value.items()}


def _absolute(url: str, portal: str) -> str:
    return portal + url if url.startswith("/") else url


def _int(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0

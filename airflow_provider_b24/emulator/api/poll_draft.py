"""A poll as a caller wrote it, checked in the order in which the server does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.php.api_error import ApiError
from airflow_provider_b24.emulator.state.polls import PUBLIC

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.polls import Poll
    from airflow_provider_b24.emulator.state.portal import Portal

MAX_QUESTIONS = 1
MIN_ANSWERS = 2
MAX_ANSWERS = 10


@dataclass(slots=True)
class DraftQuestion:
    """A valid question."""

    text: str
    field_type: int
    answers: list[tuple[str, str]]


@dataclass(slots=True)
class PollDraft:
    """A valid poll that is not stored yet."""

    question: DraftQuestion
    anonymity: int
    options: int

    def save(self, portal: Portal, author_id: int) -> Poll:
        """Store it as a vote that is attached to nothing."""
        question = portal.polls.new_question(
            self.question.text, self.question.answers, field_type=self.question.field_type
        )
        return portal.polls.save(author_id, [question], anonymity=self.anonymity, options=self.options)

    def component_params(self, poll: Poll) -> dict[str, Any]:
        """Return what the chat message carries for the clients that draw the poll."""
        question = self.question
        answers = [{"MESSAGE": text, "REACTION": reaction} for text, reaction in question.answers]
        rows = [{"QUESTION": question.text, "FIELD_TYPE": question.field_type, "ANSWERS": answers}]
        data = {"ANONYMITY": self.anonymity, "OPTIONS": self.options, "QUESTIONS": rows}
        return {"COMPONENT_ID": "VoteMessage", "COMPONENT_PARAMS": {"id": poll.vote_id, "data": data}}


def read(portal: Portal, data: Any) -> PollDraft:
    """Check ``IM_MESSAGE_VOTE_DATA``.

    :raises ApiError: the draft is refused, with code 0.
    """
    fields = dict(php.pairs(data))
    questions = [
        question
        for _, row in php.pairs(fields.get("QUESTIONS"))
        if (question := _question(portal, dict(php.pairs(row)))) is not None
    ]
    if not questions:
        raise _refusal(portal, "poll.empty")
    if len(questions) > MAX_QUESTIONS:
        raise _refusal(portal, "poll.many_questions", limit=MAX_QUESTIONS)
    if len(questions[0].answers) < MIN_ANSWERS:
        raise _refusal(portal, "poll.few_answers", limit=MIN_ANSWERS)
    if len(questions[0].answers) > MAX_ANSWERS:
        raise _refusal(portal, "poll.many_answers", limit=MAX_ANSWERS)
    anonymity = fields.get("ANONYMITY")
    return PollDraft(
        questions[0],
        _usual_anonymity(portal) if anonymity is None else php.to_int(anonymity),
        php.to_int(fields.get("OPTIONS")),
    )


def _question(portal: Portal, row: dict[str, Any]) -> DraftQuestion | None:
    """Return a question, or None for a row that the server drops silently."""
    if row.get("DEL") == "Y":
        return None
    text = _text(row.get("QUESTION"))
    answers = [
        (_text(answer.get("MESSAGE")), _text(answer.get("REACTION")))
        for _, item in php.pairs(row.get("ANSWERS"))
        if (answer := dict(php.pairs(item))).get("DEL") != "Y" and _text(answer.get("MESSAGE"))
    ]
    if not text and not answers:
        return None
    if not text or not answers:
        raise _refusal(portal, "poll.empty")
    return DraftQuestion(text, int(php.to_int(row.get("FIELD_TYPE")) == 1), answers)


def _text(value: Any) -> str:
    return php.trim(str(value)) if isinstance(value, str | int | float) else ""


def _usual_anonymity(portal: Portal) -> int:
    """Return what a poll without ANONYMITY is: public, in the portal's numbers."""
    return PUBLIC if portal.quirks.anonymous_number != PUBLIC else 0


def _refusal(portal: Portal, key: str, **values: object) -> ApiError:
    code = "400" if portal.quirks.documented_send_errors else "0"
    return ApiError(code, portal.say(key, **values))

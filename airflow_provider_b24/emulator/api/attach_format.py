"""The ``attach`` object: a poll as the REST API shows it to one user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.php.json_text import Rendered

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.people import User
    from airflow_provider_b24.emulator.state.polls import Answer, Poll, Question
    from airflow_provider_b24.emulator.state.portal import Portal

# Rows that this response itself has written are still numbers; rows read from the database are text.
_NONE: frozenset[int] = frozenset()


def rendered(portal: Portal, poll: Poll, user: User) -> Rendered:
    """Return the object as a reply to a read, rendered again only when it changes for this user."""
    state = _state(portal, poll, user)
    kept = poll.rendered.get(user.id)
    if kept is None or kept[0] != state:
        kept = poll.rendered[user.id] = (state, Rendered(attach(portal, poll, user)))
    return kept[1]


def _state(portal: Portal, poll: Poll, user: User) -> tuple[object, ...]:
    """Return all that the object depends on: votes, the clock and access to the chat."""
    now, polls = portal.clock(), portal.polls
    access = polls.can_read(poll, user), polls.can_edit(poll, user)
    numeric = portal.quirks.numeric_counters
    return poll.version, poll.is_finished(now), poll.takes_votes(now), access, numeric


def attach(
    portal: Portal, poll: Poll, user: User, *, touched: set[int] | frozenset[int] = _NONE
) -> dict[str, Any]:
    """Return the object; ``touched`` rows have their COUNTER as a number."""
    now = portal.clock()
    signed = portal.polls.sign(poll)
    if portal.quirks.numeric_counters:
        touched = {row.id for question in poll.questions.values() for row in _rows(question)}
    access = portal.polls.can_read(poll, user)
    votable, voted = access and poll.takes_votes(now), user.id in poll.events
    return {
        "ID": poll.attach_id,
        "VOTE_ID": poll.vote_id,
        "COUNTER": len(poll.events),
        "QUESTIONS": {
            str(question.id): _question(poll, question, position, touched)
            for position, question in enumerate(poll.questions.values(), start=1)
        },
        "ANONYMITY": poll.anonymity,
        "OPTIONS": poll.options,
        "userAnswerMap": _own_answers(poll, user),
        "canEdit": portal.polls.can_edit(poll, user),
        "canVote": votable and not voted,
        "canRevote": votable and poll.allows_revote,
        "isVoted": voted,
        "signedAttachId": signed,
        "resultUrl": f"/vote-result/{poll.uid}",
        "downloadUrl": "/bitrix/services/main/ajax.php?action=vote.AttachedVote.download"
        f"&SITE_ID=s1&signedAttachId={signed}",
        "entityId": poll.entity_id,
        "isFinished": poll.is_finished(now),
    }


def _rows(question: Question) -> list[Question | Answer]:
    return [question, *question.answers.values()]


def _question(
    poll: Poll, question: Question, position: int, touched: set[int] | frozenset[int]
) -> dict[str, Any]:
    return {
        "ID": str(question.id),
        "ACTIVE": "Y",
        "TIMESTAMP_X": php.iso(poll.created),
        "VOTE_ID": str(poll.vote_id),
        "C_SORT": str(position * 10),
        "COUNTER": _counter(question, touched),
        "QUESTION": question.text,
        "QUESTION_TYPE": "text",
        "IMAGE_ID": None,
        "DIAGRAM": "Y",
        "DIAGRAM_TYPE": "histogram",
        "REQUIRED": "N",
        "FIELD_TYPE": str(question.field_type),
        "FIELD_NAME": f"bx_vote_event[{poll.attach_id}][BALLOT][{question.id}]",
        "IMAGE": None,
        "ANSWERS": {
            str(answer.id): _answer(poll, question, answer, place, touched)
            for place, answer in enumerate(question.answers.values(), start=1)
        },
    }


def _answer(
    poll: Poll, question: Question, answer: Answer, position: int, touched: set[int] | frozenset[int]
) -> dict[str, Any]:
    event = f"bx_vote_event[{poll.attach_id}]"
    share = 100 * answer.counter / question.counter if question.counter else 0
    return {
        "ID": str(answer.id),
        "ACTIVE": "Y",
        "TIMESTAMP_X": php.iso(poll.created),
        "QUESTION_ID": str(question.id),
        "C_SORT": str(position * 10),
        "IMAGE_ID": None,
        "MESSAGE": answer.text,
        "MESSAGE_TYPE": "text",
        "COUNTER": _counter(answer, touched),
        "FIELD_TYPE": str(question.field_type),
        "FIELD_WIDTH": "0",
        "FIELD_HEIGHT": "0",
        "FIELD_PARAM": None,
        "COLOR": "",
        "REACTION": answer.reaction,
        "~FIELD_NAME": f"{event}[BALLOT][{question.id}]",
        "FIELD_NAME": f"{event}[BALLOT][{question.id}]" + ("[]" if question.field_type else ""),
        "MESSAGE_FIELD_NAME": f"{event}[MESSAGE][{question.id}][{answer.id}]",
        "~PERCENT": php.number(share),
        "PERCENT": php.number(round(share, 2)),
    }


def _counter(row: Question | Answer, touched: set[int] | frozenset[int]) -> int | str:
    return row.counter if row.id in touched else str(row.counter)


def _own_answers(poll: Poll, user: User) -> dict[str, Any] | list[Any]:
    answers: dict[str, dict[str, Any]] = {}
    for choice in poll.events.get(user.id, []):
        answers.setdefault(str(choice.question_id), {})[str(choice.answer_id)] = {
            "EVENT_ID": str(choice.id),
            "EVENT_QUESTION_ID": str(choice.event_question_id),
            "ANSWER_ID": str(choice.answer_id),
            "ID": str(choice.id),
            "MESSAGE": "",
        }
    return answers or []

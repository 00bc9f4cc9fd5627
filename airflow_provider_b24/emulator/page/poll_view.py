"""What the pages show of a poll: a card in its chat, and a page of results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.state.polls import CHECKBOX

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.people import User
    from airflow_provider_b24.emulator.state.polls import Poll, Question
    from airflow_provider_b24.emulator.state.portal import Portal

Row = dict[str, Any]


def card(portal: Portal, poll: Poll, user: User) -> Row:
    """Return a chat's poll with what this person may do; a chat's poll has one question."""
    now, voted = portal.clock(), user.id in poll.events
    takes_votes = poll.takes_votes(now) and not poll.is_finished(now)
    return {
        **_state(portal, poll),
        **_question(portal, poll, next(iter(poll.questions.values())), user),
        "page": f"/vote-result/{poll.uid}",
        "voted": voted,
        "mayVote": takes_votes and (not voted or poll.allows_revote),
        "mayRecall": takes_votes and voted and poll.allows_revote,
        "mayEdit": portal.polls.can_edit(poll, user),
    }


def results(portal: Portal, poll: Poll, user: User) -> Row:
    """Return all questions of a poll with their votes."""
    questions = [_question(portal, poll, question, user) for question in poll.questions.values()]
    return {**_state(portal, poll), "questions": questions}


def _state(portal: Portal, poll: Poll) -> Row:
    return {
        "anonymous": poll.is_anonymous,
        "finished": poll.is_finished(portal.clock()),
        "voters": len(poll.events),
        "author": portal.people.name_of(poll.author_id),
    }


def _question(portal: Portal, poll: Poll, question: Question, user: User) -> Row:
    own = {choice.answer_id for choice in poll.events.get(user.id, ())}
    return {
        "question": question.text,
        "multiple": question.field_type == CHECKBOX,
        "answers": [
            {
                "id": answer.id,
                "text": answer.text,
                "votes": answer.counter,
                "percent": round(100 * answer.counter / question.counter) if question.counter else 0,
                "chosen": answer.id in own,
                "voters": _voters(portal, poll, answer.id),
            }
            for answer in question.answers.values()
        ],
    }


def _voters(portal: Portal, poll: Poll, answer_id: int) -> list[str]:
    """Return who chose an answer, in the order of the votes; an anonymous poll names no one."""
    if poll.is_anonymous:
        return []
    return [
        portal.people.name_of(user_id)
        for user_id, choices in poll.events.items()
        if any(choice.answer_id == answer_id for choice in choices)
    ]

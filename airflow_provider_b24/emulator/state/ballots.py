"""How a ballot is counted and a vote is recalled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.state.polls import RADIO, Choice

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.polls import Poll, Question
    from airflow_provider_b24.emulator.state.portal import Portal


class BallotError(Exception):
    """The ballot was not counted; ``key`` names the text that says why."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def cast(portal: Portal, poll: Poll, *, user_id: int, ballot: Any) -> set[int]:
    """Count a ballot ``{question id: [answer id, ...]}``; return the ids of touched rows.

    :raises BallotError: it was not counted. A ballot that was to change a vote loses the
        earlier vote too: the server deletes first and checks after.
    """
    with portal.lock:
        if user_id in poll.events and not poll.allows_revote:
            raise BallotError("vote.already")
        chosen = _choices(portal, poll, ballot)
        checked = portal.quirks.checks_ballot_first and not chosen
        touched = set() if checked else _remove(poll, user_id)
        if not chosen:
            raise BallotError("vote.nothing")
        return touched | _store(portal, poll, user_id, chosen)


def recall(portal: Portal, poll: Poll, *, user_id: int) -> set[int]:
    """Take a vote back; return the ids of touched rows. A user who has not voted succeeds too.

    :raises BallotError: the poll does not let votes be changed, or has ended.
    """
    with portal.lock:
        if not poll.takes_votes(portal.clock()):
            raise BallotError("vote.inactive")
        if user_id in poll.events and not poll.allows_revote:
            raise BallotError("vote.no_revote")
        return _remove(poll, user_id)


def _choices(portal: Portal, poll: Poll, ballot: Any) -> list[tuple[Question, int]]:
    rows = dict(php.pairs(ballot))
    return [
        (question, answer_id)
        for question in poll.questions.values()
        for answer_id in _chosen(portal, question, rows.get(str(question.id)))
    ]


def _chosen(portal: Portal, question: Question, value: Any) -> list[int]:
    """Return the known answers of a ballot's entry: unknown ones are dropped, a radio keeps one."""
    wanted = [item for _, item in php.pairs(value)] if php.is_array(value) else [value]
    known = [number for number in map(php.to_int, wanted) if number in question.answers]
    known = list(dict.fromkeys(known))
    if question.field_type == RADIO and len(known) > 1 and portal.quirks.refuses_extra_answers:
        return []
    return known[:1] if question.field_type == RADIO else known


def _store(portal: Portal, poll: Poll, user_id: int, chosen: list[tuple[Question, int]]) -> set[int]:
    touched: set[int] = set()
    events: list[Choice] = []
    for question, answer_id in chosen:
        if question.id not in touched:
            question.counter += 1
            event_question_id = portal.ids.next("event")
        touched |= {question.id, answer_id}
        question.answers[answer_id].counter += 1
        events.append(Choice(portal.ids.next("event_answer"), event_question_id, question.id, answer_id))
    poll.events[user_id] = events
    poll.version += 1
    return touched


def _remove(poll: Poll, user_id: int) -> set[int]:
    events = poll.events.pop(user_id, [])
    touched: set[int] = set()
    for event in events:
        question = poll.questions[event.question_id]
        if question.id not in touched:
            question.counter -= 1
        question.answers[event.answer_id].counter -= 1
        touched |= {question.id, event.answer_id}
    if events:
        poll.version += 1
    return touched

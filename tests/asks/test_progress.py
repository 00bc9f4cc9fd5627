"""When reminders and escalations are due."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.asks.ask import Ask
from airflow_provider_b24.asks.progress import Due, Timetable

ASK = Ask(
    message_id=1, chat_id=2, question="Q?", rule="first_vote", voters=None, excluded=[], asked_at=1000.0
)
NOTHING = Due()


def test_an_ask_without_reminders_has_nothing_due() -> None:
    timetable = Timetable(ASK, now=1000.0)

    assert timetable.next_at() is None
    assert timetable.due(9e9) == NOTHING


def test_reminders_follow_from_when_it_was_asked() -> None:
    timetable = Timetable(replace(ASK, remind_every=60.0), now=1000.0)

    assert timetable.next_at() == 1060.0
    assert timetable.due(1059.0) == NOTHING
    assert timetable.due(1060.0) == Due(reminder=True)
    assert timetable.next_at() == 1120.0


@settings(max_examples=100, deadline=None)
@given(st.floats(1.0, 1000.0), st.floats(0.0, 10_000.0))
def test_a_restarted_triggerer_keeps_the_timetable(every: float, passed: float) -> None:
    ask = replace(ASK, remind_every=every)
    at = Timetable(ask, now=ask.asked_at + passed).next_at()

    assert at is not None
    assert at > ask.asked_at + passed
    rounds = (at - ask.asked_at) / every
    assert abs(rounds - round(rounds)) < 1e-6


def test_an_escalation_is_due_once() -> None:
    timetable = Timetable(replace(ASK, escalate_at=1100.0, escalate_to=("chat5",)), now=1000.0)

    assert timetable.due(1100.0) == Due(escalation=True)
    assert timetable.due(1200.0) == NOTHING


def test_an_escalation_that_was_due_while_no_triggerer_ran_is_still_sent() -> None:
    ask = replace(ASK, escalate_at=1100.0, escalate_to=("chat5",))

    assert Timetable(ask, now=1400.0).due(1400.0) == Due(escalation=True)
    # A day later, too: it is posted once, however often it is due.
    assert Timetable(ask, now=99_999.0).due(99_999.0) == Due(escalation=True)


def test_an_escalation_that_could_not_be_posted_is_due_again_after_a_minute() -> None:
    timetable = Timetable(replace(ASK, escalate_at=1100.0, escalate_to=("chat5",)), now=1000.0)
    timetable.due(1100.0)
    timetable.postpone_escalation(1105.0)

    assert timetable.due(1164.0) == NOTHING
    assert timetable.due(1165.0) == Due(escalation=True)

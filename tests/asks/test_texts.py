"""What people read of an ask."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_b24.asks.texts import (
    decision_text,
    escalation_text,
    progress_text,
    reminder_text,
    votes_text,
)
from airflow_provider_b24.polls.result import Result
from airflow_provider_b24.polls.rules import parse_rule
from tests.polls.test_rules import poll_of

from .test_progress import ASK

POLL = poll_of([(1, 0), (2, 0), (3, 1)], is_finished=False)


def test_the_votes_are_listed_in_the_poll_s_order() -> None:
    assert votes_text(POLL) == "Answer 1 2, Answer 2 1, Answer 3 0"


def test_progress_names_votes_rule_deadline_and_link() -> None:
    ask = replace(ASK, deadline=1_800_000_000.0, poll_url="https://acme.example/vote-result/x")

    text = progress_text(ask, POLL)
    assert "rule: first vote; deadline: 2027-01-15 08:00 UTC; https://acme.example/vote-result/x" in text


@pytest.mark.parametrize(
    "rule", ["stopped", "first_vote", "everybody", {"quorum": 3}, {"first_to": 2}, {"majority": 5}]
)
def test_the_decision_names_the_rule_in_the_rule_s_own_text(rule: object) -> None:
    text = decision_text(replace(ASK, rule=rule), Result(("Yes",), "votes"), POLL, ["Ann", "Bob"])

    assert text.startswith("[b]Decision: Yes[/b]")
    assert f"Rule: {parse_rule(rule)}." in text
    assert "by Ann, Bob" in text


def test_a_default_answer_is_called_one() -> None:
    text = decision_text(ASK, Result(("No",), "default", timed_out=True), POLL, [])

    assert "deadline passed" in text
    assert "default answer" in text


def test_an_answer_from_airflow_names_its_user() -> None:
    text = decision_text(ASK, Result(("Yes",), "airflow"), POLL, ["admin"])

    assert "Answered in Airflow by admin; this poll is closed." in text


def test_a_reminder_mentions_those_who_have_not_voted() -> None:
    assert reminder_text(ASK, [{"id": 7, "name": "Ann"}]) == "[USER=7]Ann[/USER] Please vote: Q?"
    assert reminder_text(ASK, []) == "Please vote: Q?"


def test_an_escalation_names_question_and_link() -> None:
    ask = replace(ASK, poll_url="https://acme.example/vote-result/x")

    assert escalation_text(ask) == "Not decided yet: Q? https://acme.example/vote-result/x"

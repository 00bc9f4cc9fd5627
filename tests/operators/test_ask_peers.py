"""The table that compares asks with others: each claim for this provider has a test."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "asking.md"
ASK, ENDS, RACES = (f"operators/test_ask{part}.py" for part in ("", "_ends", "_races"))

#: What the table says in a row: its claim for this provider, and the tests that hold it.
CLAIMS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "where people answer": (
        "chat; Airflow too",
        (
            (ASK, "test_the_first_vote_decides_and_the_poll_is_closed"),
            (ASK, "test_an_answer_in_airflow_closes_the_poll_and_tells_the_chat"),
        ),
    ),
    "answers": (
        "2 to 10, one or several",
        (
            (ASK, "test_a_wrong_literal_fails_when_the_dag_is_parsed"),
            (ENDS, "test_several_answers_may_be_chosen_by_one_person"),
        ),
    ),
    "first to respond": ("yes", ((ASK, "test_the_first_vote_decides_and_the_poll_is_closed"),)),
    "everybody must": (
        "yes",
        (
            (ASK, "test_each_rule_decides"),
            (RACES, "test_who_joins_the_chat_while_everybody_is_waited_for_must_vote_too"),
        ),
    ),
    "quorum": ("yes", ((ASK, "test_each_rule_decides"),)),
    "who may answer": ("`voters`", ((ASK, "test_votes_of_others_are_recorded_and_ignored"),)),
    "not the one who asks": (
        "yes",
        (
            (ASK, "test_the_asking_account_never_counts"),
            (ENDS, "test_the_vote_of_who_triggered_the_run_does_not_count"),
        ),
    ),
    "default at the deadline": ("yes", ((ASK, "test_the_deadline_takes_the_defaults"),)),
    "timed out is not an answer": (
        "yes",
        (
            (ASK, "test_the_deadline_without_defaults_fails_or_skips"),
            (RACES, "test_a_poll_that_is_deleted_fails_its_task_without_an_answer"),
        ),
    ),
    "who answered, and when": ("yes", ((ASK, "test_the_first_vote_decides_and_the_poll_is_closed"),)),
    "closed after the decision": ("yes", ((ASK, "test_the_first_vote_decides_and_the_poll_is_closed"),)),
    "reminder, escalation": (
        "yes",
        (
            (ASK, "test_those_who_have_not_voted_are_reminded"),
            (ASK, "test_an_open_question_is_escalated_once"),
        ),
    ),
    "people may change their answer": (
        "on request",
        ((ENDS, "test_a_changed_vote_counts_where_people_may_change_it"),),
    ),
    "anonymous": ("on request", ((ENDS, "test_an_anonymous_ask_names_nobody"),)),
    "waits without a worker": ("yes", ((ENDS, "test_an_ask_waits_in_the_triggerer"),)),
}


def rows_of_the_page() -> dict[str, str]:
    """Return the first column of the table to the claim for this provider."""
    _, _, section = PAGE.read_text(encoding="utf-8").partition("## Beside others")
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1] for row in cells if row[0]}


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_each_claim_of_the_table_is_listed_here() -> None:
    assert rows_of_the_page() == {row: claim for row, (claim, _) in CLAIMS.items()}


@pytest.mark.parametrize("row", CLAIMS)
def test_each_claim_has_tests_that_exist(row: str) -> None:
    _, proofs = CLAIMS[row]

    assert proofs
    assert [name for path, name in proofs if name not in names_in(path)] == []

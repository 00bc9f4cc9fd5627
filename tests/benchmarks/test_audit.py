"""The audit: a right run is met, and each kind of loss is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.audit import Evidence, Poll, Task, audit, is_right, lines

RIGHT = Evidence(
    expected={"A?": "Yes", "B?": "No"},
    polls=[Poll("A?", True), Poll("B?", True)],
    decisions={"A?": "Yes", "B?": "No"},
    calls={0: "7", 1: "8"},
    replies={0: "7", 1: "8"},
    messages=["m0", "m1", "m2"],
    delivered={"m0": 1, "m1": 1},
    told={"m0": "accepted", "m1": "unknown", "m2": "rejected"},
    tasks=[Task("d.ask", "success"), Task("d.call", "success", 3)],
    refused=4,
    requests=90,
)


def bad_rows(**changes: Any) -> list[str]:
    return [finding.what for finding in audit(replace(RIGHT, **changes)) if not finding.met]


def test_a_run_without_a_loss_is_right() -> None:
    findings = audit(RIGHT)

    assert is_right(findings)
    assert [finding.what for finding in findings if finding.bad is None] == ["refused with a 503"]


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        ({"polls": [*RIGHT.polls, Poll("A?", True)]}, "every poll asked once"),
        ({"polls": [*RIGHT.polls, Poll("C?", True)]}, "every poll asked once"),
        ({"polls": [Poll("A?", True)]}, "every poll asked once"),
        ({"polls": [Poll("A?", True), Poll("B?", False)]}, "every poll closed"),
        ({"decisions": {"A?": "Yes", "B?": "Yes"}}, "every decision right"),
        ({"decisions": {"A?": "Yes"}}, "every decision right"),
        ({"decisions": {"A?": "Yes", "B?": None}}, "every decision right"),
        ({"replies": {0: "7"}}, "every call answered right"),
        ({"replies": {0: "8", 1: "8"}}, "every call answered right"),
        ({"delivered": {"m0": 2, "m1": 1}}, "every message accepted once or reported"),
        ({"delivered": {"m0": 1, "m1": 1, "m9": 1}}, "every message accepted once or reported"),
        ({"told": {"m0": "accepted", "m1": "unknown"}}, "every message accepted once or reported"),
        ({"delivered": {"m1": 1}}, "every report true"),
        ({"delivered": {"m0": 1, "m2": 1}}, "every report true"),
        ({"tasks": [Task("d.ask", "queued")]}, "no task stuck"),
        ({"tasks": [Task("d.ask", None)]}, "no task stuck"),
        ({"tasks": [Task("d.ask", "failed")]}, "no task failed"),
        ({"tasks": [Task("d.ask", "upstream_failed")]}, "no task failed"),
        ({"leaks": ["token in worker-1.log"]}, "no secret in a log"),
    ],
)
def test_a_loss_is_named_by_its_row_alone(changes: dict[str, Any], row: str) -> None:
    assert bad_rows(**changes) == [row]


def test_a_message_that_is_neither_there_nor_reported_is_a_loss() -> None:
    assert bad_rows(delivered={"m0": 1}, told={"m0": "accepted", "m1": "unknown"}) == [
        "every message accepted once or reported"
    ]


def test_the_table_says_no_where_a_row_is_bad_and_counts_refusals_without_a_goal() -> None:
    table = lines(audit(replace(RIGHT, leaks=["token in worker-1.log"])))
    met = {row.split("|")[1].strip(): row.split("|")[3].strip() for row in table[2:]}

    assert met["no secret in a log"] == "NO"
    assert met["every poll closed"] == "yes"
    assert met["refused with a 503"] == "-"
    assert len({len(row) for row in table}) == 1

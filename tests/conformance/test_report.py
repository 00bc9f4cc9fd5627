"""The table, the JSON and the exit status of a run."""

from __future__ import annotations

import json

import pytest

from airflow_provider_b24.conformance import report
from airflow_provider_b24.conformance.runner import Row, Verdict
from tests.conformance.test_runner import probe


def row(verdict: Verdict, found: str = "red") -> Row:
    return Row(probe(depends="paint", otherwise="It is painted over."), verdict, found)


HOLDS, DIFFERS = row(Verdict.HOLDS), row(Verdict.DIFFERS, "green")
UNCLEAR, NOT_TRIED = row(Verdict.UNCLEAR, "Bitrix24ServerError"), row(Verdict.NOT_TRIED, "needs --line")


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([HOLDS], 0),
        ([HOLDS, NOT_TRIED], 0),
        ([HOLDS, DIFFERS], 1),
        ([HOLDS, DIFFERS, UNCLEAR], 1),
        ([HOLDS, UNCLEAR], 2),
        ([NOT_TRIED], 2),
        ([], 2),
    ],
)
def test_the_exit_status_says_whether_all_is_as_held(rows: list[Row], status: int) -> None:
    assert report.exit_status(rows) == status


def test_the_table_says_what_we_hold_what_is_and_what_depends_on_it() -> None:
    lines = report.table([HOLDS, DIFFERS, UNCLEAR, NOT_TRIED]).splitlines()

    assert {len(line) for line in lines} == {len(lines[0])}
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert cells[1] == ["DIFFERS", "A colour (a.b)", "red or blue", "green", "paint"]
    assert [line[0] for line in cells] == ["ok", "DIFFERS", "?", "-"]


def test_what_the_provider_does_is_said_where_a_portal_differs_only() -> None:
    assert report.advice([HOLDS, UNCLEAR, NOT_TRIED]) == ""
    assert report.advice([HOLDS, DIFFERS]) == "a.b: It is painted over."


def test_the_summary_counts_verdicts_and_what_was_left_behind() -> None:
    assert report.summary([HOLDS, HOLDS, DIFFERS], left_behind=0) == "2 as held, 1 differs."
    assert "3 things could not be removed" in report.summary([HOLDS], left_behind=3)


def test_the_json_holds_each_row_and_the_facts() -> None:
    body = json.loads(report.as_json([DIFFERS], facts={"provider": "1.0"}))

    assert body["provider"] == "1.0"
    assert body["rows"] == [
        {"id": "a.b", "title": "A colour", "held": ["red", "blue"], "found": "green", "verdict": "differs"}
    ]

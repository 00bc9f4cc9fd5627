"""The drafts of a report, which a killed push leaves behind."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.open_lines.pushing.outgoing import OutgoingMessage
from airflow_provider_b24.open_lines.pushing.report_file import ReportFile
from airflow_provider_b24.open_lines.report import Delivery, DeliveryStatus

if TYPE_CHECKING:
    from pathlib import Path

ROW = OutgoingMessage(
    0, 0, "k", chat="c", user="u", delivery=Delivery("m1", DeliveryStatus.ACCEPTED, (), 7, 8)
)
KILLED = """
import os, sys
from airflow_provider_b24.open_lines.pushing.report_file import ReportFile

ReportFile(sys.argv[1]).__enter__()
os._exit(9)
"""


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "reports" / "night.jsonl"


def names(report: Path) -> list[str]:
    return sorted(path.name for path in report.parent.iterdir())


def write(report: Path) -> None:
    with ReportFile(str(report)) as file:
        file.add(ROW)
        file.publish()


def test_a_draft_has_the_name_of_its_report_and_goes_with_a_failure(report: Path) -> None:
    with pytest.raises(ValueError, match="away"), ReportFile(str(report)):
        (name,) = names(report)
        assert name.startswith("night.jsonl.")
        assert name.endswith(".part")
        raise ValueError("away")
    assert names(report) == []


def test_the_draft_of_a_killed_push_goes_with_the_next_report(report: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(report)], check=False)
    others = ["morning.jsonl.abcdefgh.part", "night.jsonl.part", "night.jsonl.2.csv.part"]
    for name in others:
        report.with_name(name).touch()
    assert len(names(report)) == 4

    write(report)
    assert names(report) == sorted([*others, "night.jsonl"])
    assert report.read_bytes() == ROW.line


def test_the_draft_of_a_push_that_still_runs_stays(report: Path) -> None:
    with ReportFile(str(report)) as other:
        write(report)
        assert len(names(report)) == 2
        other.add(ROW)
        other.add(ROW)
        other.publish()
    assert names(report) == ["night.jsonl"]
    assert report.read_bytes() == ROW.line * 2

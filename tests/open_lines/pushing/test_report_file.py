"""The drafts of a report, which a killed push leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.open_lines.pushing.outgoing import OutgoingMessage
from airflow_provider_b24.open_lines.pushing.report_file import ReportFile, check_report_path
from airflow_provider_b24.open_lines.report import Delivery, DeliveryStatus
from airflow_provider_b24.utils.files import is_same_file, object_path
from tests.support.storage import in_memory_storage

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


@pytest.mark.parametrize("kind", ["folder", "pipe", "below a file"])
def test_a_place_where_no_report_can_be_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "night.jsonl"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.touch()
        path /= "night.jsonl"
    with pytest.raises(Bitrix24ValidationError, match=r"report_path: .* can't be written"):
        write(path)
    assert not path.is_file()


def test_a_report_in_object_storage_is_opened_at_once_and_an_earlier_one_is_kept() -> None:
    in_memory_storage()
    url = "memory://reports/opened.jsonl"
    with ReportFile(url):
        assert object_path(url).read_bytes() == b""
    object_path(url).write_bytes(b"earlier")
    with ReportFile(url):
        pass
    assert object_path(url).read_bytes() == b"earlier"
    with pytest.raises(Bitrix24ValidationError, match="it is a folder"), ReportFile("memory://reports/"):
        pass
    with pytest.raises(Bitrix24ValidationError, match="can't be written"), ReportFile("nonsense://a/b"):
        pass


@pytest.mark.parametrize("link", ["itself", "relative", "file://", "symlink", "hard link", "folder"])
def test_a_report_over_its_messages_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "m.jsonl"
    source.write_text("{}")
    (tmp_path / "soft.jsonl").symlink_to(source)
    (tmp_path / "hard.jsonl").hardlink_to(source)
    (tmp_path / "again").symlink_to(tmp_path)
    given = {
        "itself": str(source),
        "relative": "x/../m.jsonl",
        "file://": f"file://{source}",
        "symlink": "soft.jsonl",
        "hard link": "hard.jsonl",
        "folder": "again/m.jsonl",
    }[link]
    with pytest.raises(Bitrix24ValidationError, match="is the file with the messages"):
        check_report_path(given, source=str(source))
    check_report_path("other.jsonl", source=str(source))


@pytest.mark.parametrize(
    ("report", "is_same"),
    [
        ("s3://bucket/a/m.jsonl", True),
        ("s3://aws_other@bucket/a/m.jsonl", True),
        ("s3a://bucket/a//m.jsonl", True),
        ("s3://bucket/a/./m.jsonl", True),
        ("s3://other/a/m.jsonl", False),
        ("s3://bucket/a/M.jsonl", False),
        ("/bucket/a/m.jsonl", False),
    ],
)
def test_an_object_is_known_by_bucket_and_key(report: str, is_same: bool) -> None:
    assert is_same_file(report, "s3://aws@bucket/a/m.jsonl") is is_same

"""Files that operators leave behind: whole, readable, or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from airflow_provider_b24.utils.files import write_file


def test_missing_directories_are_made(tmp_path: Path) -> None:
    write_file(str(tmp_path / "a" / "b" / "poll.xls"), b"report")

    assert (tmp_path / "a" / "b" / "poll.xls").read_bytes() == b"report"


def test_what_is_there_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "poll.xls"
    target.write_bytes(b"a longer report of yesterday")

    write_file(str(target), b"report")

    assert target.read_bytes() == b"report"


def test_a_bare_name_is_a_file_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    write_file("poll.xls", b"report")

    assert (tmp_path / "poll.xls").read_bytes() == b"report"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_the_file_is_as_readable_as_any_other_that_the_worker_makes(
    tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        write_file(str(tmp_path / "poll.xls"), b"report")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "poll.xls").stat().st_mode) == mode


def test_a_failure_leaves_what_was_there_and_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "poll.xls"
    target.write_bytes(b"yesterday")

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_file(str(target), b"report")

    assert target.read_bytes() == b"yesterday"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_url_makes_its_directories_too(tmp_path: Path) -> None:
    write_file(f"file://{tmp_path}/a/poll.xls", b"report")

    assert (tmp_path / "a" / "poll.xls").read_bytes() == b"report"


def test_an_object_storage_url_is_written_through_airflows_object_storage() -> None:
    from airflow.sdk import ObjectStoragePath

    write_file("memory://reports/poll.xls", b"report")

    assert ObjectStoragePath("memory://reports/poll.xls").read_bytes() == b"report"

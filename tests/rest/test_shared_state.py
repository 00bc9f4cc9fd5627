"""Files that the processes of one host share, and that nobody else can touch."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError
from airflow_provider_b24.rest.shared_state import locked, state_directory, state_file

from .conftest import forked

if TYPE_CHECKING:
    import pathlib

# Python warns of forks in processes with threads; the children here touch no thread.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def is_free(path: pathlib.Path) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_the_directory_and_its_files_are_private_to_the_user(state_directory: pathlib.Path) -> None:
    path = state_file("bucket", "https://acme.bitrix24.com")
    with locked(path):
        pass

    assert path.parent == state_directory
    assert state_directory.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_default_directory_is_per_user_in_the_temporary_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.delenv("BITRIX24_STATE_DIR")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))

    assert state_directory() == tmp_path / f"airflow-provider-b24-{os.getuid()}"


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o720])
def test_a_directory_that_others_can_write_to_is_refused(state_directory: pathlib.Path, mode: int) -> None:
    state_directory.mkdir()
    state_directory.chmod(mode)

    with pytest.raises(Bitrix24ConfigurationError, match="BITRIX24_STATE_DIR"):
        state_file("bucket", "x")


def test_a_directory_of_another_user_is_refused(
    state_directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state_directory.mkdir(mode=0o700)
    monkeypatch.setattr("os.getuid", lambda: state_directory.stat().st_uid + 1)

    with pytest.raises(Bitrix24ConfigurationError):
        state_file("bucket", "x")


def test_a_symlink_instead_of_the_directory_is_refused(
    state_directory: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    state_directory.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(Bitrix24ConfigurationError):
        state_file("bucket", "x")


def test_a_file_instead_of_the_directory_is_refused(state_directory: pathlib.Path) -> None:
    state_directory.write_text("")

    with pytest.raises(Bitrix24ConfigurationError):
        state_file("bucket", "x")


def test_a_symlink_instead_of_a_state_file_is_not_followed(tmp_path: pathlib.Path) -> None:
    path = state_file("bucket", "x")
    path.symlink_to(tmp_path / "victim")

    with pytest.raises(OSError), locked(path):
        pass

    assert not (tmp_path / "victim").exists()


def test_state_files_differ_by_kind_and_name() -> None:
    paths = {state_file(kind, name) for kind in ("bucket", "oauth") for name in ("a", "b/../../c")}

    assert len(paths) == 4
    assert {path.parent for path in paths} == {state_directory()}


def test_a_lock_excludes_other_threads_of_the_process() -> None:
    path = state_file("bucket", "x")
    inside: list[int] = []
    most: list[int] = []

    def enter() -> None:
        for _ in range(50):
            with locked(path):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert max(most) == 1


def test_a_lock_is_released_when_its_process_is_killed() -> None:
    path = state_file("bucket", "x")
    reading, writing = os.pipe()

    def hold() -> None:
        with locked(path):
            os.write(writing, b"!")
            signal.pause()

    child = forked(hold)
    os.read(reading, 1)
    assert not is_free(path)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    assert is_free(path)
    os.close(reading)
    os.close(writing)


def test_a_child_forked_under_the_lock_does_not_hold_it() -> None:
    path = state_file("bucket", "x")
    with locked(path):
        child = forked(signal.pause)

    try:
        assert is_free(path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_lock_is_released_after_an_error() -> None:
    path = state_file("bucket", "x")
    with pytest.raises(ZeroDivisionError), locked(path):
        _ = 1 / 0

    assert is_free(path)

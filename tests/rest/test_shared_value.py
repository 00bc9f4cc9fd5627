"""A value that processes share, and that each keeps by itself while the file can't be used."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError
from airflow_provider_b24.rest import shared_value
from airflow_provider_b24.rest.shared_value import PAUSE_SECONDS, SharedValue
from airflow_provider_b24.rest.state_files import locked, state_path

from .conftest import forked

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(state_directory: pathlib.Path) -> pathlib.Path:
    return state_path("bucket", "x")


@pytest.fixture
def value(path: pathlib.Path, clock: Clock) -> SharedValue:
    return SharedValue(path, merge=max, monotonic=clock)


def add(data: bytes) -> tuple[bytes, int]:
    """Count in one byte, and return the count."""
    number = (data or b"\0")[0] + 1
    return bytes([number]), number


def read(data: bytes) -> tuple[bytes, int]:
    return data, (data or b"\0")[0]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Fill the disk, or free it again."""
    whole = os.pwrite

    def fail(*args: Any) -> int:
        raise OSError(errno.ENOSPC, "said the disk")

    def change(full: bool) -> None:
        monkeypatch.setattr("os.pwrite", fail if full else whole)

    return change


@pytest.fixture
def stopped(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Let a stopped process hold the lock; return what ends it."""
    monkeypatch.setattr(shared_value, "LOCK_SECONDS", 0.05)
    reading, writing = os.pipe()

    def work() -> None:
        with locked(path):
            os.write(writing, b"!")
            signal.pause()

    children = [forked(work)]
    os.read(reading, 1)
    os.kill(children[0], signal.SIGSTOP)

    def end() -> None:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        children.clear()

    yield end
    end()
    os.close(reading)
    os.close(writing)


def test_processes_share_the_value(value: SharedValue, path: pathlib.Path) -> None:
    assert value.update(add) == 1
    other = forked(lambda: SharedValue(path, merge=max).update(add))
    os.waitpid(other, 0)

    assert value.update(add) == 3


def test_while_the_disk_is_full_the_process_goes_on_from_what_it_knew(
    value: SharedValue, path: pathlib.Path, broken: Callable[[bool], None]
) -> None:
    value.update(add)
    broken(True)

    assert [value.update(add), value.update(add)] == [2, 3]
    assert path.read_bytes() == b"\1"


def test_it_is_shared_again_as_soon_as_the_disk_has_space(
    value: SharedValue, path: pathlib.Path, broken: Callable[[bool], None]
) -> None:
    broken(True)
    for _ in range(5):
        value.update(add)
    broken(False)

    assert value.update(add) == 6
    assert path.read_bytes() == b"\6"


def test_what_others_counted_meanwhile_is_merged(
    value: SharedValue, path: pathlib.Path, broken: Callable[[bool], None]
) -> None:
    broken(True)
    value.update(add)
    path.write_bytes(b"\x40")
    broken(False)

    assert value.update(read) == 0x40


def test_two_values_of_one_process_are_one(
    value: SharedValue, path: pathlib.Path, broken: Callable[[bool], None]
) -> None:
    broken(True)
    value.update(add)

    assert SharedValue(path, merge=max).update(add) == 2


def test_threads_without_a_file_count_exactly(value: SharedValue, broken: Callable[[bool], None]) -> None:
    broken(True)
    threads = [threading.Thread(target=lambda: [value.update(add) for _ in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert value.update(read) == 160


def test_the_log_says_once_that_it_fails_and_once_that_it_works_again(
    value: SharedValue,
    path: pathlib.Path,
    broken: Callable[[bool], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    for full in (False, True, False, False, True):
        broken(full)
        value.update(add)
        value.update(add)

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]
    assert str(path) in caplog.messages[0]
    assert "No space left on device" in caplog.messages[0]
    assert "Free space" in caplog.messages[0]
    assert "can be used again" in caplog.messages[1]


def test_a_stopped_holder_is_waited_for_once_and_then_left_alone(
    value: SharedValue, clock: Clock, path: pathlib.Path, stopped: Callable[[], None]
) -> None:
    assert value.update(add) == 1
    # The lock is free, but not asked for.
    stopped()
    clock.now += PAUSE_SECONDS - 1
    assert value.update(add) == 2
    assert path.read_bytes() == b""
    clock.now += 2

    assert value.update(add) == 3
    assert path.read_bytes() == b"\3"


def test_a_stopped_holder_is_named_in_the_log(
    value: SharedValue, path: pathlib.Path, stopped: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    value.update(add)

    assert f"Another process has held the lock of {path}" in caplog.messages[0]
    assert "stopped" in caplog.messages[0]


def test_a_directory_that_is_removed_while_in_use_is_made_again(
    value: SharedValue, state_directory: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    value.update(add)
    shutil.rmtree(state_directory)

    assert value.update(add) == 1
    assert caplog.messages == []


def test_a_directory_that_others_can_write_to_is_refused(
    value: SharedValue, state_directory: pathlib.Path
) -> None:
    state_directory.mkdir()
    state_directory.chmod(0o777)

    with pytest.raises(Bitrix24ConfigurationError):
        value.update(add)

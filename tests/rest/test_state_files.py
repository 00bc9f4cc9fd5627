"""Files that the processes of one host share, and that nobody else can touch."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import pathlib
import resource
import shutil
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24ConfigurationError,
    Bitrix24LockTimeoutError,
    Bitrix24StateError,
    Outcome,
)
from airflow_provider_b24.rest import state_files
from airflow_provider_b24.rest.state_files import locked, state_directory, state_file
from tests.support.clients import client_of, lock_file_of

from .conftest import forked

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.rest.client import Bitrix24Client

# Python warns of forks in processes with threads; the children here touch no thread.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def open_files() -> int:
    return len(list(pathlib.Path("/proc/self/fd").iterdir()))


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

    with pytest.raises(Bitrix24StateError), locked(path):
        pass

    assert not (tmp_path / "victim").exists()


def test_a_fifo_instead_of_a_state_file_is_a_typed_error(state_directory: pathlib.Path) -> None:
    path = state_file("bucket", "x")
    state_directory.mkdir(mode=0o700, exist_ok=True)
    os.mkfifo(path)
    with pytest.raises(Bitrix24StateError, match="no regular file"), locked(path):
        pytest.fail("the lock of a FIFO was taken")


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


# What goes wrong with the directory


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Free space"),
        (errno.EDQUOT, "Free space"),
        (errno.EROFS, "BITRIX24_STATE_DIR"),
        (errno.EACCES, "BITRIX24_STATE_DIR"),
        (errno.EIO, "BITRIX24_STATE_DIR"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENFILE, "ulimit -n"),
    ],
)
@pytest.mark.parametrize("call", ["os.open", "os.mkdir"])
def test_a_directory_that_fails_is_one_typed_error_with_path_and_advice(
    monkeypatch: pytest.MonkeyPatch, state_directory: pathlib.Path, call: str, number: int, advice: str
) -> None:
    def fail(*args: Any, **kwargs: Any) -> int:
        raise OSError(number, "said the kernel")

    monkeypatch.setattr(call, fail)
    with pytest.raises(Bitrix24StateError) as caught, locked(state_files.state_path("oauth", "x")):
        pass

    assert str(state_directory) in str(caught.value)
    assert os.strerror(number) in str(caught.value)
    assert advice in str(caught.value)
    assert (caught.value.transient, caught.value.outcome) == (True, Outcome.NOT_EXECUTED)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_a_file_system_without_locks_is_a_typed_error(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def fail(*args: Any) -> None:
        raise OSError(number, "said the kernel")

    before = open_files()
    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", fail)
        with pytest.raises(Bitrix24StateError, match="local disk"), locked(state_file("oauth", "x")):
            pass

    assert open_files() == before
    with locked(state_file("oauth", "x")):
        pass


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_disk_that_fails_under_the_lock_is_a_typed_error(number: int) -> None:
    path = state_file("oauth", "x")
    with pytest.raises(Bitrix24StateError, match="oauth-"), locked(path):
        raise OSError(number, "said the disk")

    assert is_free(path)


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(errno.ECONNREFUSED, "x"), TimeoutError("x"), OSError("x")]
)
def test_an_error_of_something_else_under_the_lock_stays_itself(error: OSError) -> None:
    with pytest.raises(OSError) as caught, locked(state_file("oauth", "x")):
        raise error

    assert caught.value is error


def test_a_process_without_descriptors_is_a_typed_error() -> None:
    path = state_file("oauth", "x")
    outcome = path.with_name("outcome")

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    def run_out() -> None:
        with outcome.open("w") as file:
            resource.setrlimit(resource.RLIMIT_NOFILE, (file.fileno() + 1, hard))
            try:
                with locked(path):
                    pass
            except Bitrix24StateError as error:
                file.write(str(error))

    os.waitpid(forked(run_out), 0)
    assert "ulimit -n" in outcome.read_text()


def test_a_directory_that_a_cleaner_removed_is_made_again(state_directory: pathlib.Path) -> None:
    path = state_file("oauth", "x")
    for _ in range(2):
        shutil.rmtree(state_directory)
        with locked(path):
            assert path.exists()

    assert state_directory.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_somebody_else_made_meanwhile_is_refused(state_directory: pathlib.Path) -> None:
    path = state_file("oauth", "x")
    shutil.rmtree(state_directory)
    state_directory.mkdir()
    state_directory.chmod(0o777)

    with pytest.raises(Bitrix24ConfigurationError), locked(path):
        pass


def test_a_file_that_is_removed_while_its_lock_is_waited_for_is_not_the_one_that_is_locked() -> None:
    path = state_file("oauth", "x")
    held: list[bool] = []

    def wait() -> None:
        with locked(path) as file:
            held.append(os.fstat(file).st_ino == path.stat().st_ino)

    with locked(path):
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.1)
        path.unlink()
        path.touch(0o600)
    waiting.join()

    assert held == [True]


# A lock that is not released


def hold(path: pathlib.Path) -> int:
    """Hold a lock in a child, and return the child's id once it does."""
    reading, writing = os.pipe()

    def work() -> None:
        with locked(path):
            os.write(writing, b"!")
            signal.pause()

    child = forked(work)
    os.read(reading, 1)
    os.close(reading)
    os.close(writing)
    return child


def test_a_stopped_holder_delays_others_for_a_bounded_time() -> None:
    path = state_file("oauth", "x")
    child = hold(path)
    os.kill(child, signal.SIGSTOP)
    before = open_files()
    try:
        started = time.monotonic()
        with pytest.raises(Bitrix24LockTimeoutError) as caught, locked(path, limit=0.2):
            pass
        assert time.monotonic() - started >= 0.2
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    assert str(path) in str(caught.value)
    assert "stopped" in str(caught.value)
    assert (caught.value.transient, caught.value.outcome) == (True, Outcome.NOT_EXECUTED)
    assert open_files() == before
    with locked(path, limit=0.2):
        pass


def test_a_long_wait_says_so_once_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(state_files, "_QUIET_SECONDS", 0.05)
    path = state_file("oauth", "x")
    child = hold(path)
    try:
        with pytest.raises(Bitrix24LockTimeoutError), locked(path, limit=0.3):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"Waiting for the lock of {path}" in caplog.text


def test_a_short_wait_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    path = state_file("oauth", "x")
    child = hold(path)
    threading.Timer(0.1, os.kill, (child, signal.SIGKILL)).start()
    with locked(path, limit=10):
        pass
    os.waitpid(child, 0)

    assert caplog.messages == []


# What a refresh of the token makes of it


@pytest.fixture
def application(portal: Emulator) -> Bitrix24Client:
    """A client whose access token has expired."""
    portal.expire_access_token()
    return client_of(portal, auth="oauth")


@pytest.mark.parametrize("call", ["os.open", "fcntl.flock", "os.pwrite"])
def test_a_full_disk_fails_a_refresh_before_the_token_is_spent(
    application: Bitrix24Client, portal: Emulator, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "said the disk")

    with monkeypatch.context() as patch:
        patch.setattr(call, fail)
        with pytest.raises(Bitrix24StateError, match="No space left") as caught:
            application.call("user.current")

    assert caught.value.conn_id == "the_connection"
    assert portal.requests.count("oauth.token") == 0
    assert application.call("user.current")["ID"] == "1"
    assert portal.requests.count("oauth.token") == 1


def test_a_stopped_refresh_of_another_process_fails_others_after_one_wait(
    application: Bitrix24Client, portal: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_files, "LOCK_SECONDS", 0.3)
    lock = lock_file_of(portal, "the_connection")
    child = hold(lock)
    os.kill(child, signal.SIGSTOP)
    waits: list[pathlib.Path] = []
    acquire = state_files._open_locked

    def counted(path: pathlib.Path, limit: float) -> int:
        waits.append(path)
        return acquire(path, limit)

    monkeypatch.setattr(state_files, "_open_locked", counted)
    try:
        with pytest.raises(Bitrix24LockTimeoutError):
            application.call("user.current")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    assert waits.count(lock) == 1
    assert application.call("user.current")["ID"] == "1"

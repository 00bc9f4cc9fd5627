"""Small files that the processes of one host share, in a directory that only their user can enter."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import stat
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import (
    Bitrix24ConfigurationError,
    Bitrix24LockTimeoutError,
    Bitrix24StateError,
    Outcome,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

#: Seconds that a lock is waited for: a refresh, which is one request, holds one for a minute at most.
LOCK_SECONDS = 120.0
#: Seconds of waiting after which the log says so.
_QUIET_SECONDS = 5.0
_MIN_PAUSE, _MAX_PAUSE = 0.0005, 0.05
#: What a disk says; an error of the network under the lock has other numbers.
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
_ELSEWHERE = "Set BITRIX24_STATE_DIR to a private directory on a local disk that this user can write to."
_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), f"Free space on its disk, or: {_ELSEWHERE}"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "Raise the limit of open files (ulimit -n)."),
    **dict.fromkeys(
        (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS), f"Its file system has no locks. {_ELSEWHERE}"
    ),
}


def state_path(kind: str, name: str) -> Path:
    """Return the path of one shared file; the name, which may be a host, is hashed.

    :param kind: what the file is for.
    :param name: whose file it is.
    """
    return _chosen_directory() / f"{kind}-{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def state_file(kind: str, name: str) -> Path:
    """Return the path of one shared file, in a directory that exists and is private.

    :param kind: what the file is for.
    :param name: whose file it is.
    :raises Bitrix24ConfigurationError: when somebody else owns the directory or can write to it.
    :raises Bitrix24StateError: when the directory can't be made.
    """
    state_directory()
    return state_path(kind, name)


def state_directory() -> Path:
    """Return the directory of the shared files, made when it is missing.

    It is ``$BITRIX24_STATE_DIR``, or ``airflow-provider-b24-<uid>`` in the system's temporary directory.

    :raises Bitrix24ConfigurationError: when somebody else owns the directory or can write to it.
    :raises Bitrix24StateError: when the directory can't be made.
    """
    directory = _chosen_directory()
    _make_private(directory)
    return directory


@contextmanager
def locked(path: Path, *, limit: float | None = None) -> Iterator[int]:
    """Hold the file's lock, which the kernel releases when its holder dies; yields the descriptor.

    :param path: the file; it is made when it is missing.
    :param limit: seconds to wait for another holder; None is two minutes.
    :raises Bitrix24LockTimeoutError: when another process still holds the lock.
    :raises Bitrix24StateError: when the file can't be used.
    :raises Bitrix24ConfigurationError: when somebody else owns its directory or can write to it.
    """
    descriptor = _open_locked(path, LOCK_SECONDS if limit is None else limit)
    try:
        yield descriptor
    except OSError as error:
        if error.errno in _DISK_ERRORS:
            raise _unusable(path, error) from None
        raise
    finally:
        # Closing alone would leave the lock to a process that was forked meanwhile.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _chosen_directory() -> Path:
    chosen = os.environ.get("BITRIX24_STATE_DIR")
    return Path(chosen) if chosen else Path(tempfile.gettempdir()) / f"airflow-provider-b24-{os.getuid()}"


def _make_private(directory: Path) -> None:
    try:
        try:
            found = directory.lstat()
        except FileNotFoundError:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = directory.lstat()
    except OSError as error:
        raise _unusable(directory, error) from None
    if not (stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022):
        raise Bitrix24ConfigurationError(
            f"The state directory {directory} must be a directory of this user that nobody else can write to",
            advice="Set BITRIX24_STATE_DIR to a private directory.",
        )


def _open_locked(path: Path, limit: float) -> int:
    started = time.monotonic()
    while True:
        _make_private(path.parent)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _unusable(path, error) from None
        try:
            _check_regular(descriptor, path)
            _acquire(descriptor, path, started, limit)
            # A file that a cleaner removed meanwhile is not the one that others open.
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _check_regular(descriptor: int, path: Path) -> None:
    # A FIFO or a device would block, or forget what is written.
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise Bitrix24StateError(
            f"The shared state in {path} can't be used: it is no regular file",
            outcome=Outcome.NOT_EXECUTED,
            advice="Remove it; it is made again.",
        )


def _acquire(descriptor: int, path: Path, started: float, limit: float) -> None:
    pause, said = _MIN_PAUSE, False
    while not _try_lock(descriptor, path):
        waited = time.monotonic() - started
        if waited >= limit:
            raise Bitrix24LockTimeoutError(
                f"Another process has held the lock of {path} for more than {waited:.0f} s",
                outcome=Outcome.NOT_EXECUTED,
            )
        if waited >= _QUIET_SECONDS and not said:
            said = True
            log.warning("Waiting for the lock of %s, which another process holds, for %.0f s", path, waited)
        time.sleep(min(pause, limit - waited))
        pause = min(pause * 2, _MAX_PAUSE)


def _try_lock(descriptor: int, path: Path) -> bool:
    # Without blocking: the kernel itself knows no limit for the wait.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _unusable(path, error) from None
    return True


def _unusable(path: Path, error: OSError) -> Bitrix24StateError:
    return Bitrix24StateError(
        f"The shared state in {path} can't be used: {os.strerror(error.errno or 0)}",
        outcome=Outcome.NOT_EXECUTED,
        advice=_ADVICE.get(error.errno or 0, _ELSEWHERE),
    )

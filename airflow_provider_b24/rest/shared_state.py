"""Small files that the processes of one host share, in a directory that only their user can enter."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator


def state_directory() -> Path:
    """Return the directory of the shared files, made when it is missing.

    It is ``$BITRIX24_STATE_DIR``, or ``airflow-provider-b24-<uid>`` in the system's temporary directory.

    :raises Bitrix24ConfigurationError: when somebody else owns the directory or can write to it.
    """
    chosen = os.environ.get("BITRIX24_STATE_DIR")
    path = Path(chosen) if chosen else Path(tempfile.gettempdir()) / f"airflow-provider-b24-{os.getuid()}"
    if not _is_private(path):
        raise Bitrix24ConfigurationError(
            f"The state directory {path} must be a directory of this user that nobody else can write to",
            advice="Set BITRIX24_STATE_DIR to a private directory.",
        )
    return path


def _is_private(path: Path) -> bool:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


def state_file(kind: str, name: str) -> Path:
    """Return the path of one shared file; the name, which may be a host, is hashed."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:24]
    return state_directory() / f"{kind}-{digest}"


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the file's lock, which the kernel lets go of when its holder dies; yields the descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        # Closing alone would leave the lock to a process that was forked meanwhile.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)

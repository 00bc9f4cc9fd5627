"""Lines that are only ever added: in a file, or in numbered objects of a storage.

One process at a time owns a log: it has the lock of the file, and its name is in the file. A newer one writes
its own name there, so that an older one that still works finds that out before its next request.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import time
import uuid
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_b24.exceptions import Bitrix24LockTimeoutError, Bitrix24PushStateError, Outcome
from airflow_provider_b24.utils.files import is_remote, local_path, object_path, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

#: Objects can't be added to: the newest one is written again, until it is so large.
_SEGMENT = 256 * 1024
#: Seconds that the owner of a log has to notice a newer one: a request of its own may be on its way.
LOCK_SECONDS = 120.0
_PAUSE = 0.1
#: The first line: its fields have fixed places, because two processes write them.
_HEAD = b'{"journal": 2, "owner": "%s", "size": "%016d"}\n'
_HEAD_PATTERN = re.compile(rb'\{"journal": 2, "owner": "([0-9a-f]{32})", "size": "(\d{16})"\}\n')
_HEAD_SIZE = len(_HEAD % (b"0" * 32, 0))
_OWNER_AT = _HEAD.index(b"%s")
_SIZE_AT = _HEAD_SIZE - len('0000000000000000"}\n')
#: What the system says of links, FIFOs and sockets.
_PLANTED = frozenset({errno.ELOOP, errno.EMLINK, errno.EINVAL, errno.ENXIO, errno.EISDIR})
_DAMAGED = (
    "Look into the chats for what was sent. Then remove the journal, and send the rest with another task, or "
    "everything with redelivery='at_least_once'."
)


class LineLog(Protocol):
    """Where lines are kept."""

    #: Where it is, for errors.
    name: str
    #: Whether no process has ever written to it.
    is_new: bool

    def claim(self) -> None:
        """Become the owner; an older process stops before its next request."""

    def is_owner(self) -> bool:
        """Say whether no newer process has become the owner."""

    def read(self) -> Iterator[bytes]:
        """Return the complete lines of earlier processes; half a line of a killed one is removed."""

    def append(self, lines: bytes) -> None:
        """Add complete lines; a process that is killed afterwards does not lose them."""

    def close(self) -> None:
        """Let others own the log."""


def line_log(path: str) -> LineLog:
    """Return the log at a path.

    :param path: a local path or an object storage URL.
    """
    return ObjectLog(path) if is_remote(path) else FileLog(path)


def damaged(name: str, line: int, problem: str) -> Bitrix24PushStateError:
    """Return the error for a journal that can't be read.

    :param name: where the journal is.
    :param line: the line, from 1.
    :param problem: what is wrong with it.
    """
    return Bitrix24PushStateError(
        f"{name}, line {line}: {problem}; nothing was sent", outcome=Outcome.NOT_EXECUTED, advice=_DAMAGED
    )


class FileLog:
    """Lines in a local file.

    :param path: the file; its directories are made.
    """

    def __init__(self, path: str) -> None:
        self.name = path
        self.is_new = True
        self._path = local_path(path)
        self._owner = uuid.uuid4().hex.encode()
        self._file: int | None = None
        self._end = 0

    def claim(self) -> None:
        """Become the owner, as soon as an older process has let go of the file.

        :raises Bitrix24LockTimeoutError: when it does not.
        :raises Bitrix24PushStateError: when the file is no journal.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        while self._file is None:
            file = self._open()
            try:
                self._claim(file, started)
            except BaseException:
                os.close(file)
                raise
            if os.fstat(file).st_nlink:
                self._file = file
            else:
                # Another process has removed it meanwhile.
                os.close(file)

    def _open(self) -> int:
        try:
            return open_regular(self._path, os.O_RDWR | os.O_CREAT, mode=0o666)
        except OSError as error:
            if error.errno in _PLANTED:
                raise damaged(self.name, 1, "the journal is a link, or no regular file") from None
            raise

    def _claim(self, file: int, started: float) -> None:
        while not _try_lock(file):
            if os.fstat(file).st_size >= _HEAD_SIZE:
                os.pwrite(file, self._owner, _OWNER_AT)
            if time.monotonic() - started >= LOCK_SECONDS:
                raise Bitrix24LockTimeoutError(
                    f"An earlier try of this task still works, and holds {self.name}",
                    outcome=Outcome.NOT_EXECUTED,
                )
            time.sleep(_PAUSE)
        self.is_new = os.fstat(file).st_size == 0
        if self.is_new:
            os.pwrite(file, _HEAD % (self._owner, _HEAD_SIZE), 0)
        elif _HEAD_PATTERN.fullmatch(os.pread(file, _HEAD_SIZE, 0)):
            os.pwrite(file, self._owner, _OWNER_AT)
        else:
            raise damaged(self.name, 1, "is not the first line of a journal of this version")
        self._end = os.fstat(file).st_size

    def is_owner(self) -> bool:
        """Say whether no newer process has become the owner."""
        return self._file is not None and os.pread(self._file, 32, _OWNER_AT) == self._owner

    def read(self) -> Iterator[bytes]:
        """Return the complete lines; the rest of a process that was killed while it wrote is removed."""
        if self._file is None:
            self.claim()
        file = self._opened()
        size = int(os.pread(file, 16, _SIZE_AT))
        if self._end < size:
            raise damaged(self.name, 1, f"says {size:,} bytes, and the file has {self._end:,}")
        end = _HEAD_SIZE
        with os.fdopen(os.dup(file), "rb") as lines:
            lines.seek(end)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                yield line
        if end < size:
            raise damaged(self.name, 1, f"says {size:,} bytes, and the last whole line ends at {end:,}")
        if end < self._end:
            os.ftruncate(file, end)
            self._end = end

    def append(self, lines: bytes) -> None:
        """Add lines; the system has them at once, so that a kill of the process loses none.

        :raises OSError: when not all are written, for example because the disk is full; then none is.
        """
        if self._file is None:
            self.claim()
        file = self._opened()
        left = memoryview(lines)
        try:
            while left:
                # A full disk takes a part without an error; the next part gets the error.
                left = left[os.pwrite(file, left, self._end + len(lines) - len(left)) :]
        except OSError:
            # What comes behind half a line could not be read.
            os.ftruncate(file, self._end)
            raise
        self._end += len(lines)
        os.pwrite(file, b"%016d" % self._end, _SIZE_AT)

    def close(self) -> None:
        """Bring the lines to the disk, and let go of the file."""
        if self._file is not None:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        if self._file is None:
            raise ValueError("the log is closed")
        return self._file


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        # The owner's name in the file is left.
        log.debug("The file system of the journal has no locks: %s", error)
    return True


class ObjectLog:
    """Lines in numbered objects of a storage, of which only the newest is written.

    :param url: the folder of the objects.
    """

    def __init__(self, url: str) -> None:
        self.name = url
        self.is_new = True
        self._folder = object_path(url)
        self._owner = uuid.uuid4().hex
        self._number = 0
        self._lines = b""

    def claim(self) -> None:
        """Become the owner."""
        self.is_new = not self._owner_path.exists() and not self._objects()
        self._owner_path.write_text(self._owner)

    def is_owner(self) -> bool:
        """Say whether no newer process has become the owner."""
        return bool(self._owner_path.read_text() == self._owner)

    def read(self) -> Iterator[bytes]:
        """Return the lines of all objects; a storage never has half of an object."""
        for path in self._objects():
            number = int(path.name.partition(".")[0])
            if number > self._number + 1:
                raise damaged(f"{self.name}/{path.name}", 1, f"no object has the number {self._number + 1}")
            self._number = number
            with path.open("rb") as file:
                yield from file

    def append(self, lines: bytes) -> None:
        """Add lines, and write the newest object; no other process writes the same one."""
        if not self._lines:
            self._number += 1
        self._lines += lines
        (self._folder / f"{self._number:08d}.{self._owner[:8]}.jsonl").write_bytes(self._lines)
        if len(self._lines) >= _SEGMENT:
            self._lines = b""

    def close(self) -> None:
        """Do nothing: all lines are written."""

    @property
    def _owner_path(self) -> Any:
        return self._folder / "owner"

    def _objects(self) -> list[Any]:
        if not self._folder.exists():
            return []
        return sorted((path for path in self._folder.iterdir() if _OBJECT.fullmatch(path.name)), key=str)


_OBJECT = re.compile(r"\d{8}\.[0-9a-f]{8}\.jsonl")

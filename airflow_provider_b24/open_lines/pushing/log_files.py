"""Lines that are only ever added: in a file, or in numbered objects of a storage."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any, Protocol

from airflow_provider_b24.utils.files import is_remote, local_path, object_path

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Objects can't be added to: the newest one is written again, until it is so large.
_SEGMENT = 256 * 1024


class LineLog(Protocol):
    """Where lines are kept."""

    def read(self) -> Iterator[bytes]:
        """Return the complete lines of earlier processes; what was cut off is removed."""

    def append(self, lines: bytes) -> None:
        """Add complete lines; a process that is killed afterwards does not lose them."""

    def remove(self) -> None:
        """Remove all lines."""

    def close(self) -> None:
        """Let others remove or read the lines."""


def line_log(path: str) -> LineLog:
    """Return the log at a path.

    :param path: a local path or an object storage URL.
    """
    return ObjectLog(path) if is_remote(path) else FileLog(path)


class FileLog:
    """Lines in a local file.

    :param path: the file; its directories are made.
    """

    def __init__(self, path: str) -> None:
        self._path = local_path(path)
        self._file: IO[bytes] | None = None

    def read(self) -> Iterator[bytes]:
        """Return the complete lines; the rest of a process that was killed while it wrote is removed."""
        if not self._path.exists():
            return
        end = 0
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                yield line
        if end < self._path.stat().st_size:
            os.truncate(self._path, end)

    def append(self, lines: bytes) -> None:
        """Add lines; the system has them at once, so that a kill of the process loses none.

        :raises OSError: when not all are written, for example because the disk is full; then none is.
        """
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab", buffering=0)
        _write_all(self._file, lines)

    def remove(self) -> None:
        """Remove the file."""
        self.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Bring the lines to the disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


def _write_all(file: IO[bytes], lines: bytes) -> None:
    """Write all lines or none: what comes behind half a line could not be read."""
    left = memoryview(lines)
    try:
        while left:
            # A full disk takes a part without an error; the next part gets the error.
            left = left[file.write(left) :]
    except OSError:
        written = len(lines) - len(left)
        os.ftruncate(file.fileno(), os.fstat(file.fileno()).st_size - written)
        raise


class ObjectLog:
    """Lines in numbered objects of a storage, of which only the newest is written.

    :param url: the folder of the objects.
    """

    def __init__(self, url: str) -> None:
        self._folder = object_path(url)
        self._number = 0
        self._lines = b""

    def read(self) -> Iterator[bytes]:
        """Return the lines of all objects; a storage never has half of an object."""
        for path in self._objects():
            self._number = int(path.name.partition(".")[0])
            with path.open("rb") as file:
                yield from file

    def append(self, lines: bytes) -> None:
        """Add lines, and write the newest object."""
        if not self._lines:
            self._number += 1
        self._lines += lines
        (self._folder / f"{self._number:08d}.jsonl").write_bytes(self._lines)
        if len(self._lines) >= _SEGMENT:
            self._lines = b""

    def remove(self) -> None:
        """Remove all objects."""
        for path in self._objects():
            path.unlink()
        self._number, self._lines = 0, b""

    def close(self) -> None:
        """Do nothing: all lines are written."""

    def _objects(self) -> list[Any]:
        if not self._folder.exists():
            return []
        return sorted((path for path in self._folder.iterdir() if path.name.endswith(".jsonl")), key=str)

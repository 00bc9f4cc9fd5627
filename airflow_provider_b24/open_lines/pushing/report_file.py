"""The report of a push as a file: JSON Lines, a line a message."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.utils.files import is_remote, is_same_file, local_path, object_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from airflow_provider_b24.open_lines.pushing.outgoing import OutgoingMessage

#: What the name of a draft has behind that of its report.
_DRAFT = re.compile(r"\.[a-z0-9_]+\.part")


class ReportFile:
    """Writes a report; the path has it when all lines are written, and keeps an earlier one until then.

    :param path: a local path, whose directories are made, or an object storage URL; None writes nothing.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._draft: Path | None = None
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Open the report.

        :raises Bitrix24ValidationError: when it can't be written there.
        """
        if self._path is None:
            return self
        try:
            self._open(self._path)
        except (OSError, ImportError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Bitrix24ValidationError(
                "report_path", f"{self._path!r} can't be written: {reason}"
            ) from error
        return self

    def _open(self, path: str) -> None:
        if is_remote(path):
            _open_object(path)
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - the report closes it
        else:
            report = local_path(path)
            _refuse_special(report)
            self._file = _new_draft(report)
            self._draft = Path(self._file.name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._draft is not None:
            self._draft.unlink(missing_ok=True)
        if self._file is not None:
            self._file.close()

    def add(self, message: OutgoingMessage) -> None:
        """Add the line of a message."""
        if self._file is not None:
            self._file.write(message.line)

    def publish(self) -> None:
        """Put the report in its place, and remove drafts of it that killed pushes have left."""
        if self._path is None or self._file is None:
            return
        self._file.flush()
        if self._draft is None:
            self._file.seek(0)
            with object_path(self._path).open("wb") as target:
                shutil.copyfileobj(self._file, target)
            return
        # As readable as any other file that the worker makes: a temporary file is its owner's alone.
        self._draft.chmod(0o666 & ~_umask())
        report = local_path(self._path)
        # Before it is closed: another push removes a draft that nobody writes.
        self._draft.replace(report)
        self._file.close()
        _remove_abandoned(report)


def check_report_path(report_path: str | None, *, source: str | None) -> None:
    """Refuse a report that would overwrite the messages.

    :param report_path: where the report is to be; None: there is none.
    :param source: where the messages are; None: in memory.
    :raises Bitrix24ValidationError: when both are one file, also through a link.
    """
    if report_path is not None and source is not None and is_same_file(report_path, source):
        rule = f"{report_path!r} is the file with the messages, which the report would overwrite"
        raise Bitrix24ValidationError("report_path", rule)


def _refuse_special(report: Path) -> None:
    """Refuse what a report must not replace: a folder, a pipe, a device."""
    if report.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if report.exists() and not report.is_file():
        raise ValueError("it is a pipe or a device")


def _open_object(url: str) -> None:
    """Make an object where there is none yet, so that a place that can't be written is known at once."""
    target = object_path(url)
    if url.endswith("/") or target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if not target.exists():
        target.write_bytes(b"")


def _new_draft(report: Path) -> IO[bytes]:
    """Return a new draft next to a report, locked as long as it is open."""
    report.parent.mkdir(parents=True, exist_ok=True)
    while True:
        draft = tempfile.NamedTemporaryFile(  # noqa: SIM115 - the report closes it
            dir=report.parent, prefix=f"{report.name}.", suffix=".part", delete=False
        )
        # A file system without locks keeps abandoned drafts.
        with suppress(OSError):
            fcntl.flock(draft, fcntl.LOCK_EX)
        if os.fstat(draft.fileno()).st_nlink:
            return draft
        # Another push took it for abandoned before it was locked.
        draft.close()


def _remove_abandoned(report: Path) -> None:
    """Remove the drafts of a report whose writers are gone."""
    for path in _drafts(report):
        with suppress(OSError), path.open("r+b") as draft:
            fcntl.flock(draft, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _drafts(report: Path) -> Iterator[Path]:
    with suppress(OSError):
        for path in report.parent.iterdir():
            if path.name.startswith(report.name) and _DRAFT.fullmatch(path.name, len(report.name)):
                yield path


def _umask() -> int:
    present = os.umask(0)
    os.umask(present)
    return present

"""The report of a push as a file: JSON Lines, a line a message."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from airflow_provider_b24.utils.files import is_remote, local_path, object_path

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_provider_b24.open_lines.pushing.journal import Settled


class ReportFile:
    """Writes a report; the path has it when all lines are written, and keeps an earlier one until then.

    :param path: a local path, whose directories are made, or an object storage URL; None writes nothing.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._draft: Path | None = None
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            folder = None if is_remote(self._path) else local_path(self._path).parent
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False)
            self._draft = Path(self._file.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None and self._draft is not None:
            self._file.close()
            self._draft.unlink(missing_ok=True)

    def add(self, settled: Settled) -> None:
        """Add the line of a message."""
        if self._file is not None:
            self._file.write(settled.line)

    def publish(self) -> None:
        """Put the report in its place."""
        if self._path is None or self._file is None or self._draft is None:
            return
        self._file.close()
        if is_remote(self._path):
            with self._draft.open("rb") as draft, object_path(self._path).open("wb") as target:
                shutil.copyfileobj(draft, target)
        else:
            # As readable as any other file that the worker makes: a temporary file is its owner's alone.
            self._draft.chmod(0o666 & ~_umask())
            self._draft.replace(local_path(self._path))


def _umask() -> int:
    import os

    present = os.umask(0)
    os.umask(present)
    return present

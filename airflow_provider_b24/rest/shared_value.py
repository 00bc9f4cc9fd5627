"""A few bytes that the processes of one host share, kept in each process while their file can't be used."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_b24.exceptions import Bitrix24LockTimeoutError, Bitrix24StateError
from airflow_provider_b24.rest.state_files import locked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

_T = TypeVar("_T")
#: Seconds that the file's lock is waited for; its holders need a thousandth of one.
LOCK_SECONDS = 5.0
#: Seconds for which the file is left alone when its lock was not released in time.
PAUSE_SECONDS = 30.0
_MAX_BYTES = 4096


@dataclass
class _Copy:
    """The value as this process knows it.

    :param data: the value; empty when there is none yet.
    :param is_ahead: whether it was changed while the file could not be.
    :param paused_until: when the file is tried again, on the monotonic clock.
    """

    data: bytes = b""
    is_ahead: bool = False
    paused_until: float = 0.0


_copies: dict[Path, _Copy] = {}
_lock = threading.Lock()


def _renew_lock() -> None:
    # Another thread of the parent may have held it.
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


class SharedValue:
    """Up to a few dozen bytes in a file under a lock.

    While the file can't be used, each process has a value of its own, and the log says so once.

    :param path: the file.
    :param merge: returns one value for the file's and a process's own when the file can be used again.
    :param monotonic: returns seconds of a clock that is never set.
    """

    def __init__(
        self,
        path: Path,
        *,
        merge: Callable[[bytes, bytes], bytes],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._merge = merge
        self._monotonic = monotonic
        self._copy = _copies.setdefault(self._path, _Copy())

    def update(self, change: Callable[[bytes], tuple[bytes, _T]]) -> _T:
        """Change the value, and return what the change returns beside it.

        :param change: takes the value, empty at first; it may be called twice.
        :raises Bitrix24ConfigurationError: when somebody else owns the directory or can write to it.
        """
        if self._monotonic() >= self._copy.paused_until:
            try:
                return self._update_file(change)
            except Bitrix24StateError as error:
                self._leave_file(error)
        with _lock:
            self._copy.data, result = change(self._copy.data)
        return result

    def _update_file(self, change: Callable[[bytes], tuple[bytes, _T]]) -> _T:
        copy = self._copy
        with locked(self._path, limit=LOCK_SECONDS) as file:
            data = os.pread(file, _MAX_BYTES, 0)
            data, result = change(self._merge(data, copy.data) if copy.is_ahead else data)
            # One small write: a crash leaves the old value or the new one.
            os.pwrite(file, data, 0)
            was_ahead, copy.is_ahead, copy.data = copy.is_ahead, False, data
        if was_ahead:
            log.info("The shared state in %s can be used again", self._path)
        return result

    def _leave_file(self, error: Bitrix24StateError) -> None:
        if isinstance(error, Bitrix24LockTimeoutError):
            self._copy.paused_until = self._monotonic() + PAUSE_SECONDS
        was_ahead, self._copy.is_ahead = self._copy.is_ahead, True
        if not was_ahead:
            text = "%s. Until it can be used again, this process limits its requests by itself. %s"
            log.warning(text, error.message, error.advice)

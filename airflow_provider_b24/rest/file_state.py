"""The shared state of one host, in small files under locks."""

from __future__ import annotations

import os
import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_b24.rest import rate_limit
from airflow_provider_b24.rest.rate_limit import pack, unpack
from airflow_provider_b24.rest.shared_value import SharedValue
from airflow_provider_b24.rest.state_files import locked, state_file, state_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.rest.rate_limit import Level, Plan

_MAX_MARK_BYTES = 128


class FileState:
    """Buckets and locks that the processes of one host and user share.

    :param clock: returns Unix seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def bucket(self, portal: str, plan: Plan) -> FileBucket:
        """Return a portal's bucket."""
        return FileBucket(portal, plan, clock=self._clock)

    @contextmanager
    def lock(self, name: str, *, limit: float | None = None) -> Iterator[FileMark]:
        """Hold a lock, which the kernel releases when its holder dies; yields the lock's mark."""
        with locked(state_file("oauth", name), limit=limit) as file:
            yield FileMark(file)


class FileBucket:
    """One portal's bucket: a few numbers in a file.

    While the file can't be used, each process has a bucket of its own.

    :param portal: the portal's address; its hash names the file.
    :param plan: what the portal allows.
    :param clock: returns Unix seconds.
    """

    def __init__(self, portal: str, plan: Plan, *, clock: Callable[[], float] = time.time) -> None:
        self._shared = SharedValue(state_path("bucket", portal), merge=_fuller)
        self._plan = plan
        self._clock = clock

    def reserve(self, *, max_wait: float) -> float:
        """Reserve a place and return how many seconds to wait before it may be used."""

        def add_request(data: bytes) -> tuple[bytes, float]:
            level = unpack(data)
            after, seconds = rate_limit.reserve(level, self._plan, self._clock())
            return pack(after if seconds <= max_wait else level), seconds

        return self._shared.update(add_request)

    def refused(self) -> None:
        """Slow the whole host down, with jitter, so that hosts do not retry together."""
        jitter = random.random()
        self._change(lambda level: rate_limit.penalize(level, self._plan, self._clock(), jitter=jitter))

    def fill(self) -> None:
        """Forfeit the burst: what others have sent is not known here."""
        self._change(lambda level: rate_limit.fill(level, self._plan, self._clock()))

    def _change(self, change: Callable[[Level], Level]) -> None:
        self._shared.update(lambda data: (pack(change(unpack(data))), None))


class FileMark:
    """A short text in the file of a lock."""

    def __init__(self, file: int) -> None:
        self._file = file

    def read(self) -> str:
        """Return the text; empty when there is none."""
        return os.pread(self._file, _MAX_MARK_BYTES, 0).decode("ascii", "replace")

    def write(self, text: str) -> None:
        """Replace the text."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text.encode(), 0)

    def is_held(self) -> bool:
        """Return True: the kernel takes a file's lock from nobody who lives."""
        return True

    def clock_offset(self, now: float) -> float:  # noqa: ARG002
        """Return 0: the processes of a host have one clock."""
        return 0.0


def _fuller(first: bytes, second: bytes) -> bytes:
    """Return the level at which more requests wait."""
    return max(first, second, key=lambda data: unpack(data).empty_at)

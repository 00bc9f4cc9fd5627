"""Which events the watchers of this process want, and how soon.

Airflow makes one stream for all watchers of a connection, and tells it the arguments of the first alone.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_INTERESTS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str | None], Interests]] = (
    WeakKeyDictionary()
)


def interests_of(conn_id: str, auth_connector: str | None = None) -> Interests:
    """Return what the running event loop's watchers of a queue want.

    :param conn_id: the Airflow connection.
    :param auth_connector: the key of the queue; None is the queue without one.
    """
    here = _INTERESTS.setdefault(asyncio.get_running_loop(), {})
    return here.setdefault((conn_id, auth_connector), Interests())


class Interests:
    """What the watchers of one connection want."""

    def __init__(self) -> None:
        self._wanted: dict[object, tuple[frozenset[str], float]] = {}
        self._changed = asyncio.Event()

    @property
    def names(self) -> list[str]:
        """The names of all events that a watcher wants, in a fixed order."""
        return sorted({name for names, _ in self._wanted.values() for name in names})

    @property
    def interval(self) -> float:
        """The shortest interval of a watcher."""
        return min((interval for _, interval in self._wanted.values()), default=0.0)

    @contextmanager
    def watching(self, names: Sequence[str], interval: float) -> Iterator[None]:
        """Want events for the time of the block.

        :param names: their names.
        :param interval: seconds between two reads.
        """
        key = object()
        self._wanted[key] = (frozenset(names), interval)
        self._changed.set()
        try:
            yield
        finally:
            del self._wanted[key]

    async def wait(self) -> None:
        """Return as soon as a watcher wants something."""
        while not self._wanted:
            self._changed.clear()
            await self._changed.wait()

"""One reader for all watchers of a connection, where Airflow has no shared streams (before 3.3)."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_provider_b24.triggers.event_queue.options import ReaderOptions, read_options
from airflow_provider_b24.triggers.event_queue.reader import QueueReader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from airflow_provider_b24.triggers.event_queue.delivery import Delivery

    _Queue = asyncio.Queue[Delivery | Exception]

_FANOUTS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str | None], Fanout]] = (
    WeakKeyDictionary()
)


def fanout_of(conn_id: str, auth_connector: str | None = None) -> Fanout:
    """Return the running event loop's fan-out for a queue.

    :param conn_id: the Airflow connection.
    :param auth_connector: the key of the queue; None is the queue without one.
    """
    fanouts = _FANOUTS.setdefault(asyncio.get_running_loop(), {})
    key = (conn_id, auth_connector)
    if key not in fanouts:
        fanouts[key] = Fanout(conn_id, read_options(), auth_connector=auth_connector)
    return fanouts[key]


class Fanout:
    """Gives each event to all watchers, and clears it when all are done with it.

    :param conn_id: the Airflow connection.
    :param options: how the reader behaves.
    :param auth_connector: the key of the queue; None is the queue without one.
    """

    def __init__(self, conn_id: str, options: ReaderOptions, *, auth_connector: str | None = None) -> None:
        self._conn_id = conn_id
        self._auth_connector = auth_connector
        self._options = options
        self._queues: list[_Queue] = []
        #: Events with the watchers that are not done with them.
        self._pending: dict[int, tuple[Delivery, list[_Queue]]] = {}
        self._reader: QueueReader | None = None
        self._task: asyncio.Task[None] | None = None

    async def deliveries(self) -> AsyncGenerator[Delivery]:
        """Yield events for ever, as one watcher gets them."""
        queue: _Queue = asyncio.Queue()
        self._queues.append(queue)
        self._start()
        try:
            while True:
                item = await queue.get()
                if isinstance(item, Exception):
                    raise item
                yield item
                # Airflow has taken the event, or else it would not ask for the next one.
                self._done(item, queue, failed=False)
        finally:
            self._leave(queue)

    def _start(self) -> None:
        if self._task is None:
            self._reader = QueueReader(self._conn_id, self._options, auth_connector=self._auth_connector)
            # In a context of its own, or its logs would land in the log of the first watcher.
            self._task = asyncio.get_running_loop().create_task(
                self._run(self._reader), context=contextvars.Context()
            )

    async def _run(self, reader: QueueReader) -> None:
        try:
            async for delivery in reader.deliveries():
                self._pending[delivery.event.id] = (delivery, list(self._queues))
                for queue in self._queues:
                    queue.put_nowait(delivery)
        except Exception as error:  # noqa: BLE001
            # The reader has failed itself: Airflow starts the watchers again.
            for queue in self._queues:
                queue.put_nowait(error)
        finally:
            await reader.close()

    def _done(self, delivery: Delivery, queue: _Queue, *, failed: bool) -> None:
        if self._reader is None or delivery.event.id not in self._pending:
            return
        _, waiting = self._pending[delivery.event.id]
        if queue in waiting:
            waiting.remove(queue)
        delivery.taken &= not failed
        if waiting:
            return
        del self._pending[delivery.event.id]
        if delivery.taken:
            self._reader.clear([delivery], after=self._options.clear_after)
        else:
            self._reader.give_back([delivery])

    def _leave(self, queue: _Queue) -> None:
        self._queues.remove(queue)
        for delivery, waiting in list(self._pending.values()):
            if queue in waiting:
                self._done(delivery, queue, failed=True)
        if not self._queues and self._task is not None:
            self._task.cancel()
            self._task, self._reader = None, None
            self._pending.clear()

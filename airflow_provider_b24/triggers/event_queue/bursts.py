"""The last event of a burst, which Airflow may leave without a DAG run.

Airflow's scheduler starts a run for the events up to the first one that it has not handled, and then forgets
that there were more: an event that is stored while the scheduler is about to start a run waits for the run
of the next event, which may come tomorrow. So the last of several events that come soon after each other is
handed on again after a silence. The consumer knows its id and skips it, and its run brings the others.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from airflow_provider_b24.triggers.event_queue.options import ReaderOptions

log = logging.getLogger(__name__)

T = TypeVar("T")


class Burst:
    """The events that one watcher has handed on lately.

    :param options: how soon events must follow each other, and when the last one is repeated.
    """

    def __init__(self, options: ReaderOptions) -> None:
        self._options = options
        self._last: dict[str, Any] = {}
        self._last_at: float | None = None
        self._due: list[float] = []

    def handed_on(self, payload: dict[str, Any], now: float) -> None:
        """Note an event.

        :param payload: what DAGs are told of it.
        :param now: seconds of a monotonic clock.
        """
        is_burst = self._last_at is not None and now - self._last_at < self._options.burst
        self._last, self._last_at = payload, now
        self._due = [now + delay for delay in self._options.repeat_after] if is_burst else []

    def silence(self, now: float) -> float | None:
        """Return after how many seconds without an event the last one is due again; None is never.

        :param now: seconds of a monotonic clock.
        """
        return max(self._due[0] - now, 0.0) if self._due else None

    def repeat(self, now: float) -> dict[str, Any]:
        """Return the last event once more.

        :param now: seconds of a monotonic clock.
        """
        self._due, self._last_at = self._due[1:], now
        log.info(
            "Event %s is handed on again: the last one of a burst may have got no DAG run", self._last["id"]
        )
        return {**self._last, "redelivered": True}


async def with_silences(
    stream: AsyncIterator[T], silence: Callable[[], float | None]
) -> AsyncGenerator[T | None]:
    """Yield what a stream yields, and None after each silence.

    :param stream: the stream; waiting for its next item is not interrupted.
    :param silence: returns the seconds of a silence; None is no limit.
    """
    waiting: asyncio.Future[T] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(_next(stream))
            done, _ = await asyncio.wait({waiting}, timeout=silence())
            if not done:
                yield None
                continue
            try:
                item = waiting.result()
            except StopAsyncIteration:
                return
            finally:
                waiting = None
            yield item
    finally:
        if waiting is not None:
            waiting.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await waiting


async def _next(stream: AsyncIterator[T]) -> T:
    return await anext(stream)

"""Reads the queue of one connection's application: reserve, hand on, clear.

No event is lost:

* An event is reserved, and cleared only after Airflow has taken it.
* A reservation whose reply is lost, and one that a killed triggerer leaves, stay in the queue under an id
  that nobody knows any more. They are found in the list of reserved events and handed on: at the start,
  after a lost reply, and from time to time.
* A failure is never raised to Airflow, which would start the trigger again every two seconds: it is logged
  and retried with backoff.

An event can be handed on twice; its payload says so, and has the same id.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import (
    Bitrix24Error,
    Bitrix24OutcomeUnknownError,
    Bitrix24PlanError,
)
from airflow_provider_b24.rest.redaction import REGISTRY
from airflow_provider_b24.triggers.event_queue.delivery import Delivery
from airflow_provider_b24.triggers.event_queue.interests import interests_of
from airflow_provider_b24.triggers.event_queue.options import ReaderOptions
from airflow_provider_b24.triggers.event_queue.queue_client import QueueClient
from airflow_provider_b24.triggers.event_queue.reader_log import ReaderLog
from airflow_provider_b24.triggers.poll_watcher.backoff import FailureBackoff
from airflow_provider_b24.triggers.poll_watcher.threads import run_in_daemon_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from airflow_provider_b24.events.queued_event import QueuedEvent


class QueueReader:
    """Reads the events that the watchers of one connection want.

    :param conn_id: the Airflow connection.
    :param options: how it behaves.
    :param auth_connector: the key of the queue; None is the queue without one.
    """

    def __init__(
        self, conn_id: str, options: ReaderOptions | None = None, *, auth_connector: str | None = None
    ) -> None:
        self._options = options or ReaderOptions()
        self._interests = interests_of(conn_id, auth_connector)
        self._client = QueueClient(conn_id, auth_connector, connection_age=self._options.connection_age)
        self._log = ReaderLog(conn_id)
        self._backoff = FailureBackoff(base_delay=self._options.base_delay, max_delay=self._options.max_delay)
        self._portal = ""
        #: Handed on, and neither cleared nor given back; by the event's id in the queue.
        self._held: dict[int, Delivery] = {}
        self._to_clear: dict[int, tuple[float, Delivery]] = {}
        self._returned: list[Delivery] = []
        #: Reserved events of unknown readers, as they were seen last; None: hand all of them on.
        self._strangers: set[int] | None = None
        self._recheck_at = 0.0
        self._read_at = 0.0
        self._wake_up = asyncio.Event()

    @property
    def redelivered(self) -> int:
        """How many events were handed on again."""
        return self._log.redelivered

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """Yield events for ever."""
        await self._interests.wait()
        await asyncio.sleep(self._options.gather)
        while True:
            for delivery in await self._round():
                yield delivery
                # So many events at once would fill the watchers' queues before they get a turn.
                await asyncio.sleep(0)
            await self._pause()

    def clear(self, deliveries: Iterable[Delivery], *, after: float = 0.0) -> None:
        """Remove events from the portal's queue, soon.

        :param deliveries: the events, which Airflow has taken.
        :param after: seconds to wait.
        """
        due = self._now() + max(after, self._options.clear_delay)
        for delivery in deliveries:
            self._to_clear[delivery.event.id] = (due, delivery)
        self._wake_up.set()

    def give_back(self, deliveries: Iterable[Delivery]) -> None:
        """Hand events on again at the next read: not all watchers have taken them."""
        for delivery in deliveries:
            delivery.redelivered, delivery.taken = True, False
            self._returned.append(delivery)
        # With a full window the pause ends only so.
        self._wake_up.set()

    async def close(self) -> None:
        """Clear what Airflow has taken, once, and close the connections to the portal."""
        with suppress(Exception):
            await self._clear_due(self._now() + self._options.clear_delay)
        await run_in_daemon_thread(self._client.close)

    async def _round(self) -> list[Delivery]:
        """Clear what is due and return the next events; none after a failure."""
        found: list[Delivery] = []
        try:
            await self._clear_due(self._now())
            if self._now() >= self._read_at:
                await self._interests.wait()
                await self._read(found)
        except Exception as error:  # noqa: BLE001
            # Whatever it is: raised to Airflow, it would start all watchers again and again.
            self._record_failure(error)
        for delivery in found:
            self._held[delivery.event.id] = delivery
        return found

    async def _read(self, found: list[Delivery]) -> None:
        """Add the next events to those that are found; they stay there when a later request fails."""
        if not self._portal:
            self._portal = await run_in_daemon_thread(self._client.portal)
        found += self._given_back()
        if self._now() >= self._recheck_at:
            found += await self._left_behind()
        full = False
        for name in self._interests.names:
            room = self._options.window - len(self._held) - len(found)
            if room <= 0:
                break
            limit = min(room, self._options.limit)
            events = await self._reserve(name, limit)
            found += [Delivery(event, self._portal) for event in events]
            full |= len(events) == limit
        self._record_success()
        # With more in the queue, the next read need not wait.
        self._read_at = self._now() + (0.0 if full else self._interests.interval)

    async def _reserve(self, name: str, limit: int) -> list[QueuedEvent]:
        try:
            return (await run_in_daemon_thread(self._client.reserve, name, limit)).events
        except Bitrix24OutcomeUnknownError:
            # The events may be reserved now under an id that never arrived.
            self._strangers, self._recheck_at = None, 0.0
            raise

    def _given_back(self) -> list[Delivery]:
        names = set(self._interests.names)
        again = [delivery for delivery in self._returned if delivery.event.name in names]
        for delivery in self._returned:
            # What no watcher wants any more stays reserved; a later watcher finds it.
            self._held.pop(delivery.event.id, None)
        self._returned = []
        if again:
            self._log.handed_on_again(len(again), "not all watchers had taken them")
        return again

    async def _left_behind(self) -> list[Delivery]:
        """Return reserved events that no one clears."""
        missing = await run_in_daemon_thread(self._client.not_subscribed, self._interests.names)
        self._log.not_subscribed(missing)
        names = set(self._interests.names)
        reserved = await run_in_daemon_thread(self._client.reserved)
        unknown = [event for event in reserved if event.name in names and event.id not in self._held]
        # Another triggerer may be about to clear them: from time to time only those that stay are taken.
        chosen = [event for event in unknown if self._strangers is None or event.id in self._strangers]
        chosen = chosen[: max(self._options.window - len(self._held), 0)]
        left = {event.id for event in unknown} - {event.id for event in chosen}
        was_all = self._strangers is None
        # With more than fits into the window, the next round takes the rest.
        self._strangers = None if was_all and left else left
        self._recheck_at = self._now() + (0.0 if was_all and left else self._options.recheck)
        if chosen:
            self._log.handed_on_again(len(chosen), "a reader had reserved them and not cleared them")
        return [Delivery(event, self._portal, redelivered=True) for event in chosen]

    async def _clear_due(self, now: float) -> None:
        """Clear what is due, one request a reservation; what fails stays for the next time."""
        batches: dict[str, list[int]] = defaultdict(list)
        for number, (due, delivery) in self._to_clear.items():
            if due <= now:
                batches[delivery.event.process_id].append(number)
        for process_id, numbers in batches.items():
            await run_in_daemon_thread(self._client.clear, process_id, numbers)
            for number in numbers:
                del self._to_clear[number]
                self._held.pop(number, None)

    async def _pause(self) -> None:
        """Wait for the next read, or until there is something to clear."""
        self._wake_up.clear()
        due = [at for at, _ in self._to_clear.values()]
        # While the window is full, only a clear makes room.
        is_full = len(self._held) >= self._options.window
        at = min([*due, *([] if is_full and not self._returned else [self._read_at])], default=None)
        if at is not None and at <= self._now():
            await asyncio.sleep(0)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(None if at is None else at - self._now()):
                await self._wake_up.wait()

    def _record_success(self) -> None:
        lasted = self._backoff.record_success(self._now())
        if lasted is not None:
            self._log.recovered(lasted)

    def _record_failure(self, error: Exception) -> None:
        now = self._now()
        typed = error if isinstance(error, Bitrix24Error) else _unexpected(error)
        delay = self._backoff.record_failure(now, permanent=typed.transient is False)
        if isinstance(typed, Bitrix24PlanError):
            delay = self._options.plan_delay * random.uniform(0.8, 1.2)
        self._read_at = now + delay
        self._to_clear = {
            number: (max(due, now + delay), delivery) for number, (due, delivery) in self._to_clear.items()
        }
        self._client.reread_connection()
        if self._backoff.should_log(now):
            self._log.failed(typed, delay=delay)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _unexpected(error: Any) -> Bitrix24Error:
    return Bitrix24Error(f"{type(error).__name__}: {REGISTRY.redact_and_truncate(str(error))}")

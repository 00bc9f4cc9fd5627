"""Watchers of a shop's line, as a triggerer of Airflow 3.3 runs them, without the processes around."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.triggers.event_queue import fanout, options
from airflow_provider_b24.triggers.event_queue.options import ReaderOptions
from airflow_provider_b24.triggers.events import Bitrix24OfflineEventTrigger
from tests.support.replies import REPLY, Replies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from airflow_provider_b24.emulator import Emulator

FAST = ReaderOptions(
    gather=0.02,
    recheck=0.3,
    clear_after=0.05,
    clear_delay=0.02,
    repeat_after=(),
    base_delay=0.002,
    max_delay=0.02,
    plan_delay=0.2,
)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let readers wait for milliseconds in place of seconds."""
    for module in (options, fanout):
        monkeypatch.setattr(module, "read_options", lambda: FAST)


@pytest.fixture
def replies(
    portal: Emulator, application: str, airflow_database: None, monkeypatch: pytest.MonkeyPatch
) -> Replies:
    """Operators of a line to whose replies the application is subscribed."""
    assert application == "bitrix24_app"
    # Without a limit of requests: each test is a fresh portal.
    fields = portal.connection(auth="oauth")
    fields["extra"] |= {"plan": "self_hosted"}
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_APP", json.dumps(fields))
    Bitrix24Hook(application).events.bind(event=REPLY)
    return Replies(portal)


class Triggerer:
    """A triggerer's event loop with Airflow's own shared streams.

    :param stores: whether it confirms that events are stored.
    """

    def __init__(self, *, stores: bool = True) -> None:
        from airflow.triggers.shared_stream import SharedStreamManager

        # Airflow waits so long for a watcher that ended with an event in its hands.
        self.streams = SharedStreamManager(ack_timeout=5)
        self.stores = stores
        self.stored: dict[int, list[dict[str, Any]]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def watch(self, **arguments: Any) -> int:
        """Start a watcher and return its number."""
        path, kwargs = Bitrix24OfflineEventTrigger(
            **{"bitrix24_conn_id": "bitrix24_app", "poll_interval": 0.02} | arguments
        ).serialize()
        assert path.endswith("Bitrix24OfflineEventTrigger")
        trigger = Bitrix24OfflineEventTrigger(**json.loads(json.dumps(kwargs)))
        number = len(self._tasks)
        self.stored[number] = []
        self._tasks.append(asyncio.get_running_loop().create_task(self._run(number, trigger)))
        return number

    async def _run(self, number: int, trigger: Bitrix24OfflineEventTrigger) -> None:
        """Do what ``TriggerRunner.run_trigger`` does, and what the supervisor answers."""
        key = trigger.shared_stream_key()
        assert key is not None
        stream = self.streams.subscribe(trigger_id=number, trigger=trigger, key=key)
        try:
            async for event in trigger.filter_shared_stream(stream):
                sequence = self.streams.bind_pending_event(trigger_id=number, key=key)
                # Only the repeat of a burst's last event is bound to no event of the queue.
                assert sequence is not None or event.payload["redelivered"]
                if self.stores:
                    self.stored[number].append(event.payload)
                if self.stores and sequence is not None:
                    asyncio.get_running_loop().call_later(0.01, self.streams.confirm_persisted, [sequence])
        finally:
            await self.streams.unsubscribe(number, key)

    async def stop(self, number: int) -> None:
        """End one watcher."""
        self._tasks[number].cancel()
        with suppress(asyncio.CancelledError):
            await self._tasks[number]

    async def close(self) -> None:
        """End all watchers; one that has failed is a failure of the test."""
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        assert [error for error in ended if not isinstance(error, asyncio.CancelledError)] == []
        await self.streams.stop_all()


@asynccontextmanager
async def triggerer(*, stores: bool = True) -> AsyncIterator[Triggerer]:
    """A triggerer that runs for the time of the block."""
    running = Triggerer(stores=stores)
    try:
        yield running
    finally:
        await running.close()


async def until(condition: Callable[[], Any]) -> None:
    """Wait until a condition is true."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)

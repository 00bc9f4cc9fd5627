"""The waits of triggers: intervals, deadlines, cancellation."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24ServerError,
)
from airflow_provider_b24.polls.bulk import BatchOutcome
from airflow_provider_b24.triggers.poll_watcher import waiters
from airflow_provider_b24.triggers.poll_watcher.watcher import PollWatcher
from tests.triggers.conftest import FAST
from tests.triggers.poll_watcher.waiting import FakeFetcher, asked, ended, rounds, until, wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.asyncio


async def test_a_hanging_request_delays_no_timeout(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    endless = wait(watcher, message)
    await rounds(portal)
    limited = wait(watcher, message, deadline=time.time() + 0.5)
    await rounds(portal, 2)
    portal.faults.add("slow", method="batch", seconds=2.0)
    await until(lambda: portal.faults.log)

    assert await ended(limited) == ["timeout"]
    assert not portal.requests[-1].seconds
    endless.cancel()


async def test_a_wait_that_begins_after_its_deadline_has_one_read(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]]
) -> None:
    open_, stopped = send(2)
    portal.stop_poll(stopped)
    late = time.time() - 100

    assert await ended(wait(watcher, open_, deadline=late), wait(watcher, stopped, deadline=late)) == [
        "timeout",
        "success",
    ]
    assert portal.requests.count() == 1


async def test_a_wait_that_begins_after_its_deadline_times_out_when_the_portal_is_down(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiters, "_FIRST_READ_GRACE", 0.03)
    (message,) = send()
    portal.faults.add("status_502", times=None)

    assert await ended(wait(watcher, message, deadline=time.time() - 100)) == ["timeout"]


async def test_a_deadline_is_a_unix_time(portal: Emulator, send: Callable[..., list[int]]) -> None:
    (message,) = send()
    watcher = PollWatcher("bitrix24_default", FAST, wall_clock=lambda: 2_000_000_000.0)

    assert await ended(wait(watcher, message, deadline=1_999_999_999.0)) == ["timeout"]


async def test_a_cancelled_wait_ends_the_reads_of_its_poll_and_no_others(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]]
) -> None:
    gone, shared, stays = send(3)
    leaving = [wait(watcher, gone), wait(watcher, shared)]
    staying = [wait(watcher, shared), wait(watcher, stays)]
    await rounds(portal)
    for task in leaving:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    assert len(watcher) == 2
    await rounds(portal, 2)

    assert asked(portal) == {shared, stays}
    portal.stop_poll(shared)
    portal.stop_poll(stays)
    assert await ended(*staying) == ["success"] * 2


async def test_the_shortest_interval_of_a_polls_waiters_counts_while_they_wait(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    slow = wait(watcher, message, interval=3600.0)
    await rounds(portal)
    quick = wait(watcher, message, interval=0.05)
    await rounds(portal, 2)
    quick.cancel()
    await asyncio.gather(quick, return_exceptions=True)
    await asyncio.sleep(0.06)
    before = portal.requests.count("batch")
    await asyncio.sleep(0.15)

    assert portal.requests.count("batch") == before
    slow.cancel()


async def test_many_decisions_at_once_do_not_block_the_event_loop(fetcher: FakeFetcher) -> None:
    error = Bitrix24ServerError("x")
    fetcher.last = lambda request: BatchOutcome(answers=dict.fromkeys(request, error))
    watcher = PollWatcher("a", FAST)
    tasks = [wait(watcher, number) for number in range(1, 2_001)]
    await until(lambda: fetcher.requests)
    done = []
    while not tasks[-1].done():
        done.append(sum(task.done() for task in tasks))
        await asyncio.sleep(0)

    assert len(set(done) - {0, 2_000}) >= 5
    assert await ended(*tasks) == ["error"] * 2_000

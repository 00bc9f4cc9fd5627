"""Blocking work outside the event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest
from asgiref.sync import async_to_sync

from airflow_provider_b24.triggers.poll_watcher.threads import THREAD_NAME, run_in_daemon_thread

pytestmark = pytest.mark.asyncio


async def test_a_thread_reaches_airflow_through_the_triggerers_own_loop() -> None:
    """Before Airflow 3.2 a triggerer breaks when a thread asks it for a connection in any other way."""

    async def loop_that_answers() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def ask() -> asyncio.AbstractEventLoop:
        return async_to_sync(loop_that_answers)()

    assert await run_in_daemon_thread(ask) is asyncio.get_running_loop()


async def test_a_thread_raises_what_the_work_raises_and_is_a_daemon() -> None:

    def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        await run_in_daemon_thread(fail)
    thread = await run_in_daemon_thread(threading.current_thread)
    assert (thread.daemon, thread.name) == (True, THREAD_NAME)

"""What a poll watcher logs, and where."""

from __future__ import annotations

import contextvars
import logging
from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.triggers.poll_watcher import watcher_log
from airflow_provider_b24.triggers.poll_watcher.watcher import PollWatcher
from tests.triggers.conftest import FAST
from tests.triggers.poll_watcher.waiting import FakeFetcher, ended, until, wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.asyncio


async def test_the_watchers_log_lines_are_in_no_tasks_context(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]]
) -> None:
    task = contextvars.ContextVar("task", default="none")
    contexts: list[str] = []

    class ContextHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            contexts.append(task.get())

    handler = ContextHandler()
    watcher_log.log.addHandler(handler)
    (message,) = send()
    portal.faults.add("status_502", method="batch")
    portal.stop_poll(message)
    task.set("the first")
    await ended(wait(watcher, message))
    watcher_log.log.removeHandler(handler)

    assert set(contexts) == {"none"}


async def test_a_schedule_that_is_behind_is_logged_once_and_again_when_it_is_not(
    fetcher: FakeFetcher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, watcher_log.__name__)
    behind = iter([False, True, True, True, False, False])
    monkeypatch.setattr(
        "airflow_provider_b24.triggers.poll_watcher.scheduler.Scheduler.is_behind",
        lambda self, now: next(behind, False),
    )
    task = wait(PollWatcher("a", FAST), 1)
    await until(lambda: len(fetcher.requests) > 7)
    task.cancel()

    lines = [record.getMessage() for record in caplog.records if record.name == watcher_log.__name__]
    assert len(lines) == 2
    assert "Each poll is read later than its interval says" in lines[0]
    assert "is on schedule again" in lines[1]

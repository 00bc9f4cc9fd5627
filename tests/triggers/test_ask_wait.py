"""One ask that waits, under a real event loop."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.asks.ask import Ask
from airflow_provider_b24.polls.poll import Poll
from airflow_provider_b24.triggers.ask_wait import AskWait

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

pytestmark = [pytest.mark.usefixtures("fast_watchers"), pytest.mark.asyncio]


def ask_for(message_id: int, **options: Any) -> Ask:
    given = {"chat_id": 1, "question": "Deploy?", "rule": {"quorum": 2}, "voters": None, "excluded": []}
    return Ask(message_id=message_id, asked_at=time.time(), **given | options)


def waiting(ask: Ask) -> asyncio.Task[dict[str, Any]]:
    return asyncio.create_task(AskWait("bitrix24_default", ask, 0.01, clock=time.time).run())


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.002)


async def test_a_vote_that_meets_the_rule_ends_the_wait(portal: Emulator, send: Callable[..., Any]) -> None:
    (message,) = send()
    task = waiting(ask_for(message))
    for person in (2, 3):
        portal.vote(message, user_id=person, answers=["No"])

    async with asyncio.timeout(20):
        event = await task

    assert (event["status"], event["chosen"]) == ("decided", ["No"])


async def test_a_poll_that_was_counted_is_not_held_while_the_ask_waits(
    portal: Emulator, send: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="airflow_provider_b24")
    (message,) = send()
    gc.collect()
    before = len(polls_in_memory())
    task = waiting(ask_for(message))
    portal.vote(message, user_id=2, answers=["No"])
    await until(lambda: "No 1" in caplog.text)
    reads = portal.requests.count_commands("vote.AttachedVote.getMany")
    await until(lambda: portal.requests.count_commands("vote.AttachedVote.getMany") > reads + 1)

    gc.collect()
    assert len(polls_in_memory()) == before
    task.cancel()


def polls_in_memory() -> list[Poll]:
    return [found for found in gc.get_objects() if isinstance(found, Poll)]

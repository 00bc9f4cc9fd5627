"""The last event of a burst is handed on again, or Airflow may start no run for it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.triggers.event_queue import options
from airflow_provider_b24.triggers.event_queue.bursts import Burst, with_silences
from airflow_provider_b24.triggers.event_queue.options import ReaderOptions

from .conftest import FAST, triggerer, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.replies import Replies

FIRST, SECOND = {"id": "p:1", "redelivered": False}, {"id": "p:2", "redelivered": False}


def burst(**given: Any) -> Burst:
    return Burst(ReaderOptions(**{"burst": 60.0, "repeat_after": (10.0, 120.0)} | given))


def test_a_lone_event_is_not_repeated() -> None:
    one = burst()
    one.handed_on(FIRST, 0.0)
    assert one.silence(1.0) is None
    one.handed_on(SECOND, 61.0)
    assert one.silence(62.0) is None


def test_the_last_of_two_is_repeated_after_each_silence() -> None:
    two = burst()
    two.handed_on(FIRST, 0.0)
    two.handed_on(SECOND, 5.0)
    assert two.silence(6.0) == 9.0
    assert two.repeat(15.0) == {"id": "p:2", "redelivered": True}
    assert two.silence(15.0) == 110.0
    assert two.repeat(125.0)["id"] == "p:2"
    assert two.silence(126.0) is None
    assert SECOND["redelivered"] is False


def test_an_event_soon_after_a_repeat_is_of_the_burst_too() -> None:
    two = burst()
    two.handed_on(FIRST, 0.0)
    two.handed_on(SECOND, 1.0)
    two.repeat(11.0)
    two.handed_on(FIRST, 12.0)
    assert two.silence(12.0) == 10.0


async def numbers(*given: int) -> AsyncIterator[int]:
    for number in given:
        yield number


@pytest.mark.asyncio
async def test_a_stream_without_silences_passes_unchanged_and_ends() -> None:
    assert [item async for item in with_silences(numbers(1, 2), lambda: None)] == [1, 2]


@pytest.mark.asyncio
async def test_a_silence_loses_no_item_and_ends_nothing() -> None:
    go_on, closed = asyncio.Event(), []

    async def slow() -> AsyncIterator[int]:
        try:
            yield 1
            await go_on.wait()
            yield 2
            await asyncio.sleep(3600)
        finally:
            closed.append(True)

    seen: list[int | None] = []
    async with aclosing(with_silences(slow(), lambda: 0.01)) as stream:
        async for item in stream:
            seen.append(item)
            if item is None:
                go_on.set()
            if item == 2:
                break
        assert seen[0] == 1
        assert None in seen
        assert closed == []
        await anext(stream)
    assert closed == [True]


@pytest.mark.asyncio
async def test_a_failure_of_the_stream_is_raised() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise LookupError("gone")

    with pytest.raises(LookupError):
        assert [item async for item in with_silences(broken(), lambda: None)]


@pytest.mark.asyncio
async def test_a_watcher_repeats_the_last_reply_of_a_burst_under_its_id(
    replies: Replies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "read_options", lambda: replace(FAST, repeat_after=(0.1, 0.3)))
    async with triggerer() as running:
        watcher = running.watch()
        replies.say("One", "Two")
        await until(lambda: len(running.stored[watcher]) == 4)
        await until(lambda: not replies.queue())
        await asyncio.sleep(0.5)
    told = [(payload["text"], payload["redelivered"]) for payload in running.stored[watcher]]
    assert told == [("One", False), ("Two", False), ("Two", True), ("Two", True)]
    assert len({payload["id"] for payload in running.stored[watcher]}) == 2

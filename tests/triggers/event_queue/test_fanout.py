"""Watchers on Airflow before 3.3, each with a ``run`` of its own: at least once, through one reader."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.triggers.event_queue import fanout
from airflow_provider_b24.triggers.event_queue.fanout import fanout_of
from airflow_provider_b24.triggers.events import Bitrix24OfflineEventTrigger
from tests.support.replies import REPLY, Replies

from .conftest import FAST, until

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.asyncio

CLEAR = "event.offline.clear"


class Watcher:
    """A trigger whose events Airflow takes until it is stopped."""

    def __init__(self, *, takes: int | None = None, **arguments: Any) -> None:
        self.trigger = Bitrix24OfflineEventTrigger(
            **{"bitrix24_conn_id": "bitrix24_app", "poll_interval": 0.02} | arguments
        )
        self.taken: list[dict[str, Any]] = []
        self._limit = takes
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        async for event in self.trigger.run():
            self.taken.append(event.payload)
            if len(self.taken) == self._limit:
                await asyncio.sleep(3600)

    async def stop(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


async def test_a_reply_is_an_event_and_is_cleared_after_airflow_took_it(replies: Replies) -> None:
    watcher = Watcher()
    replies.say("One")
    await until(lambda: watcher.taken)
    await until(lambda: not replies.queue())
    await watcher.stop()
    assert [payload["text"] for payload in watcher.taken] == ["One"]


async def test_a_watcher_reads_the_queue_of_its_key(replies: Replies) -> None:
    events = Bitrix24Hook("bitrix24_app").events
    await asyncio.to_thread(events.unbind, event=REPLY)
    await asyncio.to_thread(events.bind, event=REPLY, auth_connector="shop")
    other, watcher = Watcher(), Watcher(auth_connector="shop")
    replies.say("One")
    await until(lambda: watcher.taken)
    await until(lambda: not replies.queue())
    await watcher.stop()
    await other.stop()
    assert ([payload["text"] for payload in watcher.taken], other.taken) == (["One"], [])


async def test_an_event_is_not_cleared_at_once_for_airflow_may_not_have_stored_it(
    replies: Replies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "read_options", lambda: replace(FAST, clear_after=3600))
    watcher = Watcher()
    replies.say("One")
    await until(lambda: watcher.taken)
    reads = replies.portal.requests.count("event.offline.get")
    await until(lambda: replies.portal.requests.count("event.offline.get") > reads + 5)
    await watcher.stop()
    assert replies.reserved() == 1


async def test_an_event_that_airflow_still_holds_is_not_cleared(replies: Replies) -> None:
    watcher = Watcher(takes=1)
    replies.say("One")
    await until(lambda: watcher.taken)
    await asyncio.sleep(0.2)
    assert replies.portal.requests.count(CLEAR) == 0
    await watcher.stop()

    successor = Watcher()
    await until(lambda: successor.taken)
    await until(lambda: not replies.queue())
    await successor.stop()
    assert successor.taken[0]["id"] == watcher.taken[0]["id"]
    assert successor.taken[0]["redelivered"] is True


async def test_watchers_share_one_reader_and_each_gets_the_event(replies: Replies, portal: Emulator) -> None:
    deal = "ONCRMDEALUPDATE"
    Bitrix24Hook("bitrix24_app").events.bind(event=deal)
    watchers = [Watcher(), Watcher(poll_interval=0.03), Watcher(events=[deal, REPLY])]
    replies.say("One")
    portal.raise_event(deal, {"FIELDS": {"ID": "288"}})
    await until(lambda: [len(watcher.taken) for watcher in watchers] == [1, 1, 2])
    await until(lambda: not replies.queue())
    for watcher in watchers:
        await watcher.stop()
    assert portal.requests.count("event.get") <= 4


async def test_the_last_watcher_ends_the_reader(replies: Replies, portal: Emulator) -> None:
    watcher = Watcher()
    await until(lambda: portal.requests.count("event.offline.get"))
    await watcher.stop()
    await asyncio.sleep(0.05)
    before = len(portal.requests)
    await asyncio.sleep(0.1)
    assert len(portal.requests) == before
    assert fanout_of("bitrix24_app")._task is None


async def test_one_watcher_that_ends_does_not_take_the_event_from_the_other(replies: Replies) -> None:
    slow, other = Watcher(takes=1), Watcher()
    replies.say("One")
    await until(lambda: slow.taken and other.taken)
    await slow.stop()
    await until(lambda: len(other.taken) == 2)
    await until(lambda: not replies.queue())
    await other.stop()
    assert len({payload["id"] for payload in other.taken}) == 1


async def test_a_reader_whose_window_is_full_goes_on_when_a_watcher_that_held_events_ends(
    replies: Replies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "read_options", lambda: replace(FAST, window=4, recheck=300))
    stuck, other = Watcher(takes=1), Watcher()
    replies.say(*(f"Reply {number}" for number in range(4)))
    await until(lambda: stuck.taken and len(other.taken) == 4)
    # So long that the reader waits for the window only.
    await asyncio.sleep(0.2)
    await stuck.stop()
    replies.say("New")
    await until(lambda: not replies.queue())
    await other.stop()
    assert other.taken[-1]["text"] == "New"


async def test_a_lost_reply_to_get_loses_no_event(replies: Replies) -> None:
    replies.portal.faults.add("drop_after", method="event.offline.get", times=2)
    replies.say("One", "Two")
    watcher = Watcher()
    await until(lambda: len(watcher.taken) == 2)
    await until(lambda: not replies.queue())
    await watcher.stop()

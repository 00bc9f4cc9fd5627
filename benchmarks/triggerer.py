"""A process that runs triggers like Airflow's triggerer: one event loop, a task for each trigger.

``benchmarks.waiting`` starts it. It reads its settings as JSON from the first line of its input, prints
lines of JSON, and ends at the end of its input.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import psutil
from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: The output of this process. Airflow logs to standard output, so that is redirected to standard error.
_OUT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
#: Airflow's watchdog uses this interval.
_INTERVAL = 0.1


class Idle(BaseTrigger):
    """A trigger that does nothing, to measure Airflow's own cost."""

    def __init__(self, **given: Any) -> None:
        super().__init__()
        self.given = given

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent(await asyncio.get_running_loop().create_future())


class Triggerer:
    """Runs triggers and measures CPU time, memory and blocking.

    :param settings: ``kind`` of trigger (``polls``, ``asks`` or ``idle``), ``polls``, ``interval``, ``rule``,
        ``voters``.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._blocked = 0.0
        self._process = psutil.Process()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        watchdog = asyncio.create_task(self._watch())
        self._report_on_request(loop, ended)
        gc.collect()
        before = self._process.memory_info().rss
        tasks = [asyncio.create_task(self._wait(poll)) for poll in self._settings["polls"]]
        _print({"started": len(tasks), "rss_before": before})
        await ended.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        watchdog.cancel()

    async def _wait(self, poll: int) -> None:
        given = {"poll": {"message_id": poll}, "rule": self._settings["rule"]}
        given["poll_interval"] = self._settings["interval"]
        trigger = self._ask(poll) if self._settings["kind"] == "asks" else self._trigger(**given)
        async for event in trigger.run():
            _print({"poll": poll, "at": time.time(), "status": event.payload["status"]})
            return

    def _ask(self, poll: int) -> BaseTrigger:
        from airflow_provider_b24.asks.ask import Ask
        from airflow_provider_b24.triggers.ask import Bitrix24AskTrigger

        ask = Ask(
            message_id=poll,
            chat_id=1,
            question=f"Shall we deploy number {poll}?",
            rule=self._settings["rule"],
            voters=self._settings["voters"],
            excluded=[],
            asked_at=time.time(),
            poll_url=f"https://acme.bitrix24.com/vote-result/{poll:016x}",
        )
        return Bitrix24AskTrigger(
            bitrix24_conn_id="bitrix24_default", ask=ask.to_dict(), poll_interval=self._settings["interval"]
        )

    def _trigger(self, **given: Any) -> BaseTrigger:
        if self._settings["kind"] == "idle":
            return Idle(bitrix24_conn_id="bitrix24_default", **given)
        from airflow_provider_b24.triggers.polls import Bitrix24PollTrigger

        return Bitrix24PollTrigger(bitrix24_conn_id="bitrix24_default", **given)

    async def _watch(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(_INTERVAL)
            self._blocked = max(self._blocked, time.monotonic() - began - _INTERVAL)

    def _report_on_request(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
        def listen() -> None:
            for _ in sys.stdin:
                _print(self._state())
                self._blocked = 0.0
            loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=listen, daemon=True).start()

    def _state(self) -> dict[str, Any]:
        rss = self._process.memory_info().rss
        return {"cpu": time.process_time(), "rss": rss, "blocked": self._blocked, "clock": time.monotonic()}


def _print(value: dict[str, Any]) -> None:
    _OUT.write(json.dumps(value) + "\n")
    _OUT.flush()


if __name__ == "__main__":
    asyncio.run(Triggerer(json.loads(sys.stdin.readline())).run())

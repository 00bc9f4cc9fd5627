"""Waiting for polls in tests: start waits, end them, and see what the portal was asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from airflow_provider_b24.exceptions import error_from_dict
from airflow_provider_b24.polls.bulk import BatchOutcome
from airflow_provider_b24.polls.reference import parse_reference
from airflow_provider_b24.polls.rules import parse_rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.polls.request import PollRequest
    from airflow_provider_b24.triggers.poll_watcher.watcher import PollWatcher


def wait(watcher: PollWatcher, poll: Any, rule: Any = "stopped", **options: Any) -> asyncio.Task[Any]:
    given = {"interval": 0.05, "deadline": None} | options
    return asyncio.create_task(watcher.wait(parse_reference(poll), parse_rule(rule), **given))


async def ended(*tasks: asyncio.Task[Any]) -> list[str]:
    async with asyncio.timeout(60):
        return [event["status"] for event in await asyncio.gather(*tasks)]


async def error_of(task: asyncio.Task[Any]) -> Any:
    async with asyncio.timeout(60):
        return error_from_dict((await task)["error"])


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.002)


async def rounds(portal: Emulator, count: int = 1) -> None:
    """Wait until the portal has answered so many times more, or broken its answer off."""
    goal = len(answered(portal)) + count
    await until(lambda: len(answered(portal)) >= goal)


def answered(portal: Emulator) -> list[Any]:
    return [request for request in portal.requests if request.method == "batch" and request.seconds]


def asked(portal: Emulator, position: int = -1) -> set[int]:
    """Return the message ids that a request asked for."""
    commands = answered(portal)[position].params["cmd"].values()
    pairs = [pair for command in commands for pair in parse_qsl(command.partition("?")[2])]
    return {int(value) for name, value in pairs if name.startswith("entityId")}


class FakeFetcher:
    """A fetcher that returns what a test tells it to, instead of asking a portal."""

    plan = None

    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.requests: list[PollRequest] = []
        self.last: Any = None

    def reserve(self) -> float:
        return 0.0

    def reread_connection(self) -> None:
        pass

    def close(self) -> None:
        pass

    def fetch(self, request: PollRequest, min_voters: dict[PollReference, float]) -> BatchOutcome:
        self.requests.append(request)
        part = self.parts.pop(0) if self.parts else self.last
        if isinstance(part, Exception):
            raise part
        return part(request) if part is not None else BatchOutcome(answers=dict.fromkeys(request))

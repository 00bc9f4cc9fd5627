"""One poll watcher for all polls that this process waits for through one connection.

Each trigger hands its poll to the watcher and sleeps; the watcher reads the polls of all of them together
and notifies those whose wait ends. It runs as long as there are waiters.

Failure scope:

* A poll that is deleted, hidden or broken fails those who wait for it, and is not read again.
* A portal that is down, slow or limited fails no waiter: the watcher retries with exponential backoff.
* Credentials that are refused, and a connection that can't be used, are retried for ten minutes, because
  people replace webhooks and correct connections; then all who wait through it fail.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24NoAnswerError, Bitrix24UnreachableError
from airflow_provider_b24.rest.redaction import REGISTRY
from airflow_provider_b24.triggers.poll_watcher.backoff import FailureBackoff
from airflow_provider_b24.triggers.poll_watcher.fetcher import PollFetcher
from airflow_provider_b24.triggers.poll_watcher.options import WatcherOptions, read_options
from airflow_provider_b24.triggers.poll_watcher.scheduler import Scheduler
from airflow_provider_b24.triggers.poll_watcher.threads import run_in_daemon_thread
from airflow_provider_b24.triggers.poll_watcher.waiters import Waiter, Waiters
from airflow_provider_b24.triggers.poll_watcher.watcher_log import WatcherLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_b24.polls.bulk import BatchOutcome, PollAnswer
    from airflow_provider_b24.polls.poll import Poll
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.polls.request import PollRequest
    from airflow_provider_b24.polls.rules import WatchRule
    from airflow_provider_b24.triggers.poll_watcher.payloads import PollEvent

#: Reads in a row at which the portal must break over a poll before its waiters fail.
MAX_SERVER_ERRORS = 3
#: Polls whose waiters are notified before the event loop gets a turn.
WAKE_BATCH_SIZE = 200

_WATCHERS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, PollWatcher]] = WeakKeyDictionary()


def watcher_of(conn_id: str) -> PollWatcher:
    """Return the running event loop's poll watcher for a connection.

    :param conn_id: the Airflow connection.
    """
    watchers = _WATCHERS.setdefault(asyncio.get_running_loop(), {})
    if conn_id not in watchers:
        watchers[conn_id] = PollWatcher(conn_id, read_options())
    return watchers[conn_id]


class PollWatcher:
    """Reads the polls of all who wait, and notifies them.

    :param conn_id: the Airflow connection.
    :param options: how it behaves.
    :param wall_clock: returns Unix seconds.
    """

    def __init__(
        self,
        conn_id: str,
        options: WatcherOptions | None = None,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._conn_id = conn_id
        self._options = options or WatcherOptions()
        self._waiters = Waiters(expedite=self._expedite, wall_clock=wall_clock)
        self._task: asyncio.Task[None] | None = None
        self._reset()

    def __len__(self) -> int:
        return len(self._waiters)

    async def wait(
        self, reference: PollReference, rule: WatchRule, *, interval: float, deadline: float | None
    ) -> PollEvent:
        """Return the event that ends a wait.

        :param reference: the poll.
        :param rule: when it is decided.
        :param interval: seconds between two reads.
        :param deadline: Unix seconds after which it gives up; None waits for ever.
        """
        return (await self.wait_for_poll(reference, rule, interval=interval, deadline=deadline))[0]

    async def wait_for_poll(
        self, reference: PollReference, rule: WatchRule, *, interval: float, deadline: float | None
    ) -> tuple[PollEvent, Poll | None]:
        """Return the event that ends a wait, and the poll as it was read last, if it was.

        :param reference: the poll.
        :param rule: when it is decided.
        :param interval: seconds between two reads.
        :param deadline: Unix seconds after which it gives up; None waits for ever.
        """
        waiter = Waiter(reference, rule, interval=interval, deadline=deadline)
        self._add(waiter)
        try:
            return await waiter.event, waiter.poll
        finally:
            self._remove(waiter)

    def _add(self, waiter: Waiter) -> None:
        self._waiters.add(waiter)
        self._set_interval(waiter.reference)
        if self._task is None:
            # In a context of its own, or its logs would land in the log of the first task that waits.
            self._task = asyncio.get_running_loop().create_task(self._run(), context=contextvars.Context())
            self._task.add_done_callback(self._on_end)
        self._wake_up.set()

    def _remove(self, waiter: Waiter) -> None:
        self._waiters.remove(waiter)
        if waiter.reference in self._waiters:
            self._set_interval(waiter.reference)
            return
        self._server_errors.pop(waiter.reference, None)
        self._scheduler.remove(waiter.reference)
        if not len(self._scheduler):
            self._stop()

    def _set_interval(self, reference: PollReference) -> None:
        self._scheduler.add(reference, self._waiters.interval(reference), self._now())

    def _expedite(self, reference: PollReference) -> None:
        self._scheduler.expedite(reference, self._now())
        self._wake_up.set()

    def _reset(self) -> None:
        self._scheduler = Scheduler()
        self._backoff = FailureBackoff(base_delay=self._options.base_delay, max_delay=self._options.max_delay)
        self._fetcher = PollFetcher(self._conn_id, connection_age=self._options.connection_age)
        self._log = WatcherLog(self._conn_id)
        self._server_errors: dict[PollReference, int] = {}
        self._wake_up = asyncio.Event()

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._fetcher.close()
        self._reset()

    def _on_end(self, task: asyncio.Task[None]) -> None:
        """Fail the waiters of a watcher that crashed: no one would ever wake them."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._task = None
            self._log.crashed(error)
            self._waiters.fail_all(_unexpected(error))

    async def _run(self) -> None:
        while True:
            await self._wait_until_due()
            await self._read()

    async def _wait_until_due(self) -> None:
        while (at := self._scheduler.next_at(self._now())) is None or at > self._now():
            self._wake_up.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if at is None else at - self._now()):
                    await self._wake_up.wait()

    async def _read(self) -> None:
        """Send one request, and act on what comes back."""
        request: PollRequest | None = None
        try:
            delay = await run_in_daemon_thread(self._fetcher.reserve)
            self._scheduler.set_rate(self._fetcher.plan, self._options.share)
            await asyncio.sleep(delay)
            request = self._scheduler.take(self._now())
            if not len(request):
                return
            min_voters = {reference: self._waiters.min_voters(reference) for reference in request}
            outcome = await run_in_daemon_thread(self._fetcher.fetch, request, min_voters)
        except Exception as error:  # noqa: BLE001
            # Whatever it is, every wait must end with an event.
            self._scheduler.requeue(request or (), self._now())
            self._record_failure(error)
            return
        self._plan_next(outcome)
        await self._notify(outcome)

    def _plan_next(self, outcome: BatchOutcome) -> None:
        now = self._now()
        self._scheduler.reschedule(outcome.answers, now)
        self._scheduler.isolate(outcome.suspects)
        self._scheduler.requeue(outcome.unread, now)
        self._scheduler.reschedule(outcome.broken, now)
        if outcome.failure is None:
            self._record_success()
        else:
            self._record_failure(outcome.failure)
        self._log.schedule(
            is_behind=self._scheduler.is_behind(self._now()),
            polls=len(self._scheduler),
            share=self._options.share,
        )

    async def _notify(self, outcome: BatchOutcome) -> None:
        answers: list[tuple[PollReference, PollAnswer]] = [*outcome.answers.items()]
        answers += self._persistent_server_errors(outcome)
        for number, (reference, answer) in enumerate(answers, start=1):
            if isinstance(answer, Bitrix24Error):
                answer.conn_id = answer.conn_id or self._conn_id
            self._waiters.notify(reference, answer)
            if number % WAKE_BATCH_SIZE == 0:
                await asyncio.sleep(0)

    def _persistent_server_errors(
        self, outcome: BatchOutcome
    ) -> Iterable[tuple[PollReference, Bitrix24Error]]:
        """Yield the polls over which the portal has broken too often."""
        for reference in outcome.answers.keys() & self._server_errors.keys():
            del self._server_errors[reference]
        for reference, error in outcome.broken.items():
            self._server_errors[reference] = self._server_errors.get(reference, 0) + 1
            if self._server_errors[reference] >= MAX_SERVER_ERRORS:
                yield reference, error

    def _record_success(self) -> None:
        self._scheduler.increase_request_size()
        lasted = self._backoff.record_success(self._now())
        if lasted is not None:
            self._log.recovered(lasted)

    def _record_failure(self, error: Exception) -> None:
        now = self._now()
        typed = error if isinstance(error, Bitrix24Error) else _unexpected(error)
        delay = self._backoff.record_failure(now, permanent=not typed.transient)
        self._scheduler.pause_until(now + delay)
        self._fetcher.reread_connection()
        if _is_request_too_large(typed):
            self._scheduler.reduce_request_size()
        if self._backoff.should_log(now):
            self._log.failed(len(self._scheduler), typed)
        if self._backoff.permanent_for(now) > self._options.permanent_failure_timeout:
            self._waiters.fail_all(typed)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _unexpected(error: Exception) -> Bitrix24Error:
    return Bitrix24Error(f"{type(error).__name__}: {REGISTRY.redact_and_truncate(str(error))}")


def _is_request_too_large(error: Bitrix24Error) -> bool:
    """Say whether a smaller request may succeed: no reply in time, or one that is too large."""
    return isinstance(error, Bitrix24NoAnswerError) and not isinstance(error, Bitrix24UnreachableError)

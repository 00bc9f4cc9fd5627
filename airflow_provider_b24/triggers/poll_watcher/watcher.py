"""One feed for all polls that this process waits for through one connection.

Each trigger hands its poll to the feed and sleeps; the feed reads the polls of all of them together and
wakes whoever has something to hear. It lives as long as somebody waits.

What fails whom:

* A poll that is deleted, hidden or broken fails those who wait for it, and is not asked for again.
* A portal that is down, slow or limited fails nobody: the feed asks again, less and less often.
* Credentials that are refused, or a connection that can't be used, are given ten minutes to be mended in
  Airflow's connection, because webhooks do get renewed; then all who wait through it fail.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_provider_b24.exceptions import (
    Bitrix24Error,
    Bitrix24NoAnswerError,
    Bitrix24UnreachableError,
)
from airflow_provider_b24.polls.decision import PASSING
from airflow_provider_b24.polls.rules import Rule, min_voters
from airflow_provider_b24.rest.redaction import REGISTRY
from airflow_provider_b24.triggers.poll_watcher.backoff import Trouble
from airflow_provider_b24.triggers.poll_watcher.fetcher import Reader
from airflow_provider_b24.triggers.poll_watcher.payloads import TIMEOUT, Event, event_of, failed
from airflow_provider_b24.triggers.poll_watcher.scheduler import Schedule
from airflow_provider_b24.triggers.poll_watcher.threads import aside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_b24.polls.poll import Poll
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.triggers.poll_watcher.scheduler import Request
    from airflow_provider_b24.triggers.poll_watcher.sorting import Reading

log = logging.getLogger(__name__)

#: Seconds before a deadline at which a poll is looked at for the last time.
_LAST_LOOK = 1.0
#: Seconds that a wait which has had no look yet at its deadline (a triggerer was down) is given for one.
_GRACE = 5.0
#: Looks at which the portal must break over a poll before the poll counts as broken.
_BREAKS = 3
#: Waiters that are served before the event loop gets a turn.
_AT_ONCE = 200


@dataclass(frozen=True)
class WatcherOptions:
    """How a feed behaves.

    :param share: the part of the portal's request limit that it may take.
    :param connection_age: seconds after which the connection is read again.
    :param base: seconds of the first pause after a failure; it doubles each time.
    :param longest: seconds that a pause may last.
    :param patience: seconds for which refused credentials are tried again.
    """

    share: float = 0.25
    connection_age: float = 60.0
    base: float = 0.5
    longest: float = 60.0
    patience: float = 600.0


_FEEDS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Feed]] = WeakKeyDictionary()


def watcher_of(conn_id: str) -> Feed:
    """Return the running event loop's feed for a connection."""
    feeds = _FEEDS.setdefault(asyncio.get_running_loop(), {})
    if conn_id not in feeds:
        feeds[conn_id] = Feed(conn_id, _options())
    return feeds[conn_id]


class _Waiter:
    """One trigger that waits."""

    __slots__ = ("deadline", "event", "interval", "looked", "rule", "timer")

    def __init__(
        self, event: asyncio.Future[Event], rule: Rule, interval: float, deadline: float | None
    ) -> None:
        self.event = event
        self.rule = rule
        self.interval = interval
        self.deadline = deadline
        self.looked = False
        self.timer: asyncio.TimerHandle | None = None

    def wake(self, event: Event) -> None:
        if not self.event.done():
            self.event.set_result(event)


class Feed:
    """Reads the polls of all who wait, and wakes them.

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
        self._wall_clock = wall_clock
        self._waiters: dict[PollReference, list[_Waiter]] = {}
        self._task: asyncio.Task[None] | None = None
        self._begin()

    def __len__(self) -> int:
        return sum(map(len, self._waiters.values()))

    async def wait(
        self, reference: PollReference, rule: Rule, *, interval: float, deadline: float | None
    ) -> Event:
        """Return the event that ends a wait: success, timeout or error.

        :param interval: seconds between two looks.
        :param deadline: Unix seconds after which it gives up; None waits for ever.
        """
        waiter = _Waiter(asyncio.get_running_loop().create_future(), rule, interval, deadline)
        self._join(reference, waiter)
        try:
            return await waiter.event
        finally:
            self._leave(reference, waiter)

    def _join(self, reference: PollReference, waiter: _Waiter) -> None:
        self._waiters.setdefault(reference, []).append(waiter)
        self._schedule.add(reference, self._interval(reference), self._now())
        self._set_timer(reference, waiter)
        if self._task is None:
            # In a context of its own, or its logs would land in the log of the first task that waits.
            self._task = asyncio.get_running_loop().create_task(self._run(), context=contextvars.Context())
            self._task.add_done_callback(self._ended)
        self._wake.set()

    def _leave(self, reference: PollReference, waiter: _Waiter) -> None:
        if waiter.timer is not None:
            waiter.timer.cancel()
        waiters = self._waiters[reference]
        waiters.remove(waiter)
        if waiters:
            self._schedule.add(reference, self._interval(reference), self._now())
            return
        del self._waiters[reference]
        self._strikes.pop(reference, None)
        self._schedule.remove(reference)
        if not self._waiters:
            self._end()

    def _begin(self) -> None:
        self._schedule = Schedule()
        self._trouble = Trouble(base=self._options.base, longest=self._options.longest)
        self._reader = Reader(self._conn_id, connection_age=self._options.connection_age)
        self._strikes: dict[PollReference, int] = {}
        self._wake = asyncio.Event()
        self._was_stretched = False

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._reader.close()
        self._begin()

    def _interval(self, reference: PollReference) -> float:
        return min(waiter.interval for waiter in self._waiters[reference])

    def _set_timer(self, reference: PollReference, waiter: _Waiter) -> None:
        if waiter.deadline is None:
            return
        loop = asyncio.get_running_loop()
        left = waiter.deadline - self._wall_clock()
        if left > _LAST_LOOK:
            waiter.timer = loop.call_later(left - _LAST_LOOK, self._look_again, reference, waiter)
        else:
            waiter.timer = loop.call_later(max(left, 0.0), self._time_out, waiter)

    def _look_again(self, reference: PollReference, waiter: _Waiter) -> None:
        self._schedule.hurry(reference, self._now())
        self._wake.set()
        left = (waiter.deadline or 0.0) - self._wall_clock()
        waiter.timer = asyncio.get_running_loop().call_later(max(left, 0.0), self._time_out, waiter)

    def _time_out(self, waiter: _Waiter) -> None:
        if waiter.looked:
            waiter.wake(TIMEOUT)
        else:
            waiter.timer = asyncio.get_running_loop().call_later(_GRACE, waiter.wake, TIMEOUT)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Fail those who would wait for ever for a feed that broke."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._task = None
            log.error("The feed of connection %r broke", self._conn_id, exc_info=error)
            self._fail_all(_unexpected(error))

    async def _run(self) -> None:
        while True:
            await self._until_due()
            await self._look()

    async def _until_due(self) -> None:
        while (at := self._schedule.next_at(self._now())) is None or at > self._now():
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if at is None else at - self._now()):
                    await self._wake.wait()

    async def _look(self) -> None:
        """Send one request and tell what it says."""
        request: Request | None = None
        try:
            seconds = await aside(self._reader.prepare)
            self._schedule.pace(self._reader.plan, self._options.share)
            await asyncio.sleep(seconds)
            request = self._schedule.take(self._now())
            if not len(request):
                return
            reading = await aside(self._reader.read, request, self._least(request))
        except Exception as error:  # noqa: BLE001
            # Whatever it is: nobody's wait may end in silence.
            self._schedule.put_back(request or (), self._now())
            self._note_trouble(error)
            return
        await self._tell(reading)

    def _least(self, request: Request) -> dict[PollReference, float]:
        """Return how many people must have voted before somebody may find a poll decided."""
        return {
            reference: min(
                (min_voters(waiter.rule) for waiter in self._waiters.get(reference, ())), default=0
            )
            for reference in request
        }

    async def _tell(self, reading: Reading) -> None:
        self._schedule.read(reading.answers, self._now())
        self._schedule.suspect(reading.suspects)
        self._schedule.put_back(reading.unread, self._now())
        self._schedule.read(reading.broken, self._now())
        if reading.trouble is None:
            self._note_answer()
        else:
            self._note_trouble(reading.trouble)
        self._note_pace()
        now = self._wall_clock()
        for number, (reference, answer) in enumerate([*reading.answers.items(), *self._broken(reading)]):
            self._serve(reference, answer, now)
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)

    def _broken(self, reading: Reading) -> Iterable[tuple[PollReference, Bitrix24Error]]:
        """Return the polls over which the portal has broken too often."""
        for reference in reading.answers.keys() & self._strikes.keys():
            del self._strikes[reference]
        for reference, error in reading.broken.items():
            self._strikes[reference] = self._strikes.get(reference, 0) + 1
            if self._strikes[reference] >= _BREAKS:
                yield reference, error

    def _serve(self, reference: PollReference, answer: Poll | Bitrix24Error | None, now: float) -> None:
        if isinstance(answer, Bitrix24Error):
            answer.conn_id = answer.conn_id or self._conn_id
        for waiter in self._waiters.get(reference, ()):
            waiter.looked = True
            event = event_of(answer, reference, waiter.rule)
            if event is None and waiter.deadline is not None and waiter.deadline <= now:
                event = TIMEOUT
            if event is not None:
                waiter.wake(event)

    def _note_answer(self) -> None:
        self._schedule.grow()
        lasted = self._trouble.over(self._now())
        if lasted is not None:
            log.info("Connection %r reads polls again after %.0f s", self._conn_id, lasted)

    def _note_trouble(self, error: Exception) -> None:
        now = self._now()
        typed = error if isinstance(error, Bitrix24Error) else _unexpected(error)
        pause = self._trouble.failed(now, lasting=not isinstance(typed, PASSING))
        self._schedule.hold(now + pause)
        self._reader.doubt()
        if _asked_too_much(typed):
            self._schedule.shrink()
        if self._trouble.is_worth_a_word(now):
            log.warning(
                "%d polls wait, and connection %r can't read them: %s",
                len(self._schedule),
                self._conn_id,
                typed,
            )
        if self._trouble.lasted(now) > self._options.patience:
            self._fail_all(typed)

    def _note_pace(self) -> None:
        stretched = self._schedule.is_stretched(self._now())
        if stretched and not self._was_stretched:
            log.warning(
                "%d polls wait on connection %r: more than a share of %.2f of the portal's request limit, or "
                "the portal itself, can serve in time; each is looked at later than its interval says",
                len(self._schedule),
                self._conn_id,
                self._options.share,
            )
        elif self._was_stretched and not stretched:
            log.info("The polls on connection %r are looked at in time again", self._conn_id)
        self._was_stretched = stretched

    def _fail_all(self, error: Bitrix24Error) -> None:
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.wake(failed(error))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _unexpected(error: Exception) -> Bitrix24Error:
    return Bitrix24Error(f"{type(error).__name__}: {REGISTRY.redact_and_truncate(str(error))}")


def _asked_too_much(error: Bitrix24Error) -> bool:
    """Say whether a smaller request may do better: no reply in time, or one that is too large."""
    return isinstance(error, Bitrix24NoAnswerError) and not isinstance(error, Bitrix24UnreachableError)


def _options() -> WatcherOptions:
    from airflow.providers.common.compat.sdk import conf

    share = conf.getfloat("bitrix24", "poll_watcher_share", fallback=WatcherOptions.share)
    if 0 < share <= 1:
        return WatcherOptions(share=share)
    log.warning(
        "[bitrix24] poll_watcher_share must be above 0 and at most 1, not %s; it is left at 0.25", share
    )
    return WatcherOptions()

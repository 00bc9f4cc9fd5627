"""The triggers that wait for polls, and their deadlines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow_provider_b24.polls.poll import Poll
from airflow_provider_b24.polls.rules import WatchRule, min_voters
from airflow_provider_b24.triggers.poll_watcher.payloads import (
    PollEvent,
    error_event,
    event_for,
    timeout_event,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.exceptions import Bitrix24Error
    from airflow_provider_b24.polls.bulk import PollAnswer
    from airflow_provider_b24.polls.reference import PollReference

#: Seconds before a deadline at which a poll is read for the last time.
_FINAL_READ_MARGIN = 1.0
#: Seconds for which a wait that has had no read at its deadline (no triggerer was running) still gets one.
_FIRST_READ_GRACE = 5.0


class Waiter:
    """One trigger that waits.

    :param reference: the poll.
    :param rule: when it is decided.
    :param interval: seconds between two reads.
    :param deadline: Unix seconds after which the wait ends; None is never.
    """

    __slots__ = ("_timer", "deadline", "event", "interval", "poll", "reference", "rule", "was_read")

    def __init__(
        self, reference: PollReference, rule: WatchRule, *, interval: float, deadline: float | None
    ) -> None:
        self.reference = reference
        self.rule = rule
        self.interval = interval
        self.deadline = deadline
        self.event: asyncio.Future[PollEvent] = asyncio.get_running_loop().create_future()
        self.was_read = False
        self.poll: Poll | None = None
        self._timer: asyncio.TimerHandle | None = None

    def wake(self, event: PollEvent) -> None:
        """End the wait, unless it has ended.

        :param event: how it ends.
        """
        if not self.event.done():
            self.event.set_result(event)

    def start_timer(self, *, now: float, before_deadline: Callable[[Waiter], None]) -> None:
        """End the wait at its deadline.

        :param now: Unix seconds.
        :param before_deadline: called when there is time for one more read.
        """
        if self.deadline is None:
            return
        left = self.deadline - now
        if left > _FINAL_READ_MARGIN:
            self._call_later(left - _FINAL_READ_MARGIN, before_deadline, self)
        else:
            self.time_out_after(left)

    def time_out_after(self, seconds: float) -> None:
        """End the wait after some time.

        :param seconds: how long.
        """
        self._call_later(max(seconds, 0.0), self._time_out)

    def stop_timer(self) -> None:
        """Forget the deadline."""
        if self._timer is not None:
            self._timer.cancel()

    def _time_out(self) -> None:
        if self.was_read:
            self.wake(timeout_event())
        else:
            self._call_later(_FIRST_READ_GRACE, self.wake, timeout_event())

    def _call_later(self, seconds: float, call: Callable[..., None], *args: object) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, call, *args)


class Waiters:
    """All who wait through one connection, by poll.

    :param expedite: reads a poll at once.
    :param wall_clock: returns Unix seconds.
    """

    def __init__(self, *, expedite: Callable[[PollReference], None], wall_clock: Callable[[], float]) -> None:
        self._expedite = expedite
        self._wall_clock = wall_clock
        self._by_poll: dict[PollReference, list[Waiter]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_poll.values()))

    def __contains__(self, reference: object) -> bool:
        return reference in self._by_poll

    def add(self, waiter: Waiter) -> None:
        """Take a waiter in, and start its timer.

        :param waiter: the waiter.
        """
        self._by_poll.setdefault(waiter.reference, []).append(waiter)
        waiter.start_timer(now=self._wall_clock(), before_deadline=self._read_finally)

    def remove(self, waiter: Waiter) -> None:
        """Forget a waiter.

        :param waiter: one that was added.
        """
        waiter.stop_timer()
        waiters = self._by_poll[waiter.reference]
        waiters.remove(waiter)
        if not waiters:
            del self._by_poll[waiter.reference]

    def interval(self, reference: PollReference) -> float:
        """Return the shortest interval of those who wait for a poll.

        :param reference: a poll that is waited for.
        """
        return min(waiter.interval for waiter in self._by_poll[reference])

    def min_voters(self, reference: PollReference) -> float:
        """Return how many people must have voted before a waiter's rule may decide a poll.

        :param reference: the poll.
        """
        return min((min_voters(waiter.rule) for waiter in self._by_poll.get(reference, ())), default=0)

    def notify(self, reference: PollReference, answer: PollAnswer) -> None:
        """Tell those who wait for a poll what was read, and wake those whose wait it ends.

        :param reference: the poll.
        :param answer: the poll, its error, or None when it can't be decided yet.
        """
        for waiter in self._by_poll.get(reference, ()):
            waiter.was_read = True
            waiter.poll = answer if isinstance(answer, Poll) else None
            event = event_for(answer, reference, waiter.rule)
            if event is None and waiter.deadline is not None and waiter.deadline <= self._wall_clock():
                event = timeout_event()
            if event is not None:
                waiter.wake(event)

    def fail_all(self, error: Bitrix24Error) -> None:
        """Wake all with an error.

        :param error: the error.
        """
        for waiters in self._by_poll.values():
            for waiter in waiters:
                waiter.wake(error_event(error))

    def _read_finally(self, waiter: Waiter) -> None:
        self._expedite(waiter.reference)
        waiter.time_out_after((waiter.deadline or 0.0) - self._wall_clock())

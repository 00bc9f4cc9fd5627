"""Which polls are read next, together with which others, and when. Pure.

A poll is *due* when its interval is over, and *eligible* from half of its interval on: a request that is
sent for a due poll includes eligible ones while it has room, so that polls that began to wait at different
times end up in the same requests. All times are seconds of one monotonic clock.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from airflow_provider_b24.polls.request import MAX_LIST_POLLS, PollRequest
from airflow_provider_b24.rest.batch import MAX_BATCH_COMMANDS
from airflow_provider_b24.rest.rate_limit import Level, reserve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.rest.rate_limit import Plan

#: Seconds that a new poll waits for others that may share its request.
COALESCE_DELAY = 0.05
#: Seconds; shorter intervals would only keep the portal busy.
MIN_INTERVAL = 0.05
_MIN_COMMANDS = 5
#: A read that is later than this, and than half an interval, is behind schedule.
_MAX_LATENESS = 1.0
#: Seconds for which the schedule counts as late after the last late read.
_LATE_PERIOD = 60.0


@dataclass(slots=True)
class _Poll:
    reference: PollReference
    interval: float
    taken_at: float = 0.0
    # The stamp of the poll's only valid entries in the heaps; 0 is none.
    stamp: int = 0


#: Times and stamps. Nothing that the garbage collector keeps track of: thousands of such entries a second
#: would make it stop the whole triggerer, again and again, to traverse all that it holds.
_Heap = list[tuple[float, int]]


class Scheduler:
    """The polls that wait, and the requests that they need."""

    def __init__(self) -> None:
        self._polls: dict[PollReference, _Poll] = {}
        self._due: _Heap = []
        self._eligible: _Heap = []
        self._scheduled: dict[int, _Poll] = {}
        self._suspects: dict[PollReference, None] = {}
        self._stamps = count(1)
        self._plan: Plan | None = None
        self._level = Level()
        self._commands = MAX_BATCH_COMMANDS
        self._paused_until = 0.0
        self._late_until = 0.0

    def __len__(self) -> int:
        return len(self._polls)

    def add(self, reference: PollReference, interval: float, now: float) -> None:
        """Read a poll every so many seconds; a new one at once.

        :param reference: the poll.
        :param interval: seconds between two reads.
        :param now: seconds of the monotonic clock.
        """
        interval = max(interval, MIN_INTERVAL)
        known = self._polls.get(reference)
        if known is None:
            self._polls[reference] = poll = _Poll(reference, interval)
            self._schedule(poll, due=now + COALESCE_DELAY, eligible=now)
        elif known.interval != interval:
            known.interval = interval
            if known.stamp:
                self._schedule_after_interval(known, now)

    def remove(self, reference: PollReference) -> None:
        """Read a poll no more.

        :param reference: the poll.
        """
        poll = self._polls.pop(reference, None)
        if poll is not None:
            self._invalidate(poll)
        self._suspects.pop(reference, None)
        if len(self._due) > 2 * len(self._polls) + MAX_LIST_POLLS:
            self._due, self._eligible = self._valid_entries(self._due), self._valid_entries(self._eligible)

    def expedite(self, reference: PollReference, now: float) -> None:
        """Read a poll before its interval is over.

        :param reference: the poll.
        :param now: seconds of the monotonic clock.
        """
        poll = self._polls.get(reference)
        if poll is not None and poll.stamp:
            self._schedule(poll, due=now, eligible=now)

    def set_rate(self, plan: Plan | None, share: float) -> None:
        """Send no more than this share of what the portal's plan allows.

        :param plan: the plan; None is no limit.
        :param share: above 0 and at most 1.
        """
        if plan is not None:
            plan = replace(plan, drain=plan.drain * share, burst=max(int(plan.burst * share), 1))
        self._plan = plan

    def pause_until(self, time: float) -> None:
        """Send nothing until then.

        :param time: seconds of the monotonic clock.
        """
        self._paused_until = time

    def next_at(self, now: float) -> float | None:
        """Return when the next request shall be sent; None when no poll is waited for.

        :param now: seconds of the monotonic clock.
        """
        due = self._first_due()
        if self._suspects:
            due = now
        if due is None:
            return None
        share = now if self._plan is None else now + reserve(self._level, self._plan, now)[1]
        return max(due, self._paused_until, share)

    def take(self, now: float) -> PollRequest:
        """Return what to ask for now; the polls come back by ``reschedule``, ``isolate`` or ``requeue``.

        :param now: seconds of the monotonic clock.
        """
        self._record_lateness(now)
        request = PollRequest()
        # Suspects are many when a list breaks; the other polls shall not wait for all of them.
        for_suspects = min(len(self._suspects), self._commands // 2)
        self._fill(request, self._commands - for_suspects, now)
        for reference in list(self._suspects)[: self._commands - request.command_count]:
            del self._suspects[reference]
            request.singles.append(reference)
            self._polls[reference].taken_at = now
        if len(request) and self._plan is not None:
            self._level = reserve(self._level, self._plan, now)[0]
        return request

    def reschedule(self, references: Iterable[PollReference], now: float) -> None:
        """Read these polls again when their intervals are over.

        :param references: polls that were read.
        :param now: seconds of the monotonic clock.
        """
        for poll in self._known(references):
            self._schedule_after_interval(poll, now)

    def isolate(self, references: Iterable[PollReference]) -> None:
        """Read these polls one by one.

        :param references: polls of a list that was refused because of one of them.
        """
        for poll in self._known(references):
            self._invalidate(poll)
            self._suspects[poll.reference] = None

    def requeue(self, references: Iterable[PollReference], now: float) -> None:
        """Read these polls again as soon as possible.

        :param references: polls for which the portal did not answer.
        :param now: seconds of the monotonic clock.
        """
        for poll in self._known(references):
            self._schedule(poll, due=now, eligible=now)

    def reduce_request_size(self) -> None:
        """Ask for less at a time: the portal takes too long, or its reply was too large."""
        self._commands = max(self._commands // 2, _MIN_COMMANDS)

    def increase_request_size(self) -> None:
        """Ask for more at a time again."""
        self._commands = min(self._commands + 2, MAX_BATCH_COMMANDS)

    def is_behind(self, now: float) -> bool:
        """Say whether polls are read later than their intervals say.

        :param now: seconds of the monotonic clock.
        """
        return now < self._late_until

    def _fill(self, request: PollRequest, max_commands: int, now: float) -> None:
        while (poll := self._first(self._eligible)) is not None and self._eligible[0][0] <= now:
            if not request.add(poll.reference, max_commands=max_commands):
                return
            heapq.heappop(self._eligible)
            self._invalidate(poll)
            poll.taken_at = now

    def _schedule_after_interval(self, poll: _Poll, now: float) -> None:
        due = max(poll.taken_at + poll.interval, now)
        self._schedule(poll, due=due, eligible=due - poll.interval / 2)

    def _schedule(self, poll: _Poll, *, due: float, eligible: float) -> None:
        self._invalidate(poll)
        poll.stamp = next(self._stamps)
        self._scheduled[poll.stamp] = poll
        heapq.heappush(self._due, (due, poll.stamp))
        heapq.heappush(self._eligible, (eligible, poll.stamp))

    def _invalidate(self, poll: _Poll) -> None:
        self._scheduled.pop(poll.stamp, None)
        poll.stamp = 0

    def _known(self, references: Iterable[PollReference]) -> Iterator[_Poll]:
        """Yield the polls that are still waited for."""
        for reference in references:
            poll = self._polls.get(reference)
            if poll is not None:
                yield poll

    def _first_due(self) -> float | None:
        return self._due[0][0] if self._first(self._due) is not None else None

    def _record_lateness(self, now: float) -> None:
        poll = self._first(self._due)
        if poll is None:
            return
        late = now - max(self._due[0][0], self._paused_until)
        if late > max(poll.interval / 2, _MAX_LATENESS):
            self._late_until = now + _LATE_PERIOD

    def _first(self, heap: _Heap) -> _Poll | None:
        """Return the first poll whose entry in the heap is valid."""
        while heap and heap[0][1] not in self._scheduled:
            heapq.heappop(heap)
        return self._scheduled[heap[0][1]] if heap else None

    def _valid_entries(self, heap: _Heap) -> _Heap:
        kept = [entry for entry in heap if entry[1] in self._scheduled]
        heapq.heapify(kept)
        return kept

"""Which polls are read next, together with which others, and when. Pure: the feed does it.

A poll is *due* when its interval is over, and *ripe* from half of its interval on: a request that is
sent for a due poll takes ripe ones along while it has room, so that polls that began to wait at different
times end up in the same requests. All times are seconds of one monotonic clock.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

from airflow_provider_b24.polls.bulk import MAX_LIST_POLLS
from airflow_provider_b24.polls.reference import PollReference, ReferenceKind, is_entity
from airflow_provider_b24.rest.batch import MAX_BATCH_COMMANDS
from airflow_provider_b24.rest.rate_limit import Level, reserve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_b24.rest.rate_limit import Plan

#: A new poll waits so long for company.
GATHER = 0.05
#: Shorter intervals would only keep the portal busy.
SHORTEST_INTERVAL = 0.05
_SMALLEST_BATCH = 5
#: Looks that come later than this, and than half an interval, are worth a line in the log.
_LATE = 1.0
_LATE_FOR = 60.0


@dataclass
class Request:
    """What one batch asks for.

    :param lists: polls of one kind each, for ``getMany``.
    :param singles: polls that are read alone.
    """

    lists: list[list[PollReference]] = field(default_factory=list)
    singles: list[PollReference] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(map(len, self.lists)) + len(self.singles)

    def __iter__(self) -> Iterator[PollReference]:
        for part in self.lists:
            yield from part
        yield from self.singles

    @property
    def commands(self) -> int:
        """How many of the batch's commands it takes."""
        return len(self.lists) + len(self.singles)


@dataclass(slots=True)
class _Poll:
    reference: PollReference
    interval: float
    taken_at: float = 0.0
    # The stamp of the poll's only valid place in the heaps; 0 is none.
    stamp: int = 0


#: Times and stamps. Nothing that the garbage collector keeps track of: thousands of such entries a second
#: would make it stop the whole triggerer, again and again, to go through all that it holds.
_Heap = list[tuple[float, int]]


class Schedule:
    """The polls that wait, and the requests that they need."""

    def __init__(self) -> None:
        self._polls: dict[PollReference, _Poll] = {}
        self._due: _Heap = []
        self._ripe: _Heap = []
        self._places: dict[int, _Poll] = {}
        self._suspects: dict[PollReference, None] = {}
        self._stamps = count(1)
        self._plan: Plan | None = None
        self._level = Level()
        self._commands = MAX_BATCH_COMMANDS
        self._held_until = 0.0
        self._late_until = 0.0

    def __len__(self) -> int:
        return len(self._polls)

    def add(self, reference: PollReference, interval: float, now: float) -> None:
        """Look at a poll every so many seconds; a new one at once."""
        interval = max(interval, SHORTEST_INTERVAL)
        known = self._polls.get(reference)
        if known is None:
            self._polls[reference] = poll = _Poll(reference, interval)
            self._put(poll, due=now + GATHER, ripe=now)
        elif known.interval != interval:
            known.interval = interval
            if known.stamp:
                self._put_after_interval(known, now)

    def remove(self, reference: PollReference) -> None:
        """Forget a poll."""
        poll = self._polls.pop(reference, None)
        if poll is not None:
            self._displace(poll)
        self._suspects.pop(reference, None)
        if len(self._due) > 2 * len(self._polls) + MAX_LIST_POLLS:
            self._due, self._ripe = self._cleared(self._due), self._cleared(self._ripe)

    def hurry(self, reference: PollReference, now: float) -> None:
        """Look at a poll before its interval is over."""
        poll = self._polls.get(reference)
        if poll is not None and poll.stamp:
            self._put(poll, due=now, ripe=now)

    def pace(self, plan: Plan | None, share: float) -> None:
        """Send no more than this share of what the portal's plan allows; None is no limit."""
        if plan is not None:
            plan = replace(plan, drain=plan.drain * share, burst=max(int(plan.burst * share), 1))
        self._plan = plan

    def hold(self, until: float) -> None:
        """Send nothing until then."""
        self._held_until = until

    def next_at(self, now: float) -> float | None:
        """Return when the next request shall be sent; None when nobody waits."""
        due = self._first_due()
        if self._suspects:
            due = now
        if due is None:
            return None
        share = now if self._plan is None else now + reserve(self._level, self._plan, now)[1]
        return max(due, self._held_until, share)

    def take(self, now: float) -> Request:
        """Return what to ask for now, to be given back by ``read``, ``suspect`` or ``put_back``."""
        self._note_lateness(now)
        request = Request()
        # Suspects are many when a list breaks; who is not under suspicion shall not wait for them all.
        for_suspects = min(len(self._suspects), self._commands // 2)
        self._fill(request, self._commands - for_suspects, now)
        for reference in list(self._suspects)[: self._commands - request.commands]:
            del self._suspects[reference]
            request.singles.append(reference)
            self._polls[reference].taken_at = now
        if len(request) and self._plan is not None:
            self._level = reserve(self._level, self._plan, now)[0]
        return request

    def read(self, references: Iterable[PollReference], now: float) -> None:
        """Look at these polls again when their intervals are over."""
        for poll in self._known(references):
            self._put_after_interval(poll, now)

    def suspect(self, references: Iterable[PollReference]) -> None:
        """Read these polls one by one: their list was spoilt by one of them."""
        for poll in self._known(references):
            self._displace(poll)
            self._suspects[poll.reference] = None

    def put_back(self, references: Iterable[PollReference], now: float) -> None:
        """Ask for these polls again: the portal did not answer."""
        for poll in self._known(references):
            self._put(poll, due=now, ripe=now)

    def shrink(self) -> None:
        """Ask for less at a time: the portal takes too long, or its reply was too large."""
        self._commands = max(self._commands // 2, _SMALLEST_BATCH)

    def grow(self) -> None:
        """Ask for more at a time again."""
        self._commands = min(self._commands + 2, MAX_BATCH_COMMANDS)

    def is_stretched(self, now: float) -> bool:
        """Say whether polls are looked at later than their intervals say."""
        return now < self._late_until

    def _fill(self, request: Request, room: int, now: float) -> None:
        open_lists: dict[ReferenceKind, list[PollReference]] = {}
        while (poll := self._first(self._ripe)) is not None and self._ripe[0][0] <= now:
            if not _add(request, open_lists, poll.reference, room):
                return
            heapq.heappop(self._ripe)
            self._displace(poll)
            poll.taken_at = now

    def _put_after_interval(self, poll: _Poll, now: float) -> None:
        due = max(poll.taken_at + poll.interval, now)
        self._put(poll, due=due, ripe=due - poll.interval / 2)

    def _put(self, poll: _Poll, *, due: float, ripe: float) -> None:
        self._displace(poll)
        poll.stamp = next(self._stamps)
        self._places[poll.stamp] = poll
        heapq.heappush(self._due, (due, poll.stamp))
        heapq.heappush(self._ripe, (ripe, poll.stamp))

    def _displace(self, poll: _Poll) -> None:
        self._places.pop(poll.stamp, None)
        poll.stamp = 0

    def _known(self, references: Iterable[PollReference]) -> Iterator[_Poll]:
        """Yield the polls that somebody still waits for."""
        for reference in references:
            poll = self._polls.get(reference)
            if poll is not None:
                yield poll

    def _first_due(self) -> float | None:
        return self._due[0][0] if self._first(self._due) is not None else None

    def _note_lateness(self, now: float) -> None:
        poll = self._first(self._due)
        if poll is None:
            return
        late = now - max(self._due[0][0], self._held_until)
        if late > max(poll.interval / 2, _LATE):
            self._late_until = now + _LATE_FOR

    def _first(self, heap: _Heap) -> _Poll | None:
        """Return the first poll whose place in the heap is valid."""
        while heap and heap[0][1] not in self._places:
            heapq.heappop(heap)
        return self._places[heap[0][1]] if heap else None

    def _cleared(self, heap: _Heap) -> _Heap:
        kept = [entry for entry in heap if entry[1] in self._places]
        heapq.heapify(kept)
        return kept


def _add(
    request: Request,
    open_lists: dict[ReferenceKind, list[PollReference]],
    reference: PollReference,
    room: int,
) -> bool:
    """Put a poll into the request; False when there is no room for it."""
    part = open_lists.get(reference.kind, [])
    if part and len(part) < MAX_LIST_POLLS:
        part.append(reference)
        return True
    if request.commands >= room:
        return False
    if is_entity(reference.kind):
        open_lists[reference.kind] = [reference]
        request.lists.append(open_lists[reference.kind])
    else:
        request.singles.append(reference)
    return True

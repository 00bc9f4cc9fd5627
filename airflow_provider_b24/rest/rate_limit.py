"""Bitrix24's leaky bucket, shared by all processes of this host.

The portal counts requests per source address: each adds one, a fixed rate drains them, and what
would overflow is refused. GCRA says the same with one number, the time at which the bucket will be
empty. The number lives in a file under a lock, so that workers, triggerer and scripts of one host
fill one bucket together. A caller reserves its place under the lock and waits outside it: places
are given in the order of asking, and a caller that dies costs one place. While the file can't be
used, each process has a bucket of its own.
"""

from __future__ import annotations

import math
import random
import struct
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from airflow_provider_b24.exceptions import Bitrix24RateLimitError, Outcome
from airflow_provider_b24.rest.shared_state import state_path
from airflow_provider_b24.rest.shared_value import SharedValue

if TYPE_CHECKING:
    from collections.abc import Callable

#: Places of the bucket that are kept free, because requests don't arrive evenly.
_MARGIN = 2
#: How much slower the host may become after refusals, and how fast this penalty decays.
_MAX_PENALTY = 8.0
_PENALTY_HALF_LIFE = 20.0
#: No queue is longer; a file that says so is broken.
_MAX_QUEUE_SECONDS = 86_400.0
_LAYOUT = struct.Struct("<dddd")


@dataclass(frozen=True)
class Plan:
    """What the portal's plan allows from one address.

    :param drain: requests per second that leave the bucket.
    :param burst: requests that the bucket holds.
    """

    drain: float
    burst: int

    @property
    def interval(self) -> float:
        """Seconds that one request takes to drain."""
        return 1.0 / self.drain

    @property
    def tolerance(self) -> float:
        """Seconds by which requests may come early: the depth of the bucket."""
        return (max(self.burst - _MARGIN, 1) - 1) * self.interval


#: By the names that the connection's ``plan`` takes; None is no limit.
PLANS: dict[str, Plan | None] = {
    "standard": Plan(drain=2.0, burst=50),
    "enterprise": Plan(drain=5.0, burst=250),
    "self_hosted": None,
}


@dataclass(frozen=True)
class Level:
    """The bucket at a moment.

    :param empty_at: when it will be empty if nothing is added, in Unix seconds.
    :param penalty: by how much a request drains slower than planned; 1 is normal.
    :param penalized_at: when the penalty was set.
    :param at: the moment itself.
    """

    empty_at: float = 0.0
    penalty: float = 1.0
    penalized_at: float = 0.0
    at: float = 0.0


def reserve(level: Level, plan: Plan, now: float) -> tuple[Level, float]:
    """Add one request; return the bucket after it and how many seconds to wait before sending it."""
    level = settle(level, now)
    empty_at = max(level.empty_at, now)
    after = empty_at + plan.interval * penalty_at(level, now)
    return replace(level, empty_at=after, at=now), max(empty_at - plan.tolerance - now, 0.0)


def penalize(level: Level, plan: Plan, now: float, *, later: float = 0.0) -> Level:
    """Return the bucket after the portal refused a request: full, and draining half as fast.

    :param later: seconds that the next request waits in addition.
    """
    level = settle(level, now)
    penalty = min(penalty_at(level, now) * 2, _MAX_PENALTY)
    full = now + plan.tolerance + plan.interval * penalty + later
    return Level(max(level.empty_at, full), penalty, penalized_at=now, at=now)


def settle(level: Level, now: float) -> Level:
    """Return the bucket with its times moved when the clock was set back since it was written.

    A time from before would make the whole host wait for as long as the clock was set back.
    """
    back = max(level.at - now, 0.0)
    if not back:
        return level
    return Level(level.empty_at - back, level.penalty, level.penalized_at - back, now)


def penalty_at(level: Level, now: float) -> float:
    """Return the penalty now: it decays exponentially."""
    halvings = max(now - level.penalized_at, 0.0) / _PENALTY_HALF_LIFE
    return 1.0 + (level.penalty - 1.0) * float(0.5**halvings)


class Limiter(Protocol):
    """Lets a request pass when the portal's bucket has room."""

    def wait(self) -> None:
        """Wait for a place in the bucket."""

    def refused(self) -> None:
        """Record that the portal refused a request."""


class NoLimit:
    """A limiter for portals without a limit."""

    def wait(self) -> None:
        """Return at once."""

    def reserve(self) -> float:
        """Return 0: there is no limit."""
        return 0.0

    def refused(self) -> None:
        """Do nothing."""


class HostBucket:
    """One portal's bucket, shared by all processes of this host and user.

    :param portal: the portal's address; its hash names the file.
    :param plan: what the portal allows.
    :param max_wait: seconds after which waiting is given up, before anything is sent.
    """

    def __init__(
        self,
        *,
        portal: str,
        plan: Plan,
        max_wait: float = 600.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = state_path("bucket", portal)
        self._shared = SharedValue(self._path, merge=_fuller)
        self._plan = plan
        self._max_wait = max_wait
        self._clock = clock
        self._sleep = sleep

    def wait(self) -> None:
        """Reserve a place and sleep until it is due.

        :raises Bitrix24RateLimitError: when the queue is longer than ``max_wait``; nothing is reserved.
        """
        seconds = self.reserve()
        if seconds > 0:
            self._sleep(seconds)

    def reserve(self) -> float:
        """Reserve a place and return how many seconds to wait before it may be used.

        :raises Bitrix24RateLimitError: when the queue is longer than ``max_wait``; nothing is reserved.
        """
        seconds = self._shared.update(self._add_request)
        if seconds <= self._max_wait:
            return seconds
        raise Bitrix24RateLimitError(
            f"The queue for this portal on this host is {seconds:.0f} s long, "
            f"and a call waits {self._max_wait:.0f} s at most",
            outcome=Outcome.NOT_EXECUTED,
        )

    def refused(self) -> None:
        """Slow the whole host down, with jitter, so that hosts do not retry together."""
        later = random.uniform(0.0, self._plan.interval)
        self._shared.update(
            lambda data: (_pack(penalize(_unpack(data), self._plan, self._clock(), later=later)), None)
        )

    def _add_request(self, data: bytes) -> tuple[bytes, float]:
        level = _unpack(data)
        after, seconds = reserve(level, self._plan, self._clock())
        return _pack(after if seconds <= self._max_wait else level), seconds


def _unpack(data: bytes) -> Level:
    if len(data) < _LAYOUT.size:
        return Level()
    level = Level(*_LAYOUT.unpack_from(data))
    return level if _is_possible(level) else Level()


def _is_possible(level: Level) -> bool:
    return (
        all(math.isfinite(value) for value in (level.empty_at, level.penalized_at, level.at))
        and 1.0 <= level.penalty <= _MAX_PENALTY
        and level.penalized_at <= level.at
        and level.empty_at <= level.at + _MAX_QUEUE_SECONDS
    )


def _pack(level: Level) -> bytes:
    return _LAYOUT.pack(level.empty_at, level.penalty, level.penalized_at, level.at)


def _fuller(first: bytes, second: bytes) -> bytes:
    """Return the level at which more requests wait."""
    return max(first, second, key=lambda data: _unpack(data).empty_at)

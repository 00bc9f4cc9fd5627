"""Bitrix24's leaky bucket, and the share of it that hosts behind one address learn from refusals. Pure.

The portal counts requests per source address: each adds one, a fixed rate drains them, and what
would overflow is refused. GCRA says the same with one number, the time at which the bucket will be
empty. Who shares this number, in a file or in Redis, fills one bucket together.

A refusal says that somebody else fills the bucket too, and that it is full now. After the first one, the
share of the drain is what was sent lately of all that the portal lets in, but at least that of ten hosts:
who has sent little cannot know more. It stays so for a while (``calm``); then it grows, slowly at first,
because somebody else may have stopped. The next refusal cuts it: it returns to where it was within a longer
while, and grows again. ``docs/hosts.md`` has figures.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, fields, replace

#: Places of the bucket that are kept free, because requests don't arrive evenly.
_MARGIN = 2
#: Refusals within so many seconds are one: they were in flight together.
MERGE_SECONDS = 1.0
#: Full buckets that the portal lets in while a request of the past is forgotten to 1/e.
MEMORY = 1.13
#: The share after the first refusal: between what was sent lately and that of eight hosts.
TYPICAL_SHARE = 0.125
PRIOR = 0.175
LEAST_FIRST_SHARE = 0.1
MIN_SHARE, MAX_SHARE = 0.01, 0.9
#: By how much a later refusal cuts the share, and how much more than was sent lately it may be before.
CUT = 0.15
SLACK_FACTOR, SLACK = 1.5, 0.02
#: What is left, at least, of a share that was not used.
UNUSED = 0.5
#: A host's own intervals for which it is calm after the first refusal, and after a later one.
FIRST_CALM, CALM = 23.0, 60.0
#: Intervals in which the share doubles for the first time after that, and how it accelerates.
DOUBLING, ACCELERATION = 30.0, 1.5
#: By how much faster smaller shares grow than larger ones; 0 is not at all.
EQUALITY = 1.0
#: Seconds that count as an interval where the host's own is longer.
MAX_INTERVAL = 3.0
#: Intervals to wait after a refusal, at least, and by how much more with jitter.
PAUSE, JITTER = 1.45, 1.5
#: No queue is longer; a level that says so is broken.
MAX_QUEUE_SECONDS = 86_400.0


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

    @property
    def memory(self) -> float:
        """Seconds in which a request of the past is forgotten to 1/e."""
        return MEMORY * self.burst * self.interval


#: By the names that the connection's ``plan`` takes; None is no limit.
PLANS: dict[str, Plan | None] = {
    "standard": Plan(drain=2.0, burst=50),
    "enterprise": Plan(drain=5.0, burst=250),
    "self_hosted": None,
}


@dataclass(frozen=True)
class Level:
    """The bucket at a moment, as those know it who share it.

    :param empty_at: when it will be empty if nothing is added, in Unix seconds.
    :param recent: how many requests they have sent lately; each is forgotten exponentially.
    :param share: the part of the drain that they took after the last refusal; 1 is all.
    :param peak: the part that they took before it; 1 when nothing was refused.
    :param calm: intervals after the last refusal in which the share returns to its peak.
    :param refused_at: when the last refusal came.
    :param at: the moment itself.
    """

    empty_at: float = 0.0
    recent: float = 0.0
    share: float = 1.0
    peak: float = 1.0
    calm: float = 0.0
    refused_at: float = 0.0
    at: float = 0.0


_LAYOUT = struct.Struct(f"<{len(fields(Level))}d")


def reserve(level: Level, plan: Plan, now: float) -> tuple[Level, float]:
    """Add one request; return the bucket after it and how many seconds to wait before sending it."""
    level = rebase(level, now)
    empty_at = max(level.empty_at, now)
    after = replace(
        level,
        empty_at=empty_at + plan.interval / share_at(level, plan, now),
        recent=recent_at(level, plan, now) + 1.0,
        at=now,
    )
    return after, max(empty_at - plan.tolerance - now, 0.0)


def penalize(level: Level, plan: Plan, now: float, *, jitter: float = 0.0) -> Level:
    """Return the bucket after the portal refused a request: full, and draining by a smaller share.

    :param jitter: from 0 to 1, so that hosts do not send in step.
    """
    level = rebase(level, now)
    # The refused request is not in the bucket.
    level = replace(level, recent=max(recent_at(level, plan, now) - 1.0, 0.0), at=now)
    if level.peak >= 1.0 or now - level.refused_at >= MERGE_SECONDS:
        level = _cut(level, plan, now)
    pause = plan.interval / level.share * (PAUSE + JITTER * jitter)
    return replace(level, empty_at=max(level.empty_at, now + plan.tolerance + pause))


def fill(level: Level, plan: Plan, now: float, *, share: float = TYPICAL_SHARE) -> Level:
    """Return the bucket without its burst, for who doesn't know what was sent before.

    :param share: the part of what the portal lets in that counts as sent lately. Without it, the next refusal
        would teach a share of almost nothing, only because the bucket has just begun to count.
    """
    level = rebase(level, now)
    full = now + plan.tolerance + plan.interval
    recent = max(recent_at(level, plan, now), share * MEMORY * plan.burst)
    return replace(level, empty_at=max(level.empty_at, full), recent=recent, at=now)


def rebase(level: Level, now: float) -> Level:
    """Return the bucket with its times moved when the clock was set back since it was written.

    A time from before would make the whole host wait for as long as the clock was set back.
    """
    back = max(level.at - now, 0.0)
    if not back:
        return level
    return replace(
        level,
        empty_at=level.empty_at - back,
        refused_at=level.refused_at - back,
        at=now,
    )


def share_at(level: Level, plan: Plan, now: float) -> float:
    """Return the part of the drain that may be taken now."""
    if level.peak >= 1.0:
        return 1.0
    intervals = (now - level.refused_at) / min(plan.interval / level.peak, MAX_INTERVAL)
    if intervals < level.calm:
        return level.share + (level.peak - level.share) * intervals / level.calm
    doublings = min((intervals - level.calm) / DOUBLING, 15.0) ** ACCELERATION
    doublings *= (TYPICAL_SHARE / level.peak) ** EQUALITY
    grown = level.peak * 2.0**doublings
    # Twice of all would have been refused if somebody else were still there.
    return 1.0 if grown >= 2.0 else min(grown, MAX_SHARE)


def recent_at(level: Level, plan: Plan, now: float) -> float:
    """Return how many requests were sent lately."""
    return level.recent * math.exp((level.at - now) / plan.memory)


def unpack(data: bytes) -> Level:
    """Return a level from its bytes; an empty bucket when they can't be one."""
    if len(data) < _LAYOUT.size:
        return Level()
    level = Level(*_LAYOUT.unpack_from(data))
    return level if _is_possible(level) else Level()


def pack(level: Level) -> bytes:
    """Return a level as bytes; Redis's script reads and writes the same."""
    return _LAYOUT.pack(*(getattr(level, field.name) for field in fields(level)))


def _cut(level: Level, plan: Plan, now: float) -> Level:
    """Return the bucket with the share that a refusal teaches; ``recent`` counts up to now."""
    share = share_at(level, plan, now)
    sent = level.recent / (MEMORY * plan.burst)
    if share >= 1.0:
        guess = min(max(sent ** (1.0 - PRIOR) * TYPICAL_SHARE**PRIOR, LEAST_FIRST_SHARE), MAX_SHARE)
        return replace(level, share=guess, peak=guess, calm=FIRST_CALM, refused_at=now)
    # A share that was not used is not the reason for the refusal; but it may only be too early to tell.
    peak = max(min(share, max(SLACK_FACTOR * sent + SLACK, share * UNUSED)), MIN_SHARE)
    return replace(level, share=max(peak * (1.0 - CUT), MIN_SHARE), peak=peak, calm=CALM, refused_at=now)


def _is_possible(level: Level) -> bool:
    return (
        all(math.isfinite(getattr(level, field.name)) for field in fields(level))
        and 0.0 < level.share <= level.peak <= 1.0
        and 0.0 <= level.calm <= CALM
        and level.refused_at <= level.at
        and level.empty_at <= level.at + MAX_QUEUE_SECONDS
        and 0.0 <= level.recent <= MAX_QUEUE_SECONDS
    )


def numbers() -> dict[str, float]:
    """Return this module's numbers by their names, for the script that Redis runs."""
    return {name: value for name, value in globals().items() if name.isupper() and isinstance(value, float)}

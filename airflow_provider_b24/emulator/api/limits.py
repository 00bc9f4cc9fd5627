"""The portal's limits: requests of an address, and operating time of a method."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

PLANS: dict[str, tuple[float, float] | None] = {
    "standard": (2.0, 50.0),
    "enterprise": (5.0, 250.0),
    "none": None,
}

BUCKETS = 10
BUCKET_SECONDS = 60
# Shorter calls are not counted at all.
SMALL_CALL = 0.1


@dataclass(slots=True)
class _Level:
    drops: float
    at: float


class LeakyBucket:
    """Lets ``burst`` requests of an address in at once, and ``rate`` a second from then on."""

    def __init__(self, *, clock: Callable[[], float], plan: str = "standard") -> None:
        self._clock = clock
        self._levels: dict[str, _Level] = {}
        self.enabled = True
        self.rate, self.burst = 2.0, 50.0
        self.set_plan(plan)

    def set_plan(self, plan: str) -> None:
        """Take the numbers of a plan.

        :param plan: ``standard``, ``enterprise`` or ``none``.
        :raises ValueError: there is no such plan.
        """
        if plan not in PLANS:
            raise ValueError(f"plan must be one of {', '.join(PLANS)}, not {plan!r}")
        numbers = PLANS[plan]
        self.enabled = numbers is not None
        if numbers is not None:
            self.rate, self.burst = numbers

    def admit(self, address: str) -> bool:
        """Count a request; False if the bucket would run over."""
        if not self.enabled:
            return True
        now = self._clock()
        level = self._levels.setdefault(address, _Level(0.0, now))
        level.drops = max(0.0, level.drops - (now - level.at) * self.rate)
        level.at = now
        if level.drops + 1 > self.burst:
            return False
        level.drops += 1
        return True

    def clear(self) -> None:
        """Empty the buckets of all addresses."""
        self._levels.clear()


class OperatingTime:
    """Sums the seconds that a credential spends in a method, in ten buckets of a minute."""

    def __init__(self, *, clock: Callable[[], float], limit: float = 480.0) -> None:
        self._clock = clock
        self._spent: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
        self.enabled = True
        self.limit = limit

    def spent(self, key: str, method: str) -> float:
        """Return the seconds of the last ten minutes."""
        minutes = self._spent.get((key, method))
        if not minutes:
            return 0.0
        oldest = self._minute() - BUCKETS
        for minute in [minute for minute in minutes if minute <= oldest]:
            del minutes[minute]
        return sum(minutes.values())

    def check(self, key: str, method: str) -> None:
        """Refuse a call whose method has used its time up.

        :raises ApiError: 429, on the call after the one that went over.
        """
        if self.enabled and self.spent(key, method) > self.limit:
            raise operating_error()

    def record(self, key: str, method: str, seconds: float) -> None:
        """Count a call that has ended."""
        if self.enabled and seconds > SMALL_CALL:
            minutes, minute = self._spent[(key, method)], self._minute()
            minutes[minute] = minutes.get(minute, 0.0) + seconds

    def reset_at(self, key: str, method: str) -> int:
        """Return when the oldest seconds expire."""
        minutes = self._spent.get((key, method))
        first = min(minutes) if minutes else self._minute()
        return (first + BUCKETS) * BUCKET_SECONDS

    def _minute(self) -> int:
        return int(self._clock()) // BUCKET_SECONDS

    def clear(self) -> None:
        """Remove all recorded seconds."""
        self._spent.clear()


class Limits:
    """Both limits; each can be set and switched off by itself."""

    def __init__(self, *, clock: Callable[[], float], plan: str = "standard") -> None:
        self.bucket = LeakyBucket(clock=clock, plan=plan)
        self.operating = OperatingTime(clock=clock)

    def off(self) -> None:
        """Switch both off."""
        self.bucket.enabled = self.operating.enabled = False


def operating_error() -> ApiError:
    """Return the refusal of a method that has used its time up."""
    return ApiError("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429)


def query_error() -> ApiError:
    """Return the refusal of the front server."""
    return ApiError("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)

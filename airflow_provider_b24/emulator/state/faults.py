"""Faults on a schedule: what breaks, for which method, and how often."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

# Each kind with its details and their defaults. ``executed`` says whether the
# portal does what was asked before it breaks.
KINDS: dict[str, dict[str, Any]] = {
    "drop_before": {},
    "drop_after": {},
    "status_502": {"executed": False},
    "status_503_limit": {},
    "status_504": {"executed": False},
    "html": {"executed": False},
    "empty": {"executed": True},
    "truncated": {"executed": True},
    "oversize": {"executed": True, "bytes": 8 * 1024 * 1024},
    "slow": {"seconds": 1.0, "executed": False},
    "reply": {"body": "", "status": 200, "executed": True},
    "redirect": {"location": None},
    "expired_token": {},
    "operating_limit": {},
    "hold": {"seconds": None, "abandon": False},
    "duration": {"seconds": 1.0},
}

# These two act inside a call, so inside the commands of a batch too.
HOLD = frozenset({"hold"})
DURATION = frozenset({"duration"})
REQUEST = frozenset(KINDS) - HOLD - DURATION


@dataclass(slots=True)
class Fault:
    """One planned fault."""

    id: int
    kind: str
    method: str
    times: int | None
    after: int
    probability: float | None
    details: dict[str, Any]
    chance: random.Random
    seen: int = 0
    fired: int = 0

    def fires(self, method: str) -> bool:
        """Whether it fires for this request, which counts as seen if the method matches."""
        if not fnmatchcase(method.lower(), self.method.lower()):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.fired >= self.times):
            return False
        if self.probability is not None and self.chance.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def to_dict(self) -> dict[str, Any]:
        """Return the fault as JSON can hold it."""
        names = ("id", "kind", "method", "times", "after", "probability", "details", "seen", "fired")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class Hit:
    """A fault that fired."""

    kind: str
    method: str
    at: float


@dataclass(slots=True)
class Faults:
    """The planned faults, and a log of those that fired."""

    log: list[Hit] = field(default_factory=list)
    _planned: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _made: int = 0
    _released: threading.Event = field(default_factory=threading.Event)

    def __iter__(self) -> Any:
        return iter(list(self._planned))

    def add(
        self,
        kind: str,
        *,
        method: str = "*",
        times: int | None = 1,
        after: int = 0,
        probability: float | None = None,
        seed: int = 0,
        **details: Any,
    ) -> Fault:
        """Plan a fault.

        :param kind: one of ``KINDS``.
        :param method: the method, or a pattern of methods, for which it fires.
        :param times: how often it fires; None: always.
        :param after: how many matching requests it skips first.
        :param probability: the chance that it fires for a matching request; None: it always does.
        :param seed: makes the chance the same each time.
        :param details: what ``KINDS`` lists for this kind.
        :returns: the planned fault.
        :raises ValueError: there is no such kind, or it takes no such detail.
        """
        fault = Fault(
            0, kind, method, times, after, probability, _details(kind, details), random.Random(seed)
        )
        with self._lock:
            self._made += 1
            fault.id = self._made
            self._planned.append(fault)
            self._released.clear()
        return fault

    def clear(self) -> None:
        """Remove all planned faults and release the calls in flight."""
        with self._lock:
            self._planned.clear()
        self.release()

    def release(self) -> None:
        """Release the calls that a ``hold`` keeps in flight."""
        self._released.set()

    @property
    def released(self) -> bool:
        """Whether the calls that a ``hold`` keeps may go on."""
        return self._released.is_set()

    def fire(self, method: str, at: float, *, kinds: frozenset[str] = REQUEST) -> Fault | None:
        """Return the first fault that fires for this request, and log it."""
        if not self._planned:
            return None
        with self._lock:
            for fault in self._planned:
                if fault.kind in kinds and fault.fires(method):
                    self.log.append(Hit(fault.kind, method, at))
                    return fault
        return None


def _details(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    if kind not in KINDS:
        raise ValueError(f"no such fault: {kind!r}; there are {', '.join(KINDS)}")
    known = KINDS[kind]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"{kind} takes no {', '.join(unknown)}")
    if kind == "redirect" and not given.get("location"):
        raise ValueError("redirect needs location, the URL of another host")
    return {**known, **given}

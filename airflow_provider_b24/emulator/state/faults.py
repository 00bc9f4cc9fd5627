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

    def strikes(self, method: str) -> bool:
        """Whether it hits this request, which counts as seen if the method matches."""
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
    """One fault that struck."""

    kind: str
    method: str
    at: float


@dataclass(slots=True)
class Faults:
    """The planned faults, and a log of those that struck."""

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
        """Plan a fault for requests whose method fits the pattern.

        It passes ``after`` of them by, then strikes ``times`` (None: for ever), each
        with ``probability`` if one is given. The details are those of ``KINDS``.
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
        """Drop all that is planned, and let held calls go."""
        with self._lock:
            self._planned.clear()
        self.release()

    def release(self) -> None:
        """Let calls go that a ``hold`` keeps in flight."""
        self._released.set()

    @property
    def released(self) -> bool:
        """Whether held calls may go on."""
        return self._released.is_set()

    def strike(self, method: str, at: float, *, kinds: frozenset[str] = REQUEST) -> Fault | None:
        """Return the first fault that hits this request, and log it."""
        if not self._planned:
            return None
        with self._lock:
            for fault in self._planned:
                if fault.kind in kinds and fault.strikes(method):
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

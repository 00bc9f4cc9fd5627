"""Independent id counters, far apart, so that mixing two kinds of id up fails."""

from __future__ import annotations

from itertools import count

FIRST_IDS = {
    "user": 7,
    "chat": 1_489,
    "message": 5_012,
    "vote": 77,
    "attach": 30_091,
    "question": 140_140,
    "answer": 930_301,
    "event": 7_700_001,
    "event_answer": 8_800_001,
    "post": 640,
    "line": 12,
    "session": 323,
    "deal": 288,
}


class Ids:
    """Gives out ids; a kind without a first id of its own starts at 1."""

    def __init__(self) -> None:
        self._counters = {kind: count(first) for kind, first in FIRST_IDS.items()}

    def next(self, kind: str) -> int:
        """Return the next id of this kind."""
        return next(self._counters.setdefault(kind, count(1)))

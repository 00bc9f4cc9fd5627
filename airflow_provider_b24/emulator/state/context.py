"""What all parts of a portal share: the lock, the clock, the ids, the quirks."""

from __future__ import annotations

import threading
import time
from itertools import count
from typing import TYPE_CHECKING

from airflow_provider_b24.emulator.state.quirks import Quirks
from airflow_provider_b24.emulator.state.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable


# Far apart, so that mixing two kinds of id up fails.
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
    """Independent counters: gives out ids; a kind without a first id of its own starts at 1."""

    def __init__(self) -> None:
        self._counters = {kind: count(first) for kind, first in FIRST_IDS.items()}

    def next(self, kind: str) -> int:
        """Return the next id of this kind."""
        return next(self._counters.setdefault(kind, count(1)))


class PortalContext:
    """What all parts of one portal share.

    :param clock: returns Unix time.
    :param quirks: which kind of portal this is.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, quirks: Quirks | None = None) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.quirks = quirks or Quirks()
        self.ids = Ids()

    def say(self, key: str, **values: object) -> str:
        """Return a text in the portal's language."""
        return text(key, language=self.quirks.language, **values)

"""What all parts of a portal share: the lock, the clock, the ids, the quirks."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from airflow_provider_b24.emulator.state.ids import Ids
from airflow_provider_b24.emulator.state.quirks import Quirks
from airflow_provider_b24.emulator.state.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable


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

"""How far a push has come, for the task's log."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.open_lines.report import PushSummary

log = logging.getLogger(__name__)

#: Seconds between two lines of the log.
INTERVAL = 30.0


class Progress:
    """Tells the log how far a push is: done, rate, left, rejected, expected end.

    :param summary: the counts of the push.
    :param size: returns how many messages there are, about; None when that is not known.
    :param clock: returns Unix seconds.
    """

    def __init__(
        self, summary: PushSummary, *, size: Callable[[], int | None], clock: Callable[[], float]
    ) -> None:
        self._summary = summary
        self._size = size
        self._clock = clock
        self._started = self._told = clock()

    def tell(self, *, skipped: int = 0) -> None:
        """Write a line when the last one is long enough ago.

        :param skipped: messages that an earlier try has delivered or rejected, which took no time now.
        """
        now = self._clock()
        if now - self._told >= INTERVAL:
            self._told = now
            log.info("%s", self.line(now, skipped=skipped))

    def line(self, now: float, *, skipped: int = 0) -> str:
        """Return the line.

        :param now: Unix seconds.
        :param skipped: messages that an earlier try has delivered or rejected.
        """
        summary = self._summary
        rate = (summary.total - skipped) / max(now - self._started, 1e-9)
        bad = f"{summary.rejected:,} rejected, {summary.unknown:,} unknown"
        size = self._size()
        if size is None:
            return f"Push: {summary.total:,} done, {rate:.1f} a second, {bad}"
        left = max(size - summary.total, 0)
        end = f", ends at about {_clock_time(now + left / rate)}" if rate > 0 else ""
        return f"Push: {summary.total:,} done, {rate:.1f} a second, {left:,} left, {bad}{end}"


def _clock_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")

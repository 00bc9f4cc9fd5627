"""Exponential backoff with jitter, and how often a long outage is logged. Pure."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between two log lines of one outage, at first and at most; each pause is four times as long.
_FIRST_LOG_PAUSE = 60.0
_MAX_LOG_PAUSE = 3600.0


class FailureBackoff:
    """Failures in a row.

    :param base_delay: seconds of the first delay; each failure doubles it.
    :param max_delay: seconds that a delay may last.
    :param random_: returns a number from 0 to 1, for the jitter.
    """

    def __init__(
        self, *, base_delay: float, max_delay: float, random_: Callable[[], float] = random.random
    ) -> None:
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._random = random_
        self._failures = 0
        self._failing_since: float | None = None
        self._permanent_since: float | None = None
        self._log_pause = _FIRST_LOG_PAUSE
        self._log_again_at = 0.0

    def record_failure(self, now: float, *, permanent: bool) -> float:
        """Count a failure and return how many seconds to wait before the retry.

        :param now: seconds of a monotonic clock.
        :param permanent: whether a person has to act before the failure passes.
        """
        self._failing_since = now if self._failing_since is None else self._failing_since
        if not permanent:
            self._permanent_since = None
        elif self._permanent_since is None:
            self._permanent_since = now
        self._failures += 1
        # The exponent is bounded: an outage of days must not overflow.
        delay: float = min(self._base_delay * 2.0 ** min(self._failures - 1, 30), self._max_delay)
        return delay * (0.5 + self._random() / 2)

    def record_success(self, now: float) -> float | None:
        """Return for how many seconds there were failures, None when there were none; and begin again.

        :param now: seconds of a monotonic clock.
        """
        lasted = None if self._failing_since is None else now - self._failing_since
        self._failures, self._failing_since, self._permanent_since = 0, None, None
        return lasted

    def permanent_for(self, now: float) -> float:
        """Return for how many seconds there have been permanent failures only.

        :param now: seconds of a monotonic clock.
        """
        return 0.0 if self._permanent_since is None else now - self._permanent_since

    def should_log(self, now: float) -> bool:
        """Say whether to log the failure: the first one, and then less and less often.

        :param now: seconds of a monotonic clock.
        """
        if self._failures == 1:
            self._log_pause = _FIRST_LOG_PAUSE
        elif now < self._log_again_at:
            return False
        else:
            self._log_pause = min(self._log_pause * 4, _MAX_LOG_PAUSE)
        self._log_again_at = now + self._log_pause
        return True

"""How much of its running time each method has used, as the portal's replies say.

A portal counts the seconds that a method runs, for each webhook or application, over ten minutes, and
refuses the method once they are used up: at 420 seconds by default, at 480 in the cloud.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_b24.rest.response import OperatingTime

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

#: Four fifths of the smaller limit.
NEAR_LIMIT = 336.0
#: Seconds over which a portal counts a method's running time.
OPERATING_WINDOW = 600.0


class OperatingTimeTracker:
    """Records each method's running time, and warns once before the portal refuses the method.

    :param clock: returns Unix seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: dict[str, OperatingTime] = {}
        self._quiet_until: dict[str, float] = {}

    def record(self, method: str, time: OperatingTime) -> None:
        """Record what a reply says; a portal without limits says nothing."""
        if time.reset_at is None:
            return
        self._times[method.lower()] = time
        if time.used >= NEAR_LIMIT:
            self._warn(method, time.used, time.reset_at)

    def reset_at(self, method: str) -> float | None:
        """Return when the method's time is reset, in Unix seconds; None when nobody knows.

        A moment that is past says nothing: a method that is refused then is refused for another reason.
        """
        reset_in = self.reset_in(method)
        return None if reset_in is None or reset_in <= 0.0 else self._times[method.lower()].reset_at

    def reset_in(self, method: str) -> float | None:
        """Return in how many seconds the portal has said to reset it; below 0 when that is past."""
        reset_at = self._times.get(method.lower(), OperatingTime()).reset_at
        return None if reset_at is None else reset_at - self._clock()

    def pause(self, method: str) -> float:
        """Return for how many seconds a caller waits who does not want to be refused; 0 when it need not.

        :param method: the method to be called.
        """
        time = self._times.get(method.lower())
        if time is None or time.used < NEAR_LIMIT or time.reset_at is None:
            return 0.0
        return min(max(time.reset_at - self._clock(), 0.0), OPERATING_WINDOW)

    def _warn(self, method: str, used: float, reset_at: float) -> None:
        now = self._clock()
        if now < self._quiet_until.get(method.lower(), 0.0):
            return
        self._quiet_until[method.lower()] = reset_at if reset_at > now else now + OPERATING_WINDOW
        log.warning(
            "%s has run for %.0f s of the some 420 to 480 s that the portal grants in ten minutes; "
            "the count is reset in %.0f s",
            method,
            used,
            max(reset_at - now, 0.0),
        )

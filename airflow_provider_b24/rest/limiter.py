"""Lets requests pass when the portal's bucket has room for them.

A caller reserves its place in the shared state and waits outside of its lock: places are given in the order
of asking, and a caller that dies costs one place.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from airflow_provider_b24.exceptions import Bitrix24RateLimitError, Outcome
from airflow_provider_b24.rest.shared_state import shared_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.rate_limit import Plan
    from airflow_provider_b24.rest.shared_state import SharedState


class Limiter(Protocol):
    """Lets a request pass when the portal's bucket has room."""

    def wait(self) -> None:
        """Wait for a place in the bucket."""

    def refused(self) -> None:
        """Record that the portal refused a request."""


class NoLimit:
    """A limiter for portals without a limit."""

    def wait(self) -> None:
        """Return at once."""

    def reserve(self) -> float:
        """Return 0: there is no limit."""
        return 0.0

    def refused(self) -> None:
        """Do nothing."""


class BucketLimiter:
    """A limiter with one portal's bucket, which all processes fill together that share the state.

    :param portal: the portal's address.
    :param plan: what the portal allows.
    :param max_wait: seconds after which waiting is given up, before anything is sent.
    :param state: what the processes share; None: what Airflow's configuration says.
    :param sleep: waits for seconds.
    """

    def __init__(
        self,
        *,
        portal: str,
        plan: Plan,
        max_wait: float = 600.0,
        state: SharedState | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._bucket = (state or shared_state()).bucket(portal, plan)
        self._max_wait = max_wait
        self._sleep = sleep

    def wait(self) -> None:
        """Reserve a place and sleep until it is due.

        :raises Bitrix24RateLimitError: when the queue is longer than ``max_wait``; nothing is reserved.
        """
        seconds = self.reserve()
        if seconds > 0:
            self._sleep(seconds)

    def reserve(self) -> float:
        """Reserve a place and return how many seconds to wait before it may be used.

        :raises Bitrix24RateLimitError: when the queue is longer than ``max_wait``; nothing is reserved.
        """
        seconds = self._bucket.reserve(max_wait=self._max_wait)
        if seconds <= self._max_wait:
            return seconds
        raise Bitrix24RateLimitError(
            f"The queue for this portal is {seconds:.0f} s long, "
            f"and a call waits {self._max_wait:.0f} s at most",
            outcome=Outcome.NOT_EXECUTED,
        )

    def refused(self) -> None:
        """Slow down all processes that share the bucket."""
        self._bucket.refused()

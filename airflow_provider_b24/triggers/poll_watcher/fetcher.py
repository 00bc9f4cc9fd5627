"""The poll watcher's blocking work: read the connection, keep to the host's limit, and read polls."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.polls.bulk import read_batch
from airflow_provider_b24.rest.retry import RetryPolicy
from airflow_provider_b24.triggers.poll_watcher.partial_json import PartialJsonTransport
from airflow_provider_b24.triggers.poll_watcher.undecided_filter import UndecidedFilter
from airflow_provider_b24.utils.frames import hide_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_b24.polls.bulk import BatchOutcome
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.polls.request import PollRequest
    from airflow_provider_b24.rest.limiter import BucketLimiter, NoLimit
    from airflow_provider_b24.rest.rate_limit import Plan

#: The watcher retries by itself, without holding a thread.
_NO_RETRIES = RetryPolicy(max_attempts=1, max_rate_limit_attempts=1)


@hide_frames
class PollFetcher:
    """Reads polls through one connection, one request at a time.

    :param conn_id: the Airflow connection.
    :param connection_age: seconds after which the connection is read again.
    :param clock: returns seconds of a monotonic clock.
    """

    def __init__(
        self, conn_id: str, *, connection_age: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._conn_id = conn_id
        self._connection_age = connection_age
        self._clock = clock
        self._session: _Session | None = None
        self._reread_at = 0.0

    @property
    def plan(self) -> Plan | None:
        """What the portal's plan allows; None is no limit, or not known yet."""
        return self._session.hook.settings.plan if self._session is not None else None

    def reserve(self) -> float:
        """Reserve a slot for one request in the portal's bucket; return how many seconds to wait for it.

        :raises Bitrix24Error: when the connection can't be used, or the queue is too long.
        """
        return self._current_session().bucket.reserve()

    def reread_connection(self) -> None:
        """Read the connection again before the next request: it may have been corrected."""
        self._reread_at = 0.0

    def close(self) -> None:
        """Close the connections to the portal."""
        if self._session is not None:
            self._session.hook.transport.close()
            self._session = None

    def fetch(self, request: PollRequest, min_voters: Mapping[PollReference, float]) -> BatchOutcome:
        """Read the request's polls in the slot that was reserved.

        :param request: the polls.
        :param min_voters: how many people must have voted before a rule may decide a poll.
        :raises Bitrix24Error: when the request as a whole failed.
        """
        return (self._session or self._current_session()).fetch(request, min_voters)

    def _current_session(self) -> _Session:
        if self._session is None or self._clock() >= self._reread_at:
            hook = Bitrix24Hook(self._conn_id)
            if self._session is None or hook.settings != self._session.hook.settings:
                self.close()
                self._session = _Session(hook)
            self._reread_at = self._clock() + self._connection_age
        return self._session


class _Session:
    """A connection as it was read, and the client that it makes."""

    def __init__(self, hook: Bitrix24Hook) -> None:
        self.hook = hook
        self.bucket = hook.limiter
        self._filter = UndecidedFilter()
        self._client = hook.client_with(
            transport=PartialJsonTransport(hook.transport, self._filter.prune),
            limiter=_ReservedLimiter(self.bucket),
            policy=_NO_RETRIES,
        )

    def fetch(self, request: PollRequest, min_voters: Mapping[PollReference, float]) -> BatchOutcome:
        self._filter.min_voters = min_voters
        return read_batch(self._client, request, is_decidable=self._filter.is_decidable)


class _ReservedLimiter:
    """A limiter for requests that have their slot in the bucket already."""

    def __init__(self, bucket: BucketLimiter | NoLimit) -> None:
        self._bucket = bucket

    def wait(self) -> None:
        """Return at once."""

    def refused(self) -> None:
        """Slow down all who share the bucket."""
        self._bucket.refused()

"""What the processes that use a portal share: of one host in its files, of several hosts in Redis."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Protocol

from airflow_provider_b24.rest.state_url import read_state_url

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from airflow_provider_b24.rest.rate_limit import Plan
    from airflow_provider_b24.rest.redaction import Secret


class Bucket(Protocol):
    """One portal's bucket, which gives places in the order of asking."""

    def reserve(self, *, max_wait: float) -> float:
        """Reserve a place and return how many seconds to wait before it may be used.

        :param max_wait: seconds; nothing is reserved when the wait would be longer.
        """

    def refused(self) -> None:
        """Record that the portal refused a request: somebody else fills the bucket too."""


class Mark(Protocol):
    """A short text beside a lock, which outlives its holder."""

    def read(self) -> str:
        """Return the text; empty when there is none."""

    def write(self, text: str) -> None:
        """Replace the text, unless the lock was lost.

        :param text: printable ASCII; empty removes the mark.
        """

    def is_held(self) -> bool:
        """Say whether nobody else has got the lock meanwhile."""

    def clock_offset(self, now: float) -> float:
        """Return by how many seconds the clock of all who share the mark is ahead of the holder's.

        :param now: the holder's time, in Unix seconds.
        """


class SharedState(Protocol):
    """Buckets and locks that processes share."""

    def bucket(self, portal: str, plan: Plan) -> Bucket:
        """Return a portal's bucket.

        :param portal: its address.
        :param plan: what it allows.
        """

    def lock(self, name: str, *, limit: float | None = None) -> AbstractContextManager[Mark]:
        """Return a context in which nobody else holds the lock, and which gives the lock's mark.

        :param name: what is locked.
        :param limit: seconds to wait for another holder; None is two minutes.
        :raises Bitrix24LockTimeoutError: when another process still holds the lock.
        :raises Bitrix24StateError: when the state can't be used.
        """


def shared_state() -> SharedState:
    """Return Redis when ``[bitrix24] state_url`` names one, or else this host's files.

    :raises Bitrix24ConfigurationError: when ``state_url`` can't be used.
    """
    from airflow_provider_b24.rest.file_state import FileState

    url = read_state_url()
    if url is None:
        return FileState()
    return _redis_state(url)


@cache
def _redis_state(url: Secret) -> SharedState:
    from airflow_provider_b24.rest.redis_state import RedisState

    return RedisState(url)

"""The shared state of several hosts, in a Redis that all of them reach.

Each bucket and each lock is one key, changed by one script on Redis's own clock. While Redis fails, a process
goes on with the files of its host.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_b24.rest.file_state import FileState
from airflow_provider_b24.rest.redis_bucket import RedisBucket
from airflow_provider_b24.rest.redis_connection import RedisConnection, RedisUnavailableError
from airflow_provider_b24.rest.redis_lock import RedisLock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from airflow_provider_b24.rest.file_state import FileMark
    from airflow_provider_b24.rest.rate_limit import Plan
    from airflow_provider_b24.rest.redaction import Secret
    from airflow_provider_b24.rest.redis_lock import RedisMark

_PREFIX = "airflow-provider-b24"


class RedisState:
    """Buckets and locks that hosts share.

    :param url: where Redis is.
    :param connection: how Redis is reached; None: a new connection.
    :raises Bitrix24ConfigurationError: when the URL can't be used, or redis-py is missing.
    """

    def __init__(self, url: Secret, *, connection: RedisConnection | None = None) -> None:
        self._connection = connection or RedisConnection(url)
        self._files = FileState()
        self._buckets: dict[tuple[str, Plan], RedisBucket] = {}

    def bucket(self, portal: str, plan: Plan) -> RedisBucket:
        """Return a portal's bucket."""
        return self._buckets.setdefault(
            (portal, plan),
            RedisBucket(
                self._connection, _key("bucket", portal), plan, fallback=self._files.bucket(portal, plan)
            ),
        )

    @contextmanager
    def lock(self, name: str, *, limit: float | None = None) -> Iterator[RedisMark | FileMark]:
        """Hold a lock, which expires some seconds after its holder has died; yields the lock's mark."""
        lock = RedisLock(self._connection, _key("oauth", name), owner=secrets.token_hex(16))
        with self._acquired(lock, name, limit) as mark:
            yield mark

    def _acquired(
        self, lock: RedisLock, name: str, limit: float | None
    ) -> AbstractContextManager[RedisMark | FileMark]:
        """Acquire a lock in Redis, or this host's own while Redis fails; return its context."""
        try:
            lock.acquire(limit=limit)
        except RedisUnavailableError:
            return self._files.lock(name, limit=limit)
        return lock.held()


def _key(kind: str, name: str) -> str:
    return f"{_PREFIX}:{kind}:{hashlib.sha256(name.encode()).hexdigest()[:24]}"

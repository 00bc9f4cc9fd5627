"""A lock in Redis for all hosts, with a mark that outlives its holder."""

from __future__ import annotations

import logging
import random
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import Bitrix24LockTimeoutError, Outcome
from airflow_provider_b24.rest.redis_connection import RedisUnavailableError
from airflow_provider_b24.rest.state_files import LOCK_SECONDS
from airflow_provider_b24.rest.state_url import OPTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_b24.rest.redis_connection import RedisConnection

log = logging.getLogger(__name__)

#: Seconds after which the lock of a dead holder expires; a living one renews it three times in between.
LEASE_SECONDS = 15.0
#: Seconds of waiting after which the log says so.
_QUIET_SECONDS = 5.0
_MIN_PAUSE, _MAX_PAUSE = 0.02, 0.5
#: Seconds for which a mark is kept: what a person may take to look after a failure.
_MARK_SECONDS = 30 * 86_400.0

_SCRIPT = """
local key, action, owner, lease, keep = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', key, 'owner', 'until', 'mark')
local mark = held[3] or ''
if action == 'take' then
  -- A longer time than a lease is one of before Redis's clock was set back.
  local left = (tonumber(held[2]) or 0) - now
  if held[1] and held[1] ~= owner and left > 0 and left <= lease then
    return {0, mark, now}
  end
elseif held[1] ~= owner then
  return {0, mark, now}
end
if action == 'release' then
  redis.call('HDEL', key, 'owner', 'until')
else
  redis.call('HSET', key, 'owner', owner, 'until', string.format('%.0f', now + lease))
end
if action == 'write' then
  mark = ARGV[5]
  if mark == '' then redis.call('HDEL', key, 'mark') else redis.call('HSET', key, 'mark', mark) end
end
redis.call('PEXPIRE', key, mark == '' and ARGV[3] or keep)
return {1, mark, now}
"""


class RedisLock:
    """A lock that all hosts share, and that its holder renews.

    :param connection: how Redis is reached.
    :param key: the lock's key.
    :param owner: a text that nobody else has.
    """

    def __init__(self, connection: RedisConnection, key: str, *, owner: str) -> None:
        self._connection = connection
        self._key = key
        self._owner = owner
        self._mark = ""
        # Redis's time, and this process's own when it was told.
        self._told = (0.0, 0.0)

    def acquire(self, *, limit: float | None = None) -> None:
        """Wait until nobody else holds the lock, and take it.

        :param limit: seconds to wait for another holder; None is two minutes.
        :raises Bitrix24LockTimeoutError: when another process still holds the lock.
        :raises RedisUnavailableError: when Redis fails.
        """
        limit = LOCK_SECONDS if limit is None else limit
        started, pause, said = time.monotonic(), _MIN_PAUSE, False
        while not self.change("take"):
            waited = time.monotonic() - started
            if waited >= limit:
                raise _timeout(waited)
            if waited >= _QUIET_SECONDS and not said:
                said = True
                log.warning("Waiting for a lock in the Redis of %s, for %.0f s now", OPTION, waited)
            # Jitter, because hosts wait for the same lock.
            time.sleep(min(pause * random.uniform(0.5, 1.0), limit - waited))
            pause = min(pause * 2, _MAX_PAUSE)

    @contextmanager
    def held(self) -> Iterator[RedisMark]:
        """Renew the lock, which was acquired, until the context ends; then release it."""
        ended = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(ended,), name="bitrix24-lock", daemon=True)
        renewing.start()
        try:
            yield RedisMark(self, self._mark)
        finally:
            ended.set()
            with suppress(RedisUnavailableError):
                self.change("release")

    def change(self, action: str, mark: str = "") -> bool:
        """Run the lock's script; return False when another process holds the lock.

        :param action: ``take``, ``renew``, ``write`` or ``release``.
        :param mark: the text to write.
        :raises RedisUnavailableError: when Redis fails.
        """
        lease, keep = f"{LEASE_SECONDS * 1000:.0f}", f"{_MARK_SECONDS * 1000:.0f}"
        done, text, milliseconds = self._connection.run(
            _SCRIPT, key=self._key, arguments=[action, self._owner, lease, keep, mark]
        )
        self._told = (milliseconds / 1000, time.monotonic())
        self._mark = text.decode("ascii", "replace")
        return bool(done)

    def now(self) -> float:
        """Return the time of Redis's clock, in Unix seconds."""
        told, at = self._told
        return told + time.monotonic() - at

    def _renew(self, ended: threading.Event) -> None:
        while not ended.wait(LEASE_SECONDS / 3):
            with suppress(RedisUnavailableError):
                if not self.change("renew"):
                    return


class RedisMark:
    """A short text beside a lock that is held.

    :param lock: the lock.
    :param text: what the holder before has left.
    """

    def __init__(self, lock: RedisLock, text: str) -> None:
        self._lock = lock
        self._text = text

    def read(self) -> str:
        """Return the text; empty when there is none."""
        return self._text

    def write(self, text: str) -> None:
        """Replace the text, unless the lock was lost or Redis fails."""
        self._text = text
        with suppress(RedisUnavailableError):
            self._lock.change("write", text)

    def is_held(self) -> bool:
        """Say whether nobody else has got the lock meanwhile, as far as Redis can say."""
        try:
            return self._lock.change("renew")
        except RedisUnavailableError:
            return True

    def clock_offset(self, now: float) -> float:
        """Return by how many seconds Redis's clock is ahead of the holder's.

        :param now: the holder's time, in Unix seconds.
        """
        return self._lock.now() - now


def _timeout(waited: float) -> Bitrix24LockTimeoutError:
    return Bitrix24LockTimeoutError(
        f"Another process has held a lock in the Redis of {OPTION} for more than {waited:.0f} s",
        outcome=Outcome.NOT_EXECUTED,
        advice="If it lasts, look for a process that hangs on one of the hosts which share this Redis.",
    )

"""The Redis of ``[bitrix24] state_url``: one client for each process, which leaves a broken server alone."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.rest.redaction import Secret, protect
from airflow_provider_b24.rest.state_url import OPTION, refused

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

#: Seconds for which Redis is left alone after a failure.
PAUSE_SECONDS = 10.0
#: Seconds to connect, and for each command: a script needs a thousandth of one.
_TIMEOUT = 1.0
_MAX_CONNECTIONS = 256
_INSTALL = 'Install it on every host: pip install "airflow-provider-b24[redis]".'


class RedisUnavailableError(Exception):
    """Redis did not run a script; what it protects goes on without."""


@dataclass
class _Client:
    """The client of one process.

    :param process: the process's id; a fork must not use its parent's connections.
    :param redis: the client.
    :param scripts: the scripts that it has registered, by their text.
    """

    process: int
    redis: Any = field(repr=False)
    scripts: dict[str, Any] = field(default_factory=dict, repr=False)


class RedisConnection:
    """Runs scripts in Redis.

    The log says once that Redis fails, and once that it works again.

    :param url: where Redis is.
    :param monotonic: returns seconds of a clock that is never set.
    :raises Bitrix24ConfigurationError: when the URL has unknown options, or redis-py is missing.
    """

    def __init__(self, url: Secret, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._monotonic = monotonic
        self._client = _Client(os.getpid(), _new_client(url))
        self._fails = False
        self._paused_until = 0.0
        self._lock = threading.Lock()

    def run(self, script: str, *, key: str, arguments: list[str]) -> Any:
        """Run a script and return what it returns.

        :param script: its Lua text.
        :param key: the only key that it uses.
        :param arguments: its arguments.
        :raises RedisUnavailableError: when Redis fails, or has failed a moment ago.
        """
        from redis.exceptions import RedisError

        client = self._process_client()
        if not self._may_try():
            raise RedisUnavailableError
        try:
            value = self._script(client, script)(keys=[key], args=arguments)
        except (RedisError, OSError) as error:
            reason = _reason(error)
        else:
            self._record_success()
            return value
        # A failover may leave them at a server that refuses for ever. Those in use fail by themselves.
        client.redis.connection_pool.disconnect(inuse_connections=False)
        # Raised here, because redis-py's error may show the address.
        self._record_failure(reason)
        raise RedisUnavailableError

    def _process_client(self) -> _Client:
        client = self._client
        if client.process != os.getpid():
            # Another thread of the parent may have held the lock.
            self._lock = threading.Lock()
            client = self._client = _Client(os.getpid(), _new_client(self._url))
        return client

    def _may_try(self) -> bool:
        if not self._fails:
            return True
        with self._lock:
            now = self._monotonic()
            if now < self._paused_until:
                return False
            # One thread tries, and the others go on without Redis meanwhile.
            self._paused_until = now + PAUSE_SECONDS
            return True

    def _record_success(self) -> None:
        if not self._fails:
            return
        with self._lock:
            said, self._fails = self._fails, False
        if said:
            log.info("The Redis of %s can be used again", OPTION)

    def _record_failure(self, reason: str) -> None:
        with self._lock:
            said, self._fails = self._fails, True
            self._paused_until = self._monotonic() + PAUSE_SECONDS
        if not said:
            log.warning(
                "The Redis of %s %s. Until it can be used again, each host limits its requests and refreshes "
                "tokens by itself; it is tried again every %.0f s.",
                OPTION,
                reason,
                PAUSE_SECONDS,
            )

    @staticmethod
    def _script(client: _Client, text: str) -> Any:
        script = client.scripts.get(text)
        if script is None:
            script = client.scripts[text] = client.redis.register_script(text)
        return script


def _new_client(url: Secret) -> Any:
    try:
        from redis import ConnectionPool, Redis
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError as NoConnectionError
        from redis.exceptions import RedisError
        from redis.retry import Retry
    except ImportError:
        raise refused("is set, and the package redis is not installed", _INSTALL) from None
    try:
        pool = ConnectionPool.from_url(
            url.reveal(),
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            # One more try, because the server closes idle connections.
            retry=Retry(NoBackoff(), 1, supported_errors=(NoConnectionError,)),
            max_connections=_MAX_CONNECTIONS,
            protocol=2,
        )
        # Here, because the URL's options replace those above.
        pool.connection_kwargs["decode_responses"] = False
        _protect_password(pool.connection_kwargs)
        # Unknown options show here, and not before.
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, ValueError, AttributeError, RedisError):
        pool = None
    if pool is None:
        raise refused("has options that redis-py does not accept")
    return Redis(connection_pool=pool)


def _protect_password(options: dict[str, Any]) -> None:
    password = options.get("password")
    if password:
        protect(Secret(str(password)))


def _reason(error: Exception) -> str:
    """Return why Redis failed, in words of our own: redis-py's text may show the address."""
    from redis import exceptions as e

    reasons: list[tuple[type[Exception], str]] = [
        (e.AuthenticationError, "refuses the user name or the password"),
        (e.NoPermissionError, "does not allow this user to run scripts on the keys airflow-provider-b24:*"),
        (e.TimeoutError, "does not answer in time"),
        (e.ResponseError, "answers with an error"),
        (e.ConnectionError, "can't be reached"),
    ]
    text = next((text for kind, text in reasons if isinstance(error, kind)), "can't be used")
    return f"{text} ({_code(error) or type(error).__name__})"


def _code(error: Exception) -> str:
    """Return the code with which Redis began its error, such as OOM or READONLY."""
    word = str(error).partition(" ")[0]
    return word if word.isascii() and word.isalpha() and word.isupper() and len(word) <= 20 else ""

"""The blocking work of a reader: read the connection, and call the portal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_b24.events.api import EventsApi
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.rest.retry import RetryPolicy
from airflow_provider_b24.utils.frames import hide_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_b24.events.queued_event import QueuedEvent, Reservation

#: The reader retries by itself, without holding a thread.
_NO_RETRIES = RetryPolicy(max_attempts=1, max_rate_limit_attempts=1)


@hide_frames
class QueueClient:
    """Reaches the queue of one connection's application.

    :param conn_id: the Airflow connection.
    :param auth_connector: the key of the queue; None is the queue without one.
    :param connection_age: seconds after which the connection is read again.
    :param clock: returns seconds of a monotonic clock.
    """

    def __init__(
        self,
        conn_id: str,
        auth_connector: str | None = None,
        *,
        connection_age: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._conn_id = conn_id
        self._auth_connector = auth_connector
        self._connection_age = connection_age
        self._clock = clock
        self._hook: Bitrix24Hook | None = None
        self._reread_at = 0.0

    def portal(self) -> str:
        """Return the portal's host."""
        return urlsplit(self._current_hook().settings.portal).netloc

    def reserve(self, name: str, limit: int) -> Reservation:
        """Reserve events of one name."""
        return self._events().reserve(event=name, limit=limit, auth_connector=self._auth_connector)

    def reserved(self) -> list[QueuedEvent]:
        """Return all reserved events."""
        return self._events().reserved(auth_connector=self._auth_connector)

    def clear(self, process_id: str, ids: Sequence[int]) -> None:
        """Remove events of a reservation."""
        self._events().clear(process_id=process_id, ids=ids, auth_connector=self._auth_connector)

    def not_subscribed(self, names: Sequence[str]) -> list[str]:
        """Return the events of these names that the application is not subscribed to."""
        queue = {"offline": True, "auth_connector": self._auth_connector}
        bound = {row["event"] for row in self._events().bound() if queue.items() <= row.items()}
        return [name for name in names if name not in bound]

    def reread_connection(self) -> None:
        """Read the connection again before the next request: it may have been corrected."""
        self._reread_at = 0.0

    def close(self) -> None:
        """Close the connections to the portal."""
        if self._hook is not None:
            self._hook.transport.close()
            self._hook = None

    def _events(self) -> EventsApi:
        hook = self._current_hook()
        return EventsApi(hook.client_with(transport=hook.transport, limiter=hook.limiter, policy=_NO_RETRIES))

    def _current_hook(self) -> Bitrix24Hook:
        if self._hook is None or self._clock() >= self._reread_at:
            hook = Bitrix24Hook(self._conn_id)
            if self._hook is None or hook.settings != self._hook.settings:
                self.close()
                self._hook = hook
            self._reread_at = self._clock() + self._connection_age
        return self._hook

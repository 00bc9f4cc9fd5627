"""What happens in the portal, told to the applications that are subscribed to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.state.events.handlers import EventHandlers
from airflow_provider_b24.emulator.state.events.offline_queue import OfflineQueue

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.context import PortalContext


class Events:
    """The subscriptions, and the queue of those that are offline.

    Handlers of online events are kept and not called: the portal sends no requests.
    """

    def __init__(self, context: PortalContext) -> None:
        self.handlers = EventHandlers()
        self.queue = OfflineQueue(context)

    def happen(self, event: str, data: Any, *, client_id: str, user_id: int = 0) -> int:
        """Tell an application of an event.

        :param event: its name.
        :param data: what an online handler would be sent as ``data``.
        :param client_id: the application.
        :param user_id: who did it; 0 is no user.
        :returns: how many subscriptions put it into the queue.
        """
        found = [
            handler
            for handler in self.handlers
            if handler.offline and (handler.client_id, handler.event) == (client_id, event.upper())
        ]
        for handler in found:
            self.queue.add(
                client_id=client_id,
                event=handler.event,
                data=data,
                user_id=user_id,
                connector_id=handler.connector_id,
            )
        return len(found)

    def state(self) -> dict[str, Any]:
        """Return subscriptions and queue, for the control API."""
        return {
            "handlers": [
                {"event": item.event, "offline": item.offline, "handler": item.url} for item in self.handlers
            ],
            "queue": [
                {
                    "id": record.id,
                    "event": record.event,
                    "data": record.data,
                    "reserved": bool(record.process_id),
                    "error": record.error,
                }
                for record in self.queue
            ],
        }

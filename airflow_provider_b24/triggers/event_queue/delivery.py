"""An event on its way from the queue to Airflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.events.payload import payloads_of
from airflow_provider_b24.triggers.poll_watcher.payloads import encodable

if TYPE_CHECKING:
    from airflow_provider_b24.events.queued_event import QueuedEvent


@dataclass(eq=False)
class Delivery:
    """An event that is handed on, and not cleared yet.

    :param event: the event.
    :param portal: the portal's host.
    :param redelivered: whether it may have been handed on before.
    :param taken: whether a watcher wanted it.
    """

    event: QueuedEvent
    portal: str
    redelivered: bool = False
    taken: bool = False

    def payloads(self) -> list[dict[str, Any]]:
        """Return what DAGs are told of it, as Airflow can encode it."""
        payloads = payloads_of(self.event, portal=self.portal, redelivered=self.redelivered)
        return [encodable(payload) for payload in payloads]

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
        return [_without_reserved_keys(encodable(payload)) for payload in payloads]


def _without_reserved_keys(value: Any) -> Any:
    """Return JSON values with another name for keys that mean something to Airflow's serialiser.

    It refuses some of them, and would make an object of what is under others.
    """
    if isinstance(value, list):
        return [_without_reserved_keys(item) for item in value]
    if not isinstance(value, dict):
        return value
    renamed = {key: _free_key(key, value) for key in value}
    return {renamed[key]: _without_reserved_keys(item) for key, item in value.items()}


def _free_key(key: str, taken: dict[str, Any]) -> str:
    """Return a key that does not begin with two underscores, and that the object does not have."""
    if not key.startswith("__"):
        return key
    free = f"_{key.lstrip('_')}"
    while free in taken:
        free += "_"
    return free

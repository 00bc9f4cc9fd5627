"""Connectors, and on which open lines they are switched on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Connector:
    """A connector that an application registered; ``options`` are its other settings."""

    id: str
    name: str
    client_id: str
    chat_group: bool = False
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Status:
    """A connector switched on for a line."""

    error: bool = False
    data: dict[str, Any] = field(default_factory=dict)


class Connectors:
    """All connectors by id, and their status on each line."""

    def __init__(self) -> None:
        self._connectors: dict[str, Connector] = {}
        self._statuses: dict[tuple[str, int], Status] = {}

    def __iter__(self) -> Iterator[Connector]:
        return iter(list(self._connectors.values()))

    def get(self, connector_id: str) -> Connector | None:
        """Return the connector, or None."""
        return self._connectors.get(connector_id)

    def register(self, connector: Connector) -> bool:
        """Add or replace a connector; False if another application owns the id."""
        known = self._connectors.get(connector.id)
        if known is not None and known.client_id != connector.client_id:
            return False
        self._connectors[connector.id] = connector
        return True

    def unregister(self, connector_id: str, client_id: str) -> bool:
        """Remove an application's connector and switch it off everywhere."""
        known = self._connectors.get(connector_id)
        if known is None or known.client_id != client_id:
            return False
        del self._connectors[connector_id]
        for key in [key for key in self._statuses if key[0] == connector_id]:
            del self._statuses[key]
        return True

    def activate(self, connector_id: str, line_id: int) -> None:
        """Switch a connector on for a line, which also clears its error."""
        self._statuses.setdefault((connector_id, line_id), Status()).error = False

    def deactivate(self, connector_id: str, line_id: int) -> bool:
        """Switch a connector off, with all that was set for it; False if it was off."""
        return self._statuses.pop((connector_id, line_id), None) is not None

    def status(self, connector_id: str, line_id: int) -> Status | None:
        """Return the status of a connector on a line, or None if it is off."""
        return self._statuses.get((connector_id, line_id))

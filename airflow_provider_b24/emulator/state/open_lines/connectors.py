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
    """A connector on a line: whether it is switched on, and what was set for it."""

    active: bool = False
    error: bool = False
    data: dict[str, Any] = field(default_factory=dict)


class Connectors:
    """All connectors by id, and their status on each line."""

    def __init__(self) -> None:
        self._connectors: dict[str, Connector] = {}
        self._statuses: dict[tuple[str, int], Status] = {}
        self._refused: set[str] = set()

    def __iter__(self) -> Iterator[Connector]:
        return iter(list(self._connectors.values()))

    def get(self, connector_id: str) -> Connector | None:
        """Return the connector, or None."""
        return self._connectors.get(connector_id)

    def register(self, connector: Connector) -> bool:
        """Add a connector, or change it: what is left out of its options stays.

        As in the module's source, an application may take over another one's connector.
        False while the portal refuses this id.
        """
        if connector.id in self._refused:
            return False
        known = self._connectors.get(connector.id)
        if known is not None:
            connector.options = known.options | connector.options
        self._connectors[connector.id] = connector
        return True

    def unregister(self, connector_id: str, client_id: str) -> bool:
        """Switch a connector off everywhere, and remove it if it is the application's own.

        As in the module's source, an unknown connector is a success; False while the portal refuses the id.
        """
        if connector_id in self._refused:
            return False
        for key in [key for key in self._statuses if key[0] == connector_id]:
            del self._statuses[key]
        known = self._connectors.get(connector_id)
        if known is not None and known.client_id == client_id:
            del self._connectors[connector_id]
        return True

    def refuse(self, connector_id: str) -> None:
        """Fail to register and to unregister this id, as a portal does that can't save it."""
        self._refused.add(connector_id)

    def allow(self, connector_id: str) -> None:
        """Register and unregister this id again."""
        self._refused.discard(connector_id)

    def activate(self, connector_id: str, line_id: int) -> None:
        """Switch a connector on for a line, which also clears its error."""
        found = self._status(connector_id, line_id)
        found.active, found.error = True, False

    def deactivate(self, connector_id: str, line_id: int) -> None:
        """Switch a connector off, with all that was set for it."""
        self._statuses.pop((connector_id, line_id), None)

    def set_data(self, connector_id: str, line_id: int, data: dict[str, Any]) -> None:
        """Add to what is set for a connector on a line, which need not be switched on."""
        self._status(connector_id, line_id).data |= data

    def status(self, connector_id: str, line_id: int) -> Status:
        """Return the status of a connector on a line."""
        return self._statuses.get((connector_id, line_id), Status())

    def _status(self, connector_id: str, line_id: int) -> Status:
        return self._statuses.setdefault((connector_id, line_id), Status())

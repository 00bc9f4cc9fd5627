"""Settings that an application keeps on the portal, for itself and for each of its users."""

from __future__ import annotations

from typing import Any


class Options:
    """The settings by application and user; user 0 has those of the application itself."""

    def __init__(self) -> None:
        self._options: dict[tuple[str, int], dict[str, Any]] = {}

    def all(self, client_id: str, user_id: int = 0) -> dict[str, Any]:
        """Return all settings of one owner."""
        return dict(self._options.get((client_id, user_id), {}))

    def set(self, values: dict[str, Any], client_id: str, user_id: int = 0) -> None:
        """Add or change settings of one owner."""
        self._options.setdefault((client_id, user_id), {}).update(values)

    def clear(self) -> None:
        """Forget all settings."""
        self._options.clear()

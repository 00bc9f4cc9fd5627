"""How a connector does on a line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_b24.rest import php


@dataclass(frozen=True)
class ConnectorStatus:
    """What ``imconnector.status`` says.

    :param active: messages get through: it is configured and has no error.
    :param configured: it is switched on for the line.
    :param error: it is flagged as broken; switching it on again clears that.
    """

    active: bool = False
    configured: bool = False
    error: bool = False

    @property
    def works(self) -> bool:
        """Whether the portal says in both ways that messages get through."""
        return self.active and self.configured

    @property
    def is_on(self) -> bool:
        """Whether there is anything to switch off."""
        return self.active or self.configured or self.error

    def to_dict(self) -> dict[str, bool]:
        """Return the status as JSON values."""
        return asdict(self)


def read_status(result: Any) -> ConnectorStatus:
    """Return the status that a reply describes.

    :param result: the reply's ``result``.
    :raises ValueError: when it describes none.
    """
    row = php.as_row(result)
    return ConnectorStatus(_flag(row, "STATUS"), _flag(row, "CONFIGURED"), _flag(row, "ERROR"))


def _flag(row: dict[str, Any], key: str) -> bool:
    if row.get(key) is None:
        raise ValueError(f"it has no {key}")
    return php.as_bool(row[key])

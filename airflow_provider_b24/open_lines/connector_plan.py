"""Which steps lead from the connector that is found to the one that is wanted. Pure."""

from __future__ import annotations

import html
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airflow_provider_b24.open_lines.connector_status import ConnectorStatus
from airflow_provider_b24.open_lines.registration import digest
from airflow_provider_b24.open_lines.wanted_connector import ConnectorState, WantedConnector


class Step(StrEnum):
    """What can be done to a connector."""

    REGISTER = "register"
    ACTIVATE = "activate"
    SET_DATA = "set_data"
    DEACTIVATE = "deactivate"
    UNREGISTER = "unregister"


@dataclass(frozen=True)
class FoundConnector:
    """A connector as the portal knows it.

    :param name: the name under which it is registered; None when it is not.
    :param status: how it does on the line; None when no line is asked for.
    :param registration: the digest of what it was last registered with; None: not known.
    :param data: the digest of the data that was last set; None: not known.
    """

    name: str | None
    status: ConnectorStatus | None
    registration: str | None = None
    data: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what can be seen of it as JSON values."""
        unknown = dict.fromkeys(ConnectorStatus().to_dict())
        status = self.status.to_dict() if self.status is not None else unknown
        return {"registered": self.name is not None, "name": self.name, **status}


def plan(
    wanted: WantedConnector, found: FoundConnector, *, data: dict[str, str], force: bool = False
) -> list[Step]:
    """Return the steps, in order; none when everything is as wanted.

    The portal shows neither icon nor handler nor data, so digests of what was sent last stand for them.

    :param data: what the line's widget shall show, defaults included.
    :param force: register and set the data again although nothing seems to differ.
    """
    if wanted.state is ConnectorState.PRESENT:
        return _towards_present(wanted, found, data, force)
    steps = [Step.DEACTIVATE] if found.status is not None and found.status.is_on else []
    if wanted.state is ConnectorState.ABSENT and found.name is not None:
        steps.append(Step.UNREGISTER)
    return steps


def is_reached(wanted: WantedConnector, found: FoundConnector) -> bool:
    """Say whether a connector is what it shall be, as far as the portal shows it.

    :param wanted: what it shall be.
    :param found: what it is.
    """
    status = found.status or ConnectorStatus()
    if wanted.state is ConnectorState.PRESENT:
        return found.name is not None and status.works
    return not status.is_on and (wanted.state is ConnectorState.INACTIVE or found.name is None)


def _towards_present(
    wanted: WantedConnector, found: FoundConnector, data: dict[str, str], force: bool
) -> list[Step]:
    status = found.status or ConnectorStatus()
    same_name = html.unescape(found.name or "") == html.unescape(wanted.registration["NAME"])
    steps = []
    if force or not same_name or found.registration != digest(wanted.registration):
        steps.append(Step.REGISTER)
    if not status.works:
        steps.append(Step.ACTIVATE)
    # Switching a connector off has erased its data.
    if force or not status.configured or found.data != digest(data):
        steps.append(Step.SET_DATA)
    return steps

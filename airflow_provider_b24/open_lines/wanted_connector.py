"""A connector as it shall be."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.ids import parse_connector_id, parse_line
from airflow_provider_b24.open_lines.registration import check_data, registration_params


class ConnectorState(StrEnum):
    """What a connector shall be.

    ``PRESENT``: registered, and active on the line. ``INACTIVE``: off on the line.
    ``ABSENT``: not registered.
    """

    PRESENT = "present"
    INACTIVE = "inactive"
    ABSENT = "absent"


@dataclass(frozen=True)
class WantedConnector:
    """A connector as it shall be.

    :param connector: its id.
    :param line: the line's number or name; None: no line.
    :param registration: the parameters of its registration; empty unless it shall be present.
    :param data: what the caller wants the line's widget to show.
    """

    connector: str
    line: int | str | None
    state: ConnectorState = ConnectorState.PRESENT
    registration: dict[str, Any] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)


def wanted_connector(
    *, connector: Any, line: Any, state: Any = ConnectorState.PRESENT, data: Any = None, **registration: Any
) -> WantedConnector:
    """Return the connector that the arguments describe.

    :param connector: its id.
    :param line: the line's number or name; without it a connector can only be absent.
    :param state: what it shall be.
    :param data: what the line's widget shall show.
    :param registration: what :func:`registration_params` takes; it counts when it shall be present.
    :raises Bitrix24ValidationError: when an argument is missing or wrong.
    """
    named, wanted = parse_connector_id(connector), check_state(state)
    place = None if line is None and wanted is ConnectorState.ABSENT else parse_line(line)
    if wanted is not ConnectorState.PRESENT:
        return WantedConnector(named, place, wanted)
    params = registration_params(connector=named, **registration)
    return WantedConnector(named, place, wanted, params, check_data(data))


def check_state(state: Any) -> ConnectorState:
    """Return a connector's state.

    :param state: one of the words of :class:`ConnectorState`.
    :raises Bitrix24ValidationError: when it is none of them.
    """
    if not isinstance(state, str) or state not in list(ConnectorState):
        raise Bitrix24ValidationError("state", f"must be one of {', '.join(ConnectorState)}, not {state!r}")
    return ConnectorState(state)

"""Brings one connector on one line to a wanted state, in as few calls as it takes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24ConnectorError, Bitrix24Error, Outcome
from airflow_provider_b24.open_lines import connector_memory as memory
from airflow_provider_b24.open_lines.connector_plan import FoundConnector, Step, is_reached, plan
from airflow_provider_b24.open_lines.connector_status import read_status
from airflow_provider_b24.open_lines.registration import data_params, digest
from airflow_provider_b24.rest import php

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.open_lines.lines import Line
    from airflow_provider_b24.open_lines.wanted_connector import WantedConnector
    from airflow_provider_b24.rest.client import Bitrix24Client

log = logging.getLogger(__name__)

LIST, STATUS = "imconnector.list", "imconnector.status"
REGISTER, UNREGISTER = "imconnector.register", "imconnector.unregister"
ACTIVATE, SET_DATA = "imconnector.activate", "imconnector.connector.data.set"
#: The portal saves a status after it has answered; reads of it, and seconds between them.
_READS, _PAUSE = 4, 1.0


class ConnectorSetUp:
    """One run from what is found to what is wanted.

    :param line: the line; None when there is none to look at.
    :param force: register and set the data again although nothing seems to differ.
    """

    def __init__(
        self,
        client: Bitrix24Client,
        wanted: WantedConnector,
        line: Line | None,
        *,
        force: bool,
        sleep: Callable[[float], None],
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._line = line
        self._force = force
        self._sleep = sleep
        self._place = {"CONNECTOR": wanted.connector} | ({"LINE": line.id} if line is not None else {})
        self._data = self._wanted_data()

    def run(self) -> dict[str, Any]:
        """Change what differs, and return what was found, what was done and what is there now.

        :raises Bitrix24ConnectorError: when the portal refuses, or the state is not reached.
        """
        found = self._look()
        steps = plan(self._wanted, found, data=self._data, force=self._force)
        after = self._change(steps, found) if steps else found
        line = self._line.to_dict() if self._line is not None else {"id": None, "name": None}
        return {
            "connector": self._wanted.connector,
            "line": line["id"],
            "line_name": line["name"],
            "state": str(self._wanted.state),
            "found": found.to_dict(),
            "changed": [str(step) for step in steps],
            "status": after.to_dict(),
        }

    def _change(self, steps: list[Step], found: FoundConnector) -> FoundConnector:
        # First: a run that ends in the middle must not leave a digest of what is no longer there.
        memory.remember(self._client, self._outdated(steps, found))
        for step in steps:
            log.info("Connector %r: %s", self._wanted.connector, step)
            self._do(step)
        after = self._verified()
        memory.remember(self._client, self._digests(steps))
        return after

    def _do(self, step: Step) -> None:
        """Take one step; each can be taken twice."""
        calls: dict[Step, tuple[str, dict[str, Any]]] = {
            Step.REGISTER: (REGISTER, self._wanted.registration),
            # Numbers: the text "N" would switch it on.
            Step.ACTIVATE: (ACTIVATE, {**self._place, "ACTIVE": 1}),
            Step.DEACTIVATE: (ACTIVATE, {**self._place, "ACTIVE": 0}),
            Step.SET_DATA: (SET_DATA, {**self._place, "DATA": self._data}),
            Step.UNREGISTER: (UNREGISTER, {"ID": self._wanted.connector}),
        }
        method, params = calls[step]
        result = self._client.call(method, params)
        with php.promised("true or false", method=method, conn_id=self._client.conn_id):
            succeeded = _succeeded(result)
        if not succeeded:
            raise self._client.refusal(
                Bitrix24ConnectorError, method, "the portal refused the step and gave no reason"
            )

    def _verified(self) -> FoundConnector:
        """Return the connector once it is what it shall be."""
        for read in range(_READS):
            found = self._look()
            if is_reached(self._wanted, found):
                return found
            if read < _READS - 1:
                self._sleep(_PAUSE)
        text = f"connector {self._wanted.connector!r} is still not {self._wanted.state}: {found.to_dict()}"
        raise self._client.refusal(Bitrix24ConnectorError, STATUS, text)

    def _look(self) -> FoundConnector:
        """Read everything that is known of the connector in one request."""
        commands: dict[str, tuple[str, dict[str, Any]]] = {"list": (LIST, {})}
        commands["registration"] = (memory.GET, {"option": self._registration_key})
        if self._line is not None:
            commands["status"] = (STATUS, self._place)
            commands["data"] = (memory.GET, {"option": self._data_key})
        reply = self._client.call_batch(commands)
        for key, error in reply.errors.items():
            # Without its memory the connector is set up once more, which changes nothing.
            if key in ("list", "status") or not _is_refusal(error):
                raise error
        with php.promised("a connector's status", method=STATUS, conn_id=self._client.conn_id):
            status = read_status(reply.results["status"]) if self._line is not None else None
        name = read_names(self._client, reply.results["list"]).get(self._wanted.connector)
        digests = {key: _digest_or_none(reply.results.get(key)) for key in ("registration", "data")}
        return FoundConnector(name, status, **digests)

    def _outdated(self, steps: list[Step], found: FoundConnector) -> dict[str, str]:
        """Return what has to be forgotten before these steps are taken."""
        forgotten = {}
        if found.registration and {Step.REGISTER, Step.UNREGISTER} & set(steps):
            forgotten[self._registration_key] = ""
        # Switching on what has an error leaves its data; what was off gets them in these steps.
        if found.data and set(steps) - {Step.REGISTER, Step.ACTIVATE}:
            forgotten[self._data_key] = ""
        return forgotten

    def _digests(self, steps: list[Step]) -> dict[str, str]:
        """Return what is to be remembered after these steps."""
        digests = {}
        if Step.REGISTER in steps:
            digests[self._registration_key] = digest(self._wanted.registration)
        if Step.SET_DATA in steps:
            digests[self._data_key] = digest(self._data)
        return digests

    def _wanted_data(self) -> dict[str, str]:
        if self._line is None or not self._wanted.registration:
            return {}
        name = self._wanted.registration["NAME"]
        return data_params(self._wanted.data, connector=self._wanted.connector, line=self._line.id, name=name)

    @property
    def _registration_key(self) -> str:
        return memory.registration_key(self._wanted.connector)

    @property
    def _data_key(self) -> str:
        return memory.data_key(self._wanted.connector, self._line.id if self._line is not None else 0)


def read_names(client: Bitrix24Client, result: Any) -> dict[str, str]:
    """Return the names of all connectors by id.

    :param result: what ``imconnector.list`` answered.
    """
    with php.promised("a list of connectors", method=LIST, conn_id=client.conn_id):
        return {key.lower(): php.as_text(name) for key, name in php.as_dict(result).items()}


def _succeeded(result: Any) -> bool:
    """Say whether a step is done: ``true``, or ``{"result": true}``."""
    value = result.get("result") if isinstance(result, dict) else result
    if value is None:
        raise ValueError("it says neither yes nor no")
    return php.as_bool(value)


def _is_refusal(error: Bitrix24Error) -> bool:
    return error.outcome is Outcome.REFUSED and not error.connection_wide


def _digest_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None

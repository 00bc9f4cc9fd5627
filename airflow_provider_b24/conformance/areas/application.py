"""What only an application may do: connectors and offline events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.conformance.answers import as_items, as_object, code_in
from airflow_provider_b24.conformance.probe import Auth, probe
from airflow_provider_b24.conformance.trial import UNKNOWN
from airflow_provider_b24.conformance.unanswered import CouldNotTellError, NotTriedError

if TYPE_CHECKING:
    from airflow_provider_b24.conformance.trial import Trial

_SEND = "imconnector.send.messages"
_NO_EVENT = "AIRFLOWCONFORMANCENOSUCHEVENT"
#: One transparent pixel.
_ICON = "data:image/svg+xml;charset=US-ASCII,%3Csvg%20xmlns%3D%22http%3A//www.w3.org/2000/svg%22/%3E"


@probe(
    "connector.list",
    "imconnector.list",
    "an object of names by id",
    depends="nothing in the provider's own calls",
    otherwise="Nothing changes.",
    auth=Auth.APPLICATION,
)
def connectors(trial: Trial) -> str:
    """Read the connectors; their names stay in memory."""
    answer = trial.ask("imconnector.list")
    return "an object of names by id" if as_object(answer.result) else str(answer)


@probe(
    "connector.missing_parameter",
    "imconnector.status without CONNECTOR",
    "400 ERROR_ARGUMENT",
    depends="Bitrix24ArgumentError",
    otherwise="Another code gives the error of that code.",
    auth=Auth.APPLICATION,
)
def missing_parameter(trial: Trial) -> str:
    """Read the status of no connector."""
    return str(trial.ask("imconnector.status"))


@probe(
    "connector.register_failure",
    "imconnector.register without parameters",
    "an error with status 200, beside the result",
    depends="Bitrix24ConnectorError although the status is 200",
    otherwise="Beside the result and inside of it, as documented, give the same error.",
    auth=Auth.APPLICATION,
    writes=True,
)
def register_failure(trial: Trial) -> str:
    """Register nothing."""
    answer = trial.ask("imconnector.register")
    if answer.problem is None or answer.status != 200:
        return str(answer)
    place = "beside" if answer.problem is answer.body else "inside"
    return f"an error with status 200, {place} the result"


@probe(
    "connector.register_code",
    "The code of that error",
    "CONNECTOR_ID_REQUIRED",
    depends="Bitrix24ConnectorError",
    otherwise="Another code becomes Bitrix24ApiError.",
    auth=Auth.APPLICATION,
    writes=True,
)
def register_code(trial: Trial) -> str:
    """Register nothing."""
    answer = trial.ask("imconnector.register")
    return "no error" if answer.problem is None else code_in(answer.problem)


@probe(
    "connector.unknown",
    "A message through a connector that does not exist",
    "400 IMCONNECTOR_NO_CORRECT_PROVIDER",
    depends="Bitrix24ConnectorError",
    otherwise="Another code gives the error of that code; the whole call is refused.",
    auth=Auth.APPLICATION,
    writes=True,
)
def unknown(trial: Trial) -> str:
    """Send through a connector that no portal has."""
    return str(trial.ask(_SEND, _message("airflow_conformance_none")))


@probe(
    "connector.inactive_line",
    "A message into an open line that does not exist",
    "400 NOT_ACTIVE_LINE",
    depends="Bitrix24LineNotActiveError",
    otherwise="Another code gives the error of that code; the whole call is refused.",
    auth=Auth.APPLICATION,
    writes=True,
)
def inactive_line(trial: Trial) -> str:
    """Send into a line that no portal has."""
    return str(trial.ask(_SEND, _message(_connector(trial))))


@probe(
    "connector.active_n",
    'imconnector.activate with ACTIVE "N"',
    "switches on",
    depends="the provider writes 0 and 1",
    otherwise="Nothing changes.",
    auth=Auth.APPLICATION,
    writes=True,
    on_line=True,
)
def active_n(trial: Trial) -> str:
    """Activate a connector with the documented word for off, on the given line."""
    place = {"CONNECTOR": _connector(trial), "LINE": trial.line_id}
    trial.ask("imconnector.activate", {**place, "ACTIVE": 0})
    answer = trial.ask("imconnector.activate", {**place, "ACTIVE": "N"})
    if answer.problem is not None:
        return str(answer)
    status = as_object(trial.ask("imconnector.status", place).result)
    return "switches on" if status.get("STATUS") is True else "switches off"


@probe(
    "events.extended",
    "Extended offline events in the portal's plan",
    "there",
    depends="Bitrix24OfflineEventTrigger: events are reserved, not removed, until they are handled",
    otherwise="No event is read: the trigger's log names the feature that the plan lacks.",
    auth=Auth.APPLICATION,
)
def extended_events(trial: Trial) -> str:
    """Ask for the plan's feature."""
    return _feature(trial, "rest_offline_extended")


@probe(
    "events.sources",
    "Source keys of offline events in the portal's plan",
    "there",
    depends="two listeners of one application with a key each",
    otherwise="Listen with one trigger for each application.",
    auth=Auth.APPLICATION,
)
def event_sources(trial: Trial) -> str:
    """Ask for the plan's feature."""
    return _feature(trial, "rest_auth_connector")


@probe(
    "events.list",
    "event.offline.list",
    "a list",
    depends="nothing in the provider's own calls",
    otherwise="Nothing changes.",
    auth=Auth.APPLICATION,
)
def event_list(trial: Trial) -> str:
    """Read the queue without a change, for an event that does not exist."""
    answer = trial.ask("event.offline.list", {"filter": {"EVENT_NAME": _NO_EVENT}})
    _must_exist(answer.code)
    return "a list" if isinstance(answer.result, list) else str(answer)


@probe(
    "events.get",
    "event.offline.get with clear=0, for an event that does not exist",
    "process_id and no events",
    depends="Bitrix24OfflineEventTrigger",
    otherwise="No event is read: the trigger's log says why.",
    auth=Auth.APPLICATION,
    writes=True,
)
def event_get(trial: Trial) -> str:
    """Reserve no event."""
    answer = trial.ask("event.offline.get", {"clear": 0, "limit": 1, "filter": {"EVENT_NAME": _NO_EVENT}})
    _must_exist(answer.code)
    result = as_object(answer.result)
    if "events" not in result:
        return str(answer)
    events = "some events" if as_items(result["events"]) else "no events"
    return f"{'process_id' if 'process_id' in result else 'no process_id'} and {events}"


def _feature(trial: Trial, code: str) -> str:
    answer = trial.ask("feature.get", {"CODE": code})
    return {"Y": "there", "N": "not there"}.get(str(as_object(answer.result).get("value")), str(answer))


def _must_exist(code: str) -> None:
    if code == "ERROR_METHOD_NOT_FOUND":
        raise NotTriedError("the portal has no such method")


def _connector(trial: Trial) -> str:
    """Return a connector of this run."""
    return str(trial.once("connector", lambda: _register(trial)))


def _register(trial: Trial) -> str:
    name = f"airflow_conformance_{trial.mark.rpartition(' ')[2]}"
    params = {"ID": name, "NAME": "Airflow conformance check", "ICON": {"DATA_IMAGE": _ICON}}
    answer = trial.ask("imconnector.register", {**params, "PLACEMENT_HANDLER": "https://example.com/"})
    if answer.problem is not None:
        raise CouldNotTellError(f"a connector could not be registered: {answer}")
    trial.connectors.append(name)
    return name


def _message(connector: str) -> dict[str, Any]:
    row = {"user": {"id": "nobody"}, "message": {"id": "none", "text": "none"}, "chat": {"id": "none"}}
    return {"CONNECTOR": connector, "LINE": UNKNOWN, "MESSAGES": [row]}

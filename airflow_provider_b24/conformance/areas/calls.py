"""How any call is checked and refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_b24.conformance.answers import as_object
from airflow_provider_b24.conformance.probe import Auth, probe
from airflow_provider_b24.conformance.trial import ENTITY, GET, MODULE, UNKNOWN, entity
from airflow_provider_b24.conformance.unanswered import NotTriedError

if TYPE_CHECKING:
    from airflow_provider_b24.conformance.trial import Trial

#: Methods that only read, by scopes that few connections of this provider have.
_OTHER_SCOPES = {
    "department": "department.get",
    "crm": "crm.deal.fields",
    "task": "tasks.task.getFields",
    "disk": "disk.storage.getlist",
    "lists": "lists.get.iblock.type.id",
    "telephony": "telephony.externalLine.get",
}


@probe(
    "call.unknown_method",
    "A method that does not exist",
    "404 ERROR_METHOD_NOT_FOUND",
    depends="Bitrix24MethodNotFoundError",
    otherwise="The code decides, not the status; another code becomes Bitrix24ApiError.",
)
def unknown_method(trial: Trial) -> str:
    """Call a method that no portal has."""
    return str(trial.ask("airflow.conformance.no.such.method"))


@probe(
    "call.method_case",
    "A method's name in lower case",
    "found",
    depends="hook.call with names in any case; the provider itself writes the documented case",
    otherwise="Write names of methods as the documentation does.",
)
def method_case(trial: Trial) -> str:
    """Call a method in lower case, with a poll that does not exist."""
    answer = trial.ask(GET.lower(), entity(UNKNOWN))
    return "found" if answer.code == "ATTACH_NOT_FOUND" else str(answer)


@probe(
    "call.parameter_case",
    "vote.* with parameters in upper case",
    "400 100",
    depends="nothing: the provider writes the documented case",
    otherwise="Nothing changes.",
)
def parameter_case(trial: Trial) -> str:
    """Name a poll with parameters in upper case."""
    return str(trial.ask(GET, {"MODULEID": MODULE, "ENTITYTYPE": ENTITY, "ENTITYID": UNKNOWN}))


@probe(
    "call.missing_parameter",
    "vote.* without its parameters",
    "400 100",
    depends="Bitrix24ArgumentError",
    otherwise="Another code becomes Bitrix24PollError.",
)
def missing_parameter(trial: Trial) -> str:
    """Read a poll without naming one."""
    return str(trial.ask(GET))


@probe(
    "call.scope",
    "A method whose scope the connection lacks",
    "401 insufficient_scope",
    depends="Bitrix24ScopeError",
    otherwise="The code decides, not the status: 403, as documented, gives the same error.",
)
def scope(trial: Trial) -> str:
    """Call a method that only reads, of a scope that was not granted."""
    for name, method in _OTHER_SCOPES.items():
        if name not in trial.scopes:
            answer = trial.ask(method, without_scope=True)
            if answer.status != 404:
                return str(answer)
    raise NotTriedError("the connection has every scope that the probe knows a method of")


@probe(
    "call.auth_type",
    "imconnector.* through a webhook",
    "403 WRONG_AUTH_TYPE",
    depends="Bitrix24AuthTypeError, which says to use an application",
    otherwise="The code decides, not the status.",
    auth=Auth.WEBHOOK,
)
def auth_type(trial: Trial) -> str:
    """Read the connectors, which only applications may."""
    return str(trial.ask("imconnector.list"))


@probe(
    "call.operating",
    "The operating time in a reply",
    "operating and operating_reset_at",
    "neither",
    depends="how long a call waits after OPERATION_TIME_LIMIT",
    otherwise="Without them (self-hosted portals) the wait is ten minutes at most.",
)
def operating(trial: Trial) -> str:
    """Look what a reply says of the method's running time."""
    time = as_object(trial.ask("profile").body.get("time"))
    found = [name for name in ("operating", "operating_reset_at") if name in time]
    return " and ".join(found) or "neither"


@probe(
    "call.text_suffix",
    'Error texts end with "(internal error)"',
    "no",
    "yes",
    depends="nothing: no text is ever compared",
    otherwise="Nothing changes.",
)
def text_suffix(trial: Trial) -> str:
    """Look at the text of a refusal."""
    return "yes" if trial.ask(GET).description.endswith("(internal error)") else "no"

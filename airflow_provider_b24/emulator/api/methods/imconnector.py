"""The imconnector.* methods: an application's connectors, and what they send.

They are for OAuth applications; the server refuses webhooks before it looks at parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.api.arguments import (
    deep_keys,
    missing,
    require_filled,
    require_set,
    wrong_type,
)
from airflow_provider_b24.emulator.api.call import Call, Unwrapped
from airflow_provider_b24.emulator.api.registry import method
from airflow_provider_b24.emulator.php import array, is_array, pairs, to_int, truthy, upper_keys
from airflow_provider_b24.emulator.php.api_error import ApiError
from airflow_provider_b24.emulator.state.open_lines.connectors import Connector
from airflow_provider_b24.emulator.state.open_lines.intake import Intake
from airflow_provider_b24.emulator.state.open_lines.lines import LIVECHAT

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.open_lines.lines import Line

SCOPE = "imopenlines"

OPTIONS = (
    "ICON",
    "ICON_DISABLED",
    "PLACEMENT_HANDLER",
    "DEL_EXTERNAL_MESSAGES",
    "EDIT_INTERNAL_MESSAGES",
    "DEL_INTERNAL_MESSAGES",
    "NEWSLETTER",
    "NEED_SYSTEM_MESSAGES",
    "NEED_SIGNATURE",
    "COMMENT",
)
SHOWN = ("ID", "URL", "URL_IM", "NAME")


@method("imconnector.register", scope=SCOPE, application_only=True)
def register(call: Call) -> object:
    """Register a connector, or change the application's own."""
    params = deep_keys(call.params, upper=True)
    problem = _registration_problem(params)
    if problem is None and not call.portal.lines.connectors.register(_connector(call, params)):
        problem = "APPLICATION_REGISTRATION_ERROR"
    return {"result": True} if problem is None else _failure(call, problem)


def _connector(call: Call, params: dict[str, Any]) -> Connector:
    return Connector(
        id=params["ID"].lower(),
        name=params["NAME"],
        client_id=str(call.client_id),
        chat_group=_chat_group(call, params),
        options={name: params[name] for name in OPTIONS if name in params},
    )


def _chat_group(call: Call, params: dict[str, Any]) -> bool:
    if "CHAT_GROUP" in params:
        return truthy(params["CHAT_GROUP"]) and params["CHAT_GROUP"] != "N"
    known = call.portal.lines.connectors.get(params["ID"].lower())
    return known is not None and known.chat_group


def _registration_problem(params: dict[str, Any]) -> str | None:
    icon = params.get("ICON")
    if "." in str(params.get("ID", "")):
        return "APPLICATION_REGISTRATION_ERROR_POINT"
    wanted = (
        (params.get("ID"), "CONNECTOR_ID_REQUIRED"),
        (params.get("NAME"), "NAME_REQUIRED"),
        (icon.get("DATA_IMAGE") if isinstance(icon, dict) else None, "ICON_REQUIRED"),
        (params.get("PLACEMENT_HANDLER"), "NO_PLACEMENT_HANDLER"),
    )
    return next((code for value, code in wanted if not (isinstance(value, str) and truthy(value))), None)


def _failure(call: Call, code: str) -> object:
    text = call.portal.say(f"connector.{code}")
    body = {"result": False, "error": code, "error_description": text}
    return body if call.portal.quirks.nested_register_errors else Unwrapped(body)


@method("imconnector.unregister", scope=SCOPE, application_only=True)
def unregister(call: Call) -> object:
    """Remove the application's connector and switch it off everywhere."""
    connector = str(upper_keys(call.params).get("ID") or "").lower()
    if connector and call.portal.lines.connectors.unregister(connector, str(call.client_id)):
        return {"result": True}
    return _failure(call, "APPLICATION_UNREGISTRATION_ERROR")


@method("imconnector.list", scope=SCOPE, application_only=True)
def connectors(call: Call) -> object:
    """Return the names of all connectors by id."""
    if not call.user.admin:
        raise ApiError("ACCESS_DENIED", call.portal.say("access.denied"))
    return {LIVECHAT: "Live chat"} | {item.id: item.name for item in call.portal.lines.connectors}


@method("imconnector.activate", scope=SCOPE, application_only=True)
def activate(call: Call) -> object:
    """Switch a connector on for a line, or off; as in PHP, "N" is not empty and switches it on."""
    params = upper_keys(call.params)
    require_set(params, "CONNECTOR", "LINE", "ACTIVE")
    connector, line = str(params["CONNECTOR"]), to_int(params["LINE"])
    documented_off = call.portal.quirks.documented_active_flag and params["ACTIVE"] == "N"
    if truthy(params["ACTIVE"]) and not documented_off:
        call.portal.lines.connectors.activate(connector, line)
    else:
        call.portal.lines.connectors.deactivate(connector, line)
    return True


@method("imconnector.status", scope=SCOPE, application_only=True)
def status(call: Call) -> object:
    """Say whether a connector works on a line."""
    params = upper_keys(call.params)
    require_set(params, "CONNECTOR")
    connector, line = str(params["CONNECTOR"]), to_int(params.get("LINE"))
    found = call.portal.lines.connectors.status(connector, line)
    return {
        "LINE": line,
        "CONNECTOR": connector,
        "ERROR": found.error,
        "CONFIGURED": found.active,
        "STATUS": found.active and not found.error,
    }


@method("imconnector.connector.data.set", scope=SCOPE, application_only=True)
def set_data(call: Call) -> object:
    """Keep what the line's widget shows; new values join the old, empty ones change nothing."""
    params = upper_keys(call.params)
    require_set(params, "CONNECTOR", "LINE", "DATA")
    if not isinstance(params["DATA"], dict):
        raise wrong_type("DATA", "array")
    given = upper_keys(params["DATA"])
    filled = {name.lower(): given[name] for name in SHOWN if truthy(given.get(name))}
    call.portal.lines.connectors.set_data(str(params["CONNECTOR"]), to_int(params["LINE"]), filled)
    return True


@method("imconnector.send.messages", scope=SCOPE, application_only=True)
def send_messages(call: Call) -> object:
    """Take messages in; each has its own success or errors."""
    return _take(call, "message")


@method("imconnector.update.messages", scope=SCOPE, application_only=True)
def update_messages(call: Call) -> object:
    """Change messages that were sent before; an unknown one is a success too."""
    return _take(call, "message_update")


@method("imconnector.delete.messages", scope=SCOPE, application_only=True)
def delete_messages(call: Call) -> object:
    """Delete messages that were sent before; an unknown one is a success too."""
    return _take(call, "message_del")


def _take(call: Call, kind: str) -> object:
    params, rows = _messages(call)
    for _, row in rows:
        _check_structure(row, kind)
    connector, line = _connector_of(call, params), _active_line(call, params)
    intake = Intake(call.portal, connector, line)
    results = {key: intake.take(dict(row), kind=kind) for key, row in rows}
    return {"SUCCESS": True, "DATA": {"RESULT": array(results)}}


def _messages(call: Call) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    params = upper_keys(call.params)
    require_set(params, "CONNECTOR", "LINE", "MESSAGES")
    if not is_array(params["MESSAGES"]):
        raise wrong_type("MESSAGES", "array")
    return params, pairs(deep_keys(params["MESSAGES"], upper=False))


def _check_structure(row: object, kind: str) -> None:
    if not is_array(row):
        text = "The MESSAGES parameter must be an array of messages (arrays)"
        raise ApiError("ERROR_ARGUMENT", text, extra={"argument": ""})
    parts = row if isinstance(row, dict) else {}
    if kind == "message" and any(parts.get(part) is None for part in ("user", "message", "chat")):
        text = "The incorrect structure of a message inside MESSAGES parameter."
        raise ApiError("ERROR_ARGUMENT", text, extra={"argument": ""})


def _connector_of(call: Call, params: dict[str, Any]) -> Connector:
    found = call.portal.lines.connectors.get(str(params["CONNECTOR"]))
    if found is None:
        raise ApiError("IMCONNECTOR_NO_CORRECT_PROVIDER", call.portal.say("line.no_provider"))
    return found


def _active_line(call: Call, params: dict[str, Any]) -> Line:
    line = call.portal.lines.get(to_int(params["LINE"]))
    if line is None or not call.portal.lines.delivers(str(params["CONNECTOR"]), line.id):
        raise ApiError("NOT_ACTIVE_LINE", call.portal.say("line.inactive"))
    return line


@method("imconnector.send.status.delivery", scope=SCOPE, application_only=True)
def delivery_status(call: Call) -> object:
    """Store the outside ids under which the operators' messages arrived."""
    params, rows = _messages(call)
    _connector_of(call, params)
    for _, row in rows:
        _note_delivery(call, row if isinstance(row, dict) else {})
    return {"SUCCESS": True, "DATA": []}


def _note_delivery(call: Call, row: dict[str, Any]) -> None:
    inside, outside = row.get("im"), row.get("message")
    if isinstance(inside, dict) and isinstance(outside, dict):
        message = call.portal.chats.message(to_int(inside.get("message_id")))
        if message is not None:
            message.params["CONNECTOR_MID"] = [str(item) for _, item in pairs(outside.get("id"))]


@method("imconnector.send.status.reading", scope=SCOPE, application_only=True)
def reading_status(call: Call) -> object:
    """Acknowledge that messages were read; the real server keeps nothing of it either."""
    params, _ = _messages(call)
    _connector_of(call, params)
    return {"SUCCESS": True, "DATA": []}


@method("imconnector.set.error", scope=SCOPE, application_only=True)
def set_error(call: Call) -> object:
    """Flag a connector as broken on a line; nothing gets through until it is activated again."""
    params = upper_keys(call.params)
    require_set(params, "CONNECTOR", "LINE")
    _connector_of(call, params)
    call.portal.lines.connectors.status(str(params["CONNECTOR"]), to_int(params["LINE"])).error = True
    return {"SUCCESS": True, "DATA": []}


@method("imconnector.chat.name.set", scope=SCOPE, application_only=True)
def set_chat_name(call: Call) -> object:
    """Rename a conversation by the outside ids of its chat and its person."""
    params = upper_keys(call.params)
    require_filled(params, "CONNECTOR", "LINE", "CHAT_ID", "NAME")
    known = call.portal.lines.connectors.get(str(params["CONNECTOR"]))
    grouped = known is not None and known.chat_group
    if not grouped and not truthy(params.get("USER_ID")):
        raise missing("USER_ID")
    connector, line = _connector_of(call, params), _active_line(call, params)
    user = None if grouped else str(params["USER_ID"])
    conversation = call.portal.lines.find(connector.id, line.id, str(params["CHAT_ID"]), user)
    if conversation is None:
        raise ApiError("CHAT_RENAMING_FAILED", call.portal.say("line.rename_failed"))
    conversation.chat.title = str(params["NAME"])
    return {"SUCCESS": True, "DATA": {"RESULT": {}}}

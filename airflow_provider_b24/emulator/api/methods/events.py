"""events, event.bind, event.unbind, event.get: an application's subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_b24.emulator.api.applications import auth_connector, denied, require_application
from airflow_provider_b24.emulator.api.arguments import missing
from airflow_provider_b24.emulator.api.registry import method
from airflow_provider_b24.emulator.php import is_array, to_int, truthy, upper_keys
from airflow_provider_b24.emulator.php.api_error import ApiError
from airflow_provider_b24.emulator.state.events.handlers import EVENTS, NOT_OFFLINE, Handler, known_events

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.call import Call


@method("events")
def events(call: Call) -> object:
    """Return the names of the events that the application may subscribe to."""
    require_application(call)
    params = upper_keys(call.params)
    if params.get("SCOPE"):
        scopes = {str(params["SCOPE"])}
    elif truthy(params.get("FULL")):
        scopes = set(EVENTS)
    else:
        scopes = {*call.credential.scopes, ""}
    return known_events(scopes)


@method("event.bind")
def bind(call: Call) -> object:
    """Subscribe to an event, with an address or offline."""
    require_application(call)
    params = upper_keys(call.params)
    handler = _handler(call, params, user_id=_bound_user(call, params), verb="binding")
    if handler.event not in known_events({*call.credential.scopes, ""}):
        raise ApiError("ERROR_EVENT_NOT_FOUND", "Event not found")
    if handler.offline and handler.event == NOT_OFFLINE:
        raise ApiError("ERROR_ARGUMENT", "Offline event cannot be registered for this event.")
    _check_url(handler.url)
    if not call.portal.events.handlers.add(handler):
        raise ApiError("ERROR_CORE", "Unable to set event handler: Handler already binded")
    return True


@method("event.unbind")
def unbind(call: Call) -> object:
    """End subscriptions, and return how many there were."""
    require_application(call)
    params = upper_keys(call.params)
    wanted = _handler(call, params, user_id=0, verb="unbinding")
    own = None if call.user.admin else call.user.id
    if not wanted.offline and "AUTH_TYPE" in params:
        own = to_int(params["AUTH_TYPE"])
        if not call.user.admin and own != call.user.id:
            raise denied("Event unbinding with AUTH_TYPE requires administrator access rights")
    found = [
        handler
        for handler in call.portal.events.handlers
        if (handler.client_id, handler.event, handler.url) == (wanted.client_id, wanted.event, wanted.url)
        and (not wanted.offline or handler.connector_id == wanted.connector_id)
        and (wanted.offline or own is None or handler.user_id == own)
    ]
    for handler in found:
        call.portal.events.handlers.remove(handler)
    return {"count": len(found)}


@method("event.get")
def get(call: Call) -> object:
    """Return the application's subscriptions; a user without administrator rights sees their own."""
    require_application(call)
    return [
        _row(handler)
        for handler in call.portal.events.handlers
        if handler.client_id == call.client_id and (call.user.admin or handler.user_id == call.user.id)
    ]


def _row(handler: Handler) -> dict[str, Any]:
    if handler.offline:
        return {"event": handler.event, "connector_id": handler.connector_id, "offline": 1}
    return {"event": handler.event, "handler": handler.url, "auth_type": str(handler.user_id), "offline": 0}


def _bound_user(call: Call, params: dict[str, Any]) -> int:
    """Return the user in whose name the handler is called; 0 is whoever causes the event."""
    wanted = to_int(params.get("AUTH_TYPE"))
    if call.user.admin:
        return wanted
    if wanted > 0 and wanted != call.user.id:
        raise denied("Event binding with AUTH_TYPE requires administrator access rights")
    return call.user.id


def _handler(call: Call, params: dict[str, Any], *, user_id: int, verb: str) -> Handler:
    kind = str(params.get("EVENT_TYPE") or "online").lower()
    name, url = str(params.get("EVENT") or "").upper(), str(params.get("HANDLER") or "")
    if not name:
        raise missing("EVENT")
    if kind not in {"online", "offline"}:
        text = "Value must be one of {online|offline}"
        raise ApiError("ERROR_ARGUMENT", text, extra={"argument": "EVENT_TYPE"})
    connector = auth_connector(call)
    if kind == "offline":
        if not call.user.admin:
            raise denied(f"Offline events {verb} requires administrator access rights")
        return Handler(str(call.client_id), name, connector_id=connector)
    if not url:
        raise missing("HANDLER")
    return Handler(str(call.client_id), name, url, user_id, connector, _options(params.get("OPTIONS")))


def _options(options: Any) -> dict[str, int]:
    given = options if is_array(options) and isinstance(options, dict) else {}
    return {"minTimeout": to_int(given["minTimeout"])} if "minTimeout" in given else {}


def _check_url(url: str) -> None:
    if not url:
        return
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise ApiError("ERROR_UNSUPPORTED_PROTOCOL", "Unsupported handler protocol")
    if "." not in (parts.hostname or ""):
        raise ApiError("ERROR_WRONG_HANDLER_URL", "Wrong handler URL")

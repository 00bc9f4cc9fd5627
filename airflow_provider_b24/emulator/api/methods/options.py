"""app.option.* and user.option.*: settings that an application keeps on the portal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.api.registry import method
from airflow_provider_b24.emulator.php import pairs, truthy
from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.call import Call


@method("app.option.get")
def app_option(call: Call) -> object:
    """Return the application's settings, or one of them; null if there is none of this name."""
    return _get(call, 0)


@method("app.option.set")
def set_app_option(call: Call) -> object:
    """Keep settings for the application; only an administrator may."""
    client_id = _application(call)
    if not call.user.admin:
        raise ApiError("AccessException", "Administrator authorization required")
    return _set(call, client_id, 0)


@method("user.option.get")
def user_option(call: Call) -> object:
    """Return the settings of the application's user, or one of them."""
    return _get(call, call.user.id)


@method("user.option.set")
def set_user_option(call: Call) -> object:
    """Keep settings for the application's user."""
    return _set(call, _application(call), call.user.id)


def _application(call: Call) -> str:
    if call.client_id is None:
        raise ApiError("AccessException", "Application context required")
    return call.client_id


def _get(call: Call, owner: int) -> object:
    known = call.portal.options.all(_application(call), owner)
    name = call.params.get("option")
    return known.get(str(name)) if truthy(name) else (known or [])


def _set(call: Call, client_id: str, owner: int) -> object:
    given: dict[str, Any] = dict(pairs(call.params.get("options")))
    if not given:
        raise ApiError("ArgumentNullException", "options is empty")
    call.portal.options.set(given, client_id, owner)
    return True

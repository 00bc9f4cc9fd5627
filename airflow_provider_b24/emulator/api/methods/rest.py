"""What the REST module says of itself: methods, scopes, the application, the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.api.registry import METHODS, find, method
from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.call import Call


@method("scope")
def scope(call: Call) -> object:
    """Return the caller's scopes, or with ``full`` all that there are."""
    if php.truthy(php.upper_keys(call.params).get("FULL")):
        return sorted({entry.scope for entry in METHODS.values() if entry.scope})
    return sorted(call.credential.scopes)


@method("methods")
def methods(call: Call) -> object:
    """Return the names of the methods that the caller may use."""
    params = php.upper_keys(call.params)
    if params.get("SCOPE"):
        scopes = {str(params["SCOPE"])}
    elif php.truthy(params.get("FULL")):
        scopes = {entry.scope for entry in METHODS.values()}
    else:
        scopes = {*call.credential.scopes, ""}
    # Methods of newer controllers are no part of the list, on real portals either.
    return [entry.name for entry in METHODS.values() if entry.scope in scopes and not entry.engine]


@method("method.get")
def method_get(call: Call) -> object:
    """Say whether a method exists, and whether the caller may use it."""
    found = find(str(call.params.get("name") or ""))
    return {
        "isExisting": found is not None,
        "isAvailable": found is not None and found.scope in {*call.credential.scopes, ""},
    }


@method("server.time")
def server_time(call: Call) -> object:
    """Return the portal's time."""
    return php.iso(call.portal.clock())


@method("app.info")
def app_info(call: Call) -> object:
    """Return the application, or what a webhook may know."""
    if not call.by_application:
        return {"SCOPE": sorted(call.credential.scopes), "LICENSE": "en_demo"}
    return {
        "ID": "15",
        "CODE": call.client_id,
        "VERSION": 1,
        "STATUS": "L",
        "INSTALLED": True,
        "PAYMENT_EXPIRED": "N",
        "DAYS": None,
        "LANGUAGE_ID": call.portal.quirks.language,
        "LICENSE": "en_demo",
        "LICENSE_TYPE": "demo",
        "LICENSE_FAMILY": "demo",
    }


@method("feature.get")
def feature_get(call: Call) -> object:
    """Say whether the portal's plan has a feature."""
    code = php.upper_keys(call.params).get("CODE")
    if not code:
        raise ApiError("CODE_EMPTY", "CODE can't be empty")
    quirks = call.portal.quirks
    included = {
        "rest_offline_extended": quirks.offline_extended,
        "rest_auth_connector": quirks.auth_connector,
    }
    return {"value": "Y" if included.get(str(code)) else "N"}

"""The authorisation server, which refreshes tokens."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.http.http_reply import Reply, from_body
from airflow_provider_b24.emulator.state.credentials import MEMBER_ID

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.portal import Portal


def token(portal: Portal, params: dict[str, Any]) -> Reply:
    """Answer ``/oauth/token/``."""
    with portal.lock:
        return _refusal(portal, params) or from_body(_pair(portal))


def _refusal(portal: Portal, params: dict[str, Any]) -> Reply | None:
    application = portal.credentials.application
    client_id, secret = str(params.get("client_id", "")), str(params.get("client_secret", ""))
    refresh_token = params.get("refresh_token")
    if params.get("grant_type") != "refresh_token":
        return _error("invalid_request", "Unsupported grant_type")
    if not client_id.startswith(("local.", "app.")):
        # An id that cannot be an application's: the one refusal that comes with HTTP 200.
        return _error("wrong_client", None, status=200)
    if client_id != application.client_id or not secrets.compare_digest(
        secret.encode(), application.client_secret.encode()
    ):
        return _error("invalid_client", None)
    if not refresh_token:
        return _error("invalid_request", 'No "refresh_token" parameter found')
    if not portal.credentials.use_refresh_token(str(refresh_token)):
        return _error("invalid_grant", None)
    return None


def _error(code: str, description: str | None, *, status: int = 400) -> Reply:
    body = {"error": code}
    if description is not None:
        body["error_description"] = description
    return from_body(body, status=status)


def _pair(portal: Portal) -> dict[str, Any]:
    application = portal.credentials.issue()
    return {
        "access_token": application.access_token,
        "expires": int(portal.credentials.token_expires(application.access_token)),
        "expires_in": int(application.lifetime),
        "scope": ",".join(sorted(application.scopes)),
        "domain": "oauth.bitrix.info",
        # Its own, so that a client that refreshes where it is told to never leaves this machine.
        "server_endpoint": f"{portal.url}/rest/",
        "status": "L",
        "client_endpoint": f"{portal.url}/rest/",
        "member_id": MEMBER_ID,
        "user_id": application.user_id,
        "refresh_token": application.refresh_token,
    }

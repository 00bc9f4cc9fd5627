"""The authorisation server, which gives tokens for a code and refreshes them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.http.http_reply import Reply, from_body
from airflow_provider_b24.emulator.state.credentials import MEMBER_ID

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.portal import Portal

#: Each grant, and the parameter in which it comes.
_GRANTS = {"refresh_token": "refresh_token", "authorization_code": "code"}


def token(portal: Portal, params: dict[str, Any]) -> Reply:
    """Answer ``/oauth/token/``."""
    with portal.lock:
        return _refusal(portal, params) or _grant(portal, params)


def _refusal(portal: Portal, params: dict[str, Any]) -> Reply | None:
    application = portal.credentials.application
    client_id, secret = str(params.get("client_id", "")), str(params.get("client_secret", ""))
    if params.get("grant_type") not in _GRANTS:
        return _error("invalid_request", "Unsupported grant_type")
    if not client_id.startswith(("local.", "app.")):
        # An id that cannot be an application's: the one refusal that comes with HTTP 200.
        return _error("wrong_client", None, status=200)
    if client_id != application.client_id or not secrets.compare_digest(
        secret.encode(), application.client_secret.encode()
    ):
        return _error("invalid_client", None)
    return None


def _grant(portal: Portal, params: dict[str, Any]) -> Reply:
    grant = str(params["grant_type"])
    given = params.get(_GRANTS[grant])
    if not given:
        return _error("invalid_request", f'No "{_GRANTS[grant]}" parameter found')
    credentials = portal.credentials
    use = credentials.use_code if grant == "authorization_code" else credentials.use_refresh_token
    user_id = use(str(given))
    if user_id is None:
        return _error("invalid_grant", None)
    # The documented reply to a code lacks ``expires`` and ``user_id``; the official SDK needs them.
    return from_body(_pair(portal, user_id))


def _error(code: str, description: str | None, *, status: int = 400) -> Reply:
    body = {"error": code}
    if description is not None:
        body["error_description"] = description
    return from_body(body, status=status)


def _pair(portal: Portal, user_id: int) -> dict[str, Any]:
    application = portal.credentials.issue(user_id)
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

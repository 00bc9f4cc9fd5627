"""Clients of the emulated portal that never sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_b24.rest.auth import OAuthCredentials, WebhookCredentials, lock_name
from airflow_provider_b24.rest.client import Bitrix24Client
from airflow_provider_b24.rest.oauth_server import Application
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.state_files import state_file
from airflow_provider_b24.rest.token_store import MemoryTokenStore, TokenPair
from airflow_provider_b24.rest.transport import RequestsTransport, TransportOptions

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.rest.auth import Credentials


def client_of(portal: Emulator, *, auth: str = "webhook", timeout: float = 5.0) -> Bitrix24Client:
    """Return a client that acts as the current user of the webhook or of the application."""
    transport = RequestsTransport(TransportOptions(timeout=(5.0, timeout)))
    credentials: Credentials
    if auth == "webhook":
        webhook = portal.portal.credentials.webhook
        credentials = WebhookCredentials(
            portal=portal.url, user_id=str(webhook.user_id), code=Secret(webhook.code)
        )
    else:
        credentials = _application(portal, transport)
    return Bitrix24Client(
        credentials=credentials, transport=transport, conn_id="the_connection", sleep=lambda _: None
    )


def _application(portal: Emulator, transport: RequestsTransport) -> OAuthCredentials:
    application = portal.application
    return OAuthCredentials(
        portal=portal.url,
        application=Application(
            application.client_id, Secret(application.client_secret), application.oauth_server
        ),
        start=TokenPair.from_connection(
            access_token=application.access_token, refresh_token=application.refresh_token
        ),
        store=MemoryTokenStore(),
        transport=transport,
        conn_id="the_connection",
        sleep=lambda _: None,
    )


def lock_file_of(portal: Emulator, conn_id: str) -> Path:
    """Return the file whose lock an application's refresh takes."""
    return state_file(
        "oauth", lock_name(conn_id=conn_id, portal=portal.url, client_id=portal.application.client_id)
    )

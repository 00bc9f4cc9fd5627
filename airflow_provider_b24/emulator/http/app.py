"""The web application: the REST door, and beside it the control API and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette

from airflow_provider_b24.emulator.http import control
from airflow_provider_b24.emulator.http.rest_app import RestApp
from airflow_provider_b24.emulator.page import routes as page

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from airflow_provider_b24.emulator.emulator import Emulator


def application(emulator: Emulator) -> ASGIApp:
    """Return the ASGI application of an emulator."""
    rest = RestApp(emulator.dispatcher, emulator.connections.drop)
    site = Starlette(routes=[*control.routes(emulator), *page.routes(emulator)])

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        # REST calls are thousands, so they skip the router.
        path = scope["path"]
        chosen = rest if path.startswith(("/rest/", "/oauth/token")) else site
        await chosen(scope, receive, send)

    return serve

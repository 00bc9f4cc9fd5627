"""The web application: the REST API, the control API and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette

from airflow_provider_b24.emulator.http.control import ControlApi
from airflow_provider_b24.emulator.http.rest_app import RestApp
from airflow_provider_b24.emulator.page import routes as page

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from airflow_provider_b24.emulator.api.dispatch import Dispatcher
    from airflow_provider_b24.emulator.http.connections import Connections
    from airflow_provider_b24.emulator.state.world import World


def application(world: World, dispatcher: Dispatcher, connections: Connections) -> ASGIApp:
    """Return the ASGI application of a portal."""
    rest = RestApp(dispatcher, connections.drop)
    control = ControlApi(world, dispatcher.faults, dispatcher.journal)
    site = Starlette(routes=[*control.routes(), *page.routes(world.portal)])

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        # REST calls are thousands, so they skip the router.
        path = scope["path"]
        chosen = rest if path.startswith(("/rest/", "/oauth/token")) else site
        await chosen(scope, receive, send)

    return serve

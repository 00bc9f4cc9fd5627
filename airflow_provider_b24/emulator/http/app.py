"""The web application: the REST API, the control API and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse

from airflow_provider_b24.emulator.http.control import ControlApi
from airflow_provider_b24.emulator.http.loopback import has_foreign_origin, has_loopback_host
from airflow_provider_b24.emulator.http.rest_app import RestApp
from airflow_provider_b24.emulator.page import authorize
from airflow_provider_b24.emulator.page import routes as page

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from airflow_provider_b24.emulator.api.dispatch import Dispatcher
    from airflow_provider_b24.emulator.http.connections import Connections
    from airflow_provider_b24.emulator.state.world import World

#: Official SDKs call the OAuth server by its name, also when a test leads them here.
_OAUTH_SERVERS = frozenset({b"oauth.bitrix24.tech", b"oauth.bitrix.info"})
_MISDIRECTED = JSONResponse({"error": "the Host header is not a loopback address"}, 421)
_FOREIGN = JSONResponse({"error": "another site's page may not use this portal"}, 403)


def application(world: World, dispatcher: Dispatcher, connections: Connections) -> ASGIApp:
    """Return the ASGI application of a portal."""
    rest = RestApp(dispatcher, connections.drop)
    control = ControlApi(world, dispatcher.faults, dispatcher.journal)
    site = Starlette(routes=[*control.routes(), *authorize.routes(world.portal), *page.routes(world.portal)])

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        # REST calls are thousands, so they skip the router.
        is_rest = scope["path"].startswith(("/rest/", "/oauth/token"))
        if not has_loopback_host(scope) and not _names_oauth_server(scope):
            await _MISDIRECTED(scope, receive, send)
        elif is_rest:
            await rest(scope, receive, send)
        elif has_foreign_origin(scope):
            await _FOREIGN(scope, receive, send)
        else:
            await site(scope, receive, send)

    return serve


def _names_oauth_server(scope: Scope) -> bool:
    hosts = [value.partition(b":")[0].lower() for name, value in scope["headers"] if name == b"host"]
    is_token = str(scope["path"]).startswith("/oauth/token")
    return is_token and len(hosts) == 1 and hosts[0] in _OAUTH_SERVERS

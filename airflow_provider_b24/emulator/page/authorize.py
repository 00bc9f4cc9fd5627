"""The page on which a person allows the application, and from which the portal redirects with a code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from airflow_provider_b24.emulator.page.routes import HEADERS, is_foreign, static_file
from airflow_provider_b24.emulator.state.credentials import MEMBER_ID

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from airflow_provider_b24.emulator.state.portal import Portal

_SERVER = "oauth.bitrix.info"


class RefusedError(Exception):
    """Why the portal authorises nothing; the page shows it, and the application never hears of it."""


def routes(portal: Portal) -> list[Route]:
    """Return the routes of the first step of OAuth."""
    return [
        Route("/oauth/authorize/", _page(portal)),
        Route("/page/application", _application(portal)),
        Route("/page/allow", _allow(portal), methods=["POST"]),
    ]


def _page(portal: Portal) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        if not portal.credentials.application.authorize_at_once:
            return static_file("authorize.html")
        try:
            with portal.lock:
                _check(portal, request.query_params.get("client_id"))
                answer = _granted(portal, portal.people.employees()[0].id, request.query_params.get("state"))
        except RefusedError:
            # Without a click too, a person reads on the page why.
            return static_file("authorize.html")
        if "location" not in answer:
            return Response(f"Code: {answer['code']}", media_type="text/plain", headers=HEADERS)
        return RedirectResponse(answer["location"], 302, HEADERS)

    return page


def _application(portal: Portal) -> Callable[[Request], Awaitable[Response]]:
    """Say what the page asks the person: for which application, and with which permissions."""

    async def application(request: Request) -> Response:
        try:
            with portal.lock:
                _check(portal, request.query_params.get("client_id"))
                asking = portal.credentials.application
                users = [{"id": user.id, "name": user.full_name} for user in portal.people.employees()]
        except RefusedError as error:
            return JSONResponse({"problem": str(error)}, 400, HEADERS)
        shown = {"name": asking.name, "scopes": sorted(asking.scopes), "users": users}
        return JSONResponse(shown, headers=HEADERS)

    return application


def _allow(portal: Portal) -> Callable[[Request], Awaitable[Response]]:
    async def allow(request: Request) -> Response:
        if request.headers.get("content-type") != "application/json" or is_foreign(request):
            return JSONResponse({"problem": "Only this page may do that."}, 403, HEADERS)
        try:
            asked = await request.json()
            with portal.lock:
                _check(portal, asked.get("client_id"))
                answer = _granted(portal, _employee(portal, asked["user"]), asked.get("state"))
        except RefusedError as error:
            return JSONResponse({"problem": str(error)}, 400, HEADERS)
        except (ValueError, KeyError, TypeError, AttributeError):
            return JSONResponse({"problem": "The request is malformed."}, 400, HEADERS)
        return JSONResponse(answer, headers=HEADERS)

    return allow


def _check(portal: Portal, client_id: object) -> None:
    application = portal.credentials.application
    if client_id != application.client_id or not application.installed:
        raise RefusedError("The application is not installed on this portal.")


def _employee(portal: Portal, wanted: object) -> int:
    user = portal.people.get(int(str(wanted)))
    if user is None or user.external:
        raise RefusedError("You are not a user of this portal.")
    return user.id


def _granted(portal: Portal, user_id: int, state: str | None) -> dict[str, Any]:
    """Return where the browser goes with the code, or the code alone when it has nowhere to go."""
    application = portal.credentials.application
    code = portal.credentials.issue_code(user_id)
    if not application.redirect_uri:
        return {"code": code}
    answer = {
        "code": code,
        **({} if state is None else {"state": state}),
        "domain": urlsplit(portal.url).netloc,
        "member_id": MEMBER_ID,
        "scope": ",".join(sorted(application.scopes)),
        "server_domain": _SERVER,
    }
    separator = "&" if urlsplit(application.redirect_uri).query else "?"
    return {"location": f"{application.redirect_uri}{separator}{urlencode(answer)}"}

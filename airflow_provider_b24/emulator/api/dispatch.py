"""From a method's name and parameters to its reply, in the server's order of checks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import airflow_provider_b24.emulator.api.methods  # noqa: F401  (importing is what registers them)
from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.api.call import Call, InFlight, Page, RawBody, Unwrapped
from airflow_provider_b24.emulator.api.registry import Method, find
from airflow_provider_b24.emulator.php.api_error import ApiError
from airflow_provider_b24.emulator.state.faults import DURATION, HOLD

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.limits import Limits
    from airflow_provider_b24.emulator.state.credentials import Credential
    from airflow_provider_b24.emulator.state.faults import Fault, Faults
    from airflow_provider_b24.emulator.state.journal import Journal, Request
    from airflow_provider_b24.emulator.state.portal import Portal

# Parameters that the server removes before it runs a method.
RESERVED = ("auth", "access_token", "auth_connector", "aplogin", "ap", "state", "start")


@dataclass(slots=True)
class Login:
    """The credentials of a request: a webhook's path, or a token."""

    webhook: tuple[str, str] | None
    token: str | None
    secure: bool


@dataclass(slots=True)
class Begun:
    """A call that passed all checks and whose handler has run; an InFlight value is still to finish."""

    method: Method
    call: Call
    value: object
    began: float
    timer: float
    hold: Fault | None = None


class Dispatcher:
    """Runs methods, for HTTP requests and for the commands of a batch."""

    def __init__(self, portal: Portal, limits: Limits, faults: Faults, journal: Journal) -> None:
        self.portal = portal
        self.limits = limits
        self.faults = faults
        self.journal = journal

    def begin(self, name: str, login: Login, params: dict[str, Any], request: Request) -> Begun:
        """Check and start an HTTP request's method.

        :raises ApiError: the call is refused, before or by the method.
        """
        found = _existing(name, params)
        credential = self._authorise(login)
        request.auth = credential.kind
        return self.run(found, credential, params, request)

    def run(self, found: Method, credential: Credential, params: dict[str, Any], request: Request) -> Begun:
        """Check scope and limits, then run the handler.

        :raises ApiError: the call is refused.
        """
        if params.get("token") is not None:
            raise ApiError("ACCESS_DENIED", "Access denied! Link check failed", 403)
        self._check_scope(found, credential)
        self.limits.operating.check(credential.key, found.name)
        if found.application_only and credential.client_id is None:
            raise ApiError(
                "WRONG_AUTH_TYPE",
                "Current authorization type is denied for this method Application context required",
                403,
            )
        began, timer = self.portal.clock(), time.perf_counter()
        call = _call(self, found, credential, params, request)
        try:
            with self.portal.lock:
                value = found.handler(call)
        except ApiError as error:
            raise self._suffixed(found, error) from None
        begun = Begun(found, call, value, began, timer)
        if isinstance(value, InFlight):
            begun.hold = self.faults.fire(found.name, began, kinds=HOLD)
        return begun

    def finish(self, begun: Begun) -> dict[str, Any] | RawBody:
        """Take a call to its end and return the reply's body.

        :raises ApiError: the call is refused.
        """
        value = begun.value
        if isinstance(value, InFlight):
            with self.portal.lock:
                value = value.finish()
        if isinstance(value, Unwrapped):
            return value.body
        clock = self._time(begun)
        if isinstance(value, RawBody):
            return value
        if not isinstance(value, Page):
            return {"result": value, "time": clock}
        body: dict[str, Any] = {"result": value.items}
        if value.next is not None:
            body["next"] = value.next
        if value.total is not None:
            body["total"] = value.total
        body["time"] = clock
        return body

    def command(self, outer: Call, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """Run one command of a batch and return its whole body, be it a refusal."""
        self.journal.command(outer.request, name)
        try:
            begun = self.run(_existing(name, params), outer.credential, params, outer.request)
            body = self.finish(begun)
        except ApiError as error:
            return error.body()
        # The reply to a batch cannot carry a file.
        return {"result": None} if isinstance(body, RawBody) else body

    def _authorise(self, login: Login) -> Credential:
        credentials = self.portal.credentials
        if login.webhook is None:
            return credentials.by_token(login.token)
        if self.portal.quirks.https_required and not login.secure:
            raise ApiError("INVALID_REQUEST", "Https required.", 401)
        return credentials.by_webhook(*login.webhook)

    def _check_scope(self, found: Method, credential: Credential) -> None:
        if found.scope and found.scope not in credential.scopes:
            whose = "webhook" if credential.client_id is None else "access"
            raise ApiError(
                "insufficient_scope",
                f"The request requires higher privileges than provided by the {whose} token",
                self.portal.quirks.scope_status,
            )

    def _suffixed(self, found: Method, error: ApiError) -> ApiError:
        if not (found.engine and self.portal.quirks.internal_error_suffix):
            return error
        return ApiError(error.code, f"{error.description} (internal error)", error.status, error.extra)

    def _time(self, begun: Begun) -> dict[str, Any]:
        key, name = begun.call.credential.key, begun.method.name
        duration = time.perf_counter() - begun.timer
        fault = self.faults.fire(name, begun.began, kinds=DURATION)
        if fault is not None:
            duration = float(fault.details["seconds"])
        operating = self.limits.operating
        operating.record(key, name, duration)
        finish = begun.began + duration
        return {
            "start": php.number(begun.began),
            "finish": php.number(finish),
            "duration": php.number(duration),
            "processing": php.number(duration),
            "date_start": php.iso(begun.began),
            "date_finish": php.iso(finish),
            "operating_reset_at": operating.reset_at(key, name),
            "operating": php.number(operating.spent(key, name)),
        }


def _existing(name: str, params: dict[str, Any]) -> Method:
    found = find(name)
    if found is None or not _link_names(found, params.get("token")):
        raise ApiError("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)
    return found


def _link_names(found: Method, token: object) -> bool:
    """Whether the method is in the scope that ``token`` begins with.

    A parameter of this name makes the call a signed link, ``scope|query|signature``.
    """
    return not token or str(token).partition("|")[0] == found.scope


def _call(
    dispatcher: Dispatcher, found: Method, credential: Credential, params: dict[str, Any], request: Request
) -> Call:
    start = params.get("start")
    rest = {name: value for name, value in params.items() if name not in RESERVED}
    return Call(
        dispatcher.portal,
        credential.user,
        rest,
        None if start is None else php.to_int(start),
        credential,
        found.name,
        request,
        dispatcher.command,
        str(params.get("auth_connector") or ""),
    )

"""The REST API over HTTP: /rest/... and /oauth/token/."""

from __future__ import annotations

import asyncio
import time
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.api.dispatch import Login
from airflow_provider_b24.emulator.api.limits import query_error
from airflow_provider_b24.emulator.http import breakage, oauth
from airflow_provider_b24.emulator.http.http_reply import Reply, from_body, from_error
from airflow_provider_b24.emulator.php.api_error import ApiError
from airflow_provider_b24.emulator.state.journal import Request, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from airflow_provider_b24.emulator.api.dispatch import Begun, Dispatcher

OAUTH_PATH = "/oauth/token"
OAUTH_METHOD = "oauth.token"
HOLD_TICK = 0.005


class RestApp:
    """The ASGI application of the REST API."""

    def __init__(self, dispatcher: Dispatcher, drop: Callable[[tuple[str, int]], None]) -> None:
        self._dispatcher = dispatcher
        self._drop = drop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = await _body(receive)
        if body is None:
            return
        started, address = time.perf_counter(), scope["client"]
        incoming = _RestRequest(scope, body)
        request = self._dispatcher.journal.open(
            Request(
                self._dispatcher.portal.clock(),
                scope["method"],
                incoming.method,
                f"{address[0]}:{address[1]}",
            )
        )
        reply = await self._answer(incoming, request)
        request.status, request.error = reply.status, reply.error
        request.seconds = time.perf_counter() - started
        if reply.dropped:
            self._drop(address)
            # uvicorn must see the disconnect itself, or it sends a 500 into the closed socket.
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await _send(send, reply)

    async def _answer(self, incoming: _RestRequest, request: Request) -> Reply:
        dispatcher = self._dispatcher
        if not dispatcher.limits.bucket.admit(incoming.address):
            return from_error(query_error())
        fault = dispatcher.faults.fire(incoming.method, request.at)
        if fault is None:
            return await self._execute(incoming, request)
        request.fault = fault.kind
        if fault.kind == "slow":
            return await self._slowly(incoming, request, fault.details)
        reply = await self._execute(incoming, request) if breakage.executes(fault) else None
        return breakage.broken(fault, reply, incoming.path)

    async def _slowly(self, incoming: _RestRequest, request: Request, details: dict[str, Any]) -> Reply:
        if details["executed"]:
            reply = await self._execute(incoming, request)
            await asyncio.sleep(details["seconds"])
            return reply
        await asyncio.sleep(details["seconds"])
        return await self._execute(incoming, request)

    async def _execute(self, incoming: _RestRequest, request: Request) -> Reply:
        params = incoming.params()
        request.params = without_secrets(params)
        if incoming.method == OAUTH_METHOD:
            return oauth.token(self._dispatcher.portal, params)
        try:
            begun = self._dispatcher.begin(incoming.method, incoming.login(params), params, request)
            await self._hold(begun)
            return from_body(self._dispatcher.finish(begun))
        except ApiError as error:
            return from_error(error)

    async def _hold(self, begun: Begun) -> None:
        """Keep a call in flight while a ``hold`` fault says so."""
        if begun.hold is None:
            return
        details, faults = begun.hold.details, self._dispatcher.faults
        until = None if details["seconds"] is None else time.monotonic() + details["seconds"]
        while not faults.released and (until is None or time.monotonic() < until):
            await asyncio.sleep(HOLD_TICK)
        if details["abandon"]:
            raise ApiError("INTERNAL_SERVER_ERROR", "Internal server error", 500)


class _RestRequest:
    """An HTTP request, read as the portal reads it."""

    def __init__(self, scope: Scope, body: bytes) -> None:
        self._body = body
        self._query = scope["query_string"].decode("latin-1")
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._posted = scope["method"] == "POST"
        self._secure = scope["scheme"] == "https"
        self.address: str = scope["client"][0]
        self.path: str = scope["path"]
        self.webhook: tuple[str, str] | None = None
        self.method = self._read_path()

    def _read_path(self) -> str:
        if self.path.rstrip("/") == OAUTH_PATH:
            return OAUTH_METHOD
        # Like the real front server: the official JavaScript SDK calls /rest//method.
        steps = [step for step in self.path.removeprefix("/rest/").split("/") if step]
        if len(steps) >= 3:
            self.webhook = (steps[0], steps[1])
            steps = steps[2:]
        return "/".join(steps).removesuffix(".json")

    def params(self) -> dict[str, Any]:
        """Return the parameters: those of the body override those of the query."""
        return {**php.decode_query(self._query), **self._body_params()}

    def _body_params(self) -> dict[str, Any]:
        if not self._posted or not self._body:
            return {}
        kind = self._headers.get(b"content-type", b"").decode("latin-1")
        if kind.lower().startswith("application/json"):
            return php.decode_json(self._body)
        if kind.lower().startswith("multipart/form-data"):
            return _multipart(kind, self._body)
        return php.decode_query(self._body.decode("utf-8", "replace"))

    def login(self, params: dict[str, Any]) -> Login:
        """Return the credentials of the request; the header comes first."""
        scheme, _, token = self._headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token:
            token = str(params.get("auth") or params.get("access_token") or "")
        return Login(self.webhook, token.strip() or None, self._secure)


def _multipart(kind: str, body: bytes) -> dict[str, Any]:
    """Read the fields of a multipart form; no method here takes files."""
    message = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + kind.encode("latin-1") + b"\r\n\r\n" + body
    )
    fields = [
        (str(part.get_param("name", header="content-disposition")), part.get_payload(decode=True))
        for part in message.iter_parts()
        if part.get_filename() is None
    ]
    return php.decode_pairs(
        (name, content.decode("utf-8", "replace")) for name, content in fields if isinstance(content, bytes)
    )


async def _body(receive: Receive) -> bytes | None:
    """Return the whole body, or None if the client has disconnected."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _send(send: Send, reply: Reply) -> None:
    headers = [
        (b"content-type", reply.content_type.encode()),
        (b"content-length", str(len(reply.content)).encode()),
        (b"access-control-allow-origin", b"*"),
    ]
    headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.content})

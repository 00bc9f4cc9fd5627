"""A client for the emulator, a clock that a test moves, and a server that says what a test tells it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.rest.auth import OAuthCredentials, WebhookCredentials
from airflow_provider_b24.rest.client import Bitrix24Client
from airflow_provider_b24.rest.oauth_server import Application
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.token_store import MemoryTokenStore, TokenPair
from airflow_provider_b24.rest.transport import RequestsTransport
from tests.support.certificate import Certificate, make_certificate
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.rest.shared_state import SharedState


class Time:
    """Time that passes only by being slept through."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


class ScriptedServer:
    """A server on loopback that gives each connection the next reply of a script, byte by byte as written.

    A reply of None closes the connection without a word, once the whole request has been read.
    """

    def __init__(self, *replies: bytes | None, keep_alive: bool = False) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._replies = list(replies)
        self._keep_alive = keep_alive
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            # Closing alone would let a waiting accept take one more connection.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        while request := _read_request(connection):
            self.requests.append(request)
            reply = self._replies.pop(0) if self._replies else None
            if reply is None:
                return
            try:
                connection.sendall(reply)
            except OSError:
                return
            if not self._keep_alive:
                return


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < int(lengths[0].split(b":")[1] if lengths else 0):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def reply_bytes(
    body: bytes,
    *,
    status: str = "200 OK",
    content_type: str = "application/json",
    headers: str = "Connection: close\r\n",
) -> bytes:
    """Return an HTTP reply as it goes over the wire."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{headers}\r\n".encode() + body


def forked(work: Callable[[], object]) -> int:
    """Run work in a child and return the child's id; a child that hangs is ended by its own alarm."""
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        with contextlib.suppress(BaseException):
            work()
        os._exit(0)
    return child


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    servers: list[ScriptedServer] = []

    def start(*replies: bytes | None, **options: Any) -> ScriptedServer:
        servers.append(ScriptedServer(*replies, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def transport() -> Iterator[RequestsTransport]:
    transport = RequestsTransport()
    yield transport
    transport.close()


@pytest.fixture
def make_client(portal: Emulator, time: Time, transport: RequestsTransport) -> Callable[..., Bitrix24Client]:
    """Make a client of the emulator, as its webhook, whose pauses take no time."""

    def make(**options: Any) -> Bitrix24Client:
        webhook = WebhookCredentials(portal=portal.url, user_id="1", code=Secret(portal.webhook_code))
        given = {"credentials": webhook, "transport": transport, "clock": time, "sleep": time.sleep}
        return Bitrix24Client(**{"conn_id": "test_portal", **given, **options})

    return make


@pytest.fixture
def client(make_client: Callable[..., Bitrix24Client]) -> Bitrix24Client:
    return make_client()


@pytest.fixture
def store() -> MemoryTokenStore:
    return MemoryTokenStore()


@pytest.fixture
def make_credentials(
    portal: Emulator, store: MemoryTokenStore, transport: RequestsTransport, time: Time
) -> Callable[..., OAuthCredentials]:
    """Make the credentials of the emulator's application, with the tokens it has now."""
    application = portal.application
    start = TokenPair.from_connection(
        access_token=application.access_token, refresh_token=application.refresh_token
    )

    def make(**options: Any) -> OAuthCredentials:
        given = {
            "portal": portal.url,
            "application": Application(application.client_id, Secret(application.client_secret), portal.url),
            "start": start,
            "store": store,
            "transport": transport,
            "conn_id": "test_app",
            "clock": time,
            "wall_clock": time,
            "sleep": time.sleep,
        }
        return OAuthCredentials(**{**given, **options})

    return make


@pytest.fixture
def make_app(
    make_client: Callable[..., Bitrix24Client], make_credentials: Callable[..., OAuthCredentials]
) -> Callable[..., Bitrix24Client]:
    def make(**options: Any) -> Bitrix24Client:
        return make_client(credentials=make_credentials(**options))

    return make


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1 that no client trusts by default."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A running Redis that a test may stop and start."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["files", "redis"])
def make_state(request: pytest.FixtureRequest) -> Callable[[], SharedState]:
    """Return the state as a further process gets it: once with files, once with a real Redis."""
    from airflow_provider_b24.rest.file_state import FileState
    from airflow_provider_b24.rest.redis_state import RedisState

    if request.param == "files":
        return FileState
    url = Secret(request.getfixturevalue("redis_server").url)
    return lambda: RedisState(url)


@pytest.fixture
def state(make_state: Callable[[], SharedState]) -> SharedState:
    return make_state()

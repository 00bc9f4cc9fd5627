"""A call ends at its timeout, whatever the server or a proxy does, and receives no more than it may."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import Outcome
from airflow_provider_b24.rest import transport as transport_module
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.transport import (
    HttpReply,
    HttpRequest,
    NoReply,
    RequestsTransport,
    TransportOptions,
)

from .conftest import reply_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_b24.emulator import Emulator
    from tests.support.certificate import Certificate

NOT_EXECUTED, UNKNOWN = Outcome.NOT_EXECUTED, Outcome.UNKNOWN
TIMEOUT = 0.25
#: How much later a busy machine may notice.
SLACK = 1.5
BODY = b'{"ID":1}'
OK = reply_bytes(b'{"result":true}')
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

TOO_LARGE = "the reply is larger than 32 MB"
BROKEN = "the connection broke before the reply was complete"


class Dripping:
    """A server that says to each connection what a test tells it, piece by piece, with pauses."""

    def __init__(self, talk: Any, *, pause: float = 0.03, context: ssl.SSLContext | None = None) -> None:
        self._talk = talk
        self._pause = pause
        self._context = context
        self._closed = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._closed.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                connection.settimeout(5)
                with contextlib.suppress(OSError), connection:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True)
        with connection:
            for piece in self._talk(connection):
                connection.sendall(piece)
                if self._closed.wait(self._pause):
                    return
            self._closed.wait(5)


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(BODY):
        data += connection.recv(65536) or BODY
    return data


def slowly(text: bytes) -> Iterator[bytes]:
    return (text[at : at + 1] for at in range(len(text)))


def after_the_request(pieces: Callable[[], Iterable[bytes]]) -> Any:
    def talk(connection: socket.socket) -> Iterator[bytes]:
        read_request(connection)
        yield from pieces()

    return talk


def for_ever(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


@pytest.fixture
def drip() -> Iterator[Callable[..., Dripping]]:
    servers: list[Dripping] = []

    def start(talk: Any, **options: Any) -> Dripping:
        servers.append(Dripping(talk, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def send(
    url: str, *, timeout: float = TIMEOUT, connect: float = 10.0, body: bytes = BODY, **options: Any
) -> tuple[HttpReply | NoReply, float]:
    transport = RequestsTransport(TransportOptions(timeout=(connect, timeout), **options))
    started = time.monotonic()
    try:
        reply = transport.send(HttpRequest(Secret(f"{url}/rest/1/secret/user.get"), body))
        return reply, time.monotonic() - started
    finally:
        transport.close()


REPLIES: dict[str, Any] = {
    "nothing": after_the_request(lambda: []),
    "status line": after_the_request(lambda: slowly(OK)),
    "headers": after_the_request(lambda: [b"HTTP/1.1 200 OK\r\n", *slowly(b"X-Long: " + b"y" * 1000)]),
    "more headers": after_the_request(lambda: [b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 90]),
    "interim replies": after_the_request(lambda: for_ever(b"HTTP/1.1 100 Continue\r\n\r\n")),
    "no body": after_the_request(lambda: [OK[:-15]]),
    "body": after_the_request(lambda: [OK[:-15], *slowly(OK[-15:] * 100)]),
    "chunks": after_the_request(lambda: [CHUNKED, *[b"1\r\nx\r\n"] * 1000]),
    "trailers": after_the_request(lambda: [CHUNKED + b"0\r\n", *[b"X: y\r\n"] * 1000]),
    "body without length": after_the_request(lambda: [b"HTTP/1.1 200 OK\r\n\r\n", *slowly(b"x" * 1000)]),
}


@pytest.mark.parametrize("talk", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_reply_that_drips_ends_at_the_timeout_with_its_outcome_unknown(
    drip: Callable[..., Dripping], certificate: Certificate, talk: Any, tls: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certfile, certificate.keyfile)
    server = drip(talk, context=context if tls else None)
    reply, seconds = send(server.url, verify=str(certificate.certfile))

    assert reply == NoReply(UNKNOWN, "no reply came in time")
    assert TIMEOUT * 0.9 <= seconds < TIMEOUT + SLACK


def test_a_slow_reply_within_the_timeout_is_returned(drip: Callable[..., Dripping]) -> None:
    server = drip(after_the_request(lambda: slowly(OK)), pause=0.002)

    assert send(server.url, timeout=20)[0] == HttpReply(200, b'{"result":true}', "application/json")


def test_each_call_has_a_timeout_of_its_own(portal: Emulator) -> None:
    transport = RequestsTransport(TransportOptions(timeout=(1.0, TIMEOUT)))
    request = HttpRequest(Secret(f"{portal.webhook_url}profile"), BODY)
    for _ in range(4):
        time.sleep(TIMEOUT / 2)
        assert isinstance(transport.send(request), HttpReply)
    transport.close()


def test_a_request_that_nobody_reads_ends_at_the_timeout(drip: Callable[..., Dripping]) -> None:
    server = drip(lambda connection: (connection.recv(1000) and b"" for _ in range(1000)))
    reply, seconds = send(server.url, body=b"x" * 50_000_000)

    assert reply == NoReply(UNKNOWN, "no reply came in time")
    assert seconds < TIMEOUT + SLACK


def test_a_tls_handshake_that_drips_executed_nothing(drip: Callable[..., Dripping]) -> None:
    server = drip(lambda connection: slowly(b"\x16\x03\x03\x3f\xff" + b"x" * 10_000))
    reply, seconds = send(server.url.replace("http:", "https:"))

    assert reply == NoReply(NOT_EXECUTED, "connecting timed out")
    assert seconds < TIMEOUT + SLACK


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 Connection established\r\nX-Long: " + b"y" * 1000, b"HTTP/1.1 200 OK\r\n\r\n"],
)
def test_a_proxy_that_drips_executed_nothing(drip: Callable[..., Dripping], said: bytes) -> None:
    def talk(connection: socket.socket) -> Iterator[bytes]:
        connection.recv(65536)
        return slowly(said)

    proxy = drip(talk)
    reply, seconds = send("https://portal.invalid", proxies={"https": proxy.url})

    assert reply == NoReply(NOT_EXECUTED, "connecting timed out")
    assert seconds < TIMEOUT + SLACK


def test_a_proxy_that_drips_a_reply_leaves_the_outcome_unknown(drip: Callable[..., Dripping]) -> None:
    proxy = drip(REPLIES["body"])
    reply, seconds = send("http://portal.invalid", proxies={"http": proxy.url})

    assert reply == NoReply(UNKNOWN, "no reply came in time")
    assert seconds < TIMEOUT + SLACK


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes no more connections: connecting to it takes for ever."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield full.getsockname()[1]


def test_all_addresses_of_a_host_together_end_at_the_timeout(
    silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", silent_port))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [address] * 8)
    reply, seconds = send(f"http://portal.invalid:{silent_port}")

    assert reply == NoReply(NOT_EXECUTED, "connecting timed out")
    assert seconds < TIMEOUT + SLACK


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    silent_port: int, portal: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(portal.url.rsplit(":", 1)[1])
    ports = [silent_port, port]
    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", number)) for number in ports]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: addresses)
    path = portal.webhook_url.removeprefix(portal.url)
    reply, _ = send(f"http://localhost:{port}{path}profile?", timeout=4.0)

    assert isinstance(reply, HttpReply)
    assert reply.status == 200


def test_a_host_without_addresses_executed_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [])

    assert send("http://portal.invalid")[0] == NoReply(NOT_EXECUTED, "the connection was refused")


def test_an_address_with_a_wrong_family_does_not_hide_the_next(portal: Emulator) -> None:
    assert isinstance(send(portal.webhook_url.replace("127.0.0.1", "localhost"))[0], HttpReply)


def test_an_ipv6_address_is_connected_to() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    with listening:
        reply, _ = send(f"http://[::1]:{listening.getsockname()[1]}")

    assert reply == NoReply(UNKNOWN, "no reply came in time")


@pytest.mark.parametrize(
    "pieces",
    [
        lambda: [CHUNKED, b"1;", *[b"x" * 65536] * 20],
        lambda: [CHUNKED + b"0\r\n", b"X: ", *[b"x" * 65536] * 20],
        lambda: for_ever(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    ],
    ids=["chunk extension", "trailer", "interim replies"],
)
def test_what_is_no_body_is_bounded_too(
    drip: Callable[..., Dripping], monkeypatch: pytest.MonkeyPatch, pieces: Any
) -> None:
    monkeypatch.setattr(transport_module, "_MAX_RECEIVED_BYTES", 500_000)
    server = drip(after_the_request(pieces), pause=0.0)
    reply, seconds = send(server.url, timeout=20)

    # urllib3 from some version on has a limit of its own for such lines.
    assert reply in {NoReply(UNKNOWN, TOO_LARGE, retryable=False), NoReply(UNKNOWN, BROKEN)}
    assert seconds < 10


@pytest.mark.parametrize("compression", ["br", "zstd", "gzip, gzip", "nonsense"])
def test_a_reply_that_could_unpack_to_anything_is_not_read(
    serve: Callable[..., Any], transport: RequestsTransport, compression: str
) -> None:
    server = serve(reply_bytes(b"x" * 1000, headers=f"Content-Encoding: {compression}\r\n"))
    reply = transport.send(HttpRequest(Secret(server.url), BODY))

    assert reply == NoReply(UNKNOWN, "the reply is compressed in an unknown way", retryable=False)
    assert b"\r\nAccept-Encoding: gzip, deflate\r\n" in server.requests[0]


def test_other_sessions_of_the_process_have_no_limits(portal: Emulator) -> None:
    import requests

    send(portal.webhook_url + "profile?")
    with requests.Session() as session:
        assert session.get(portal.webhook_url + "profile").status_code == 200
        assert "_Socket" not in str(type(session.get_adapter("http://")).__mro__)

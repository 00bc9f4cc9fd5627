"""One request over real sockets: what comes back, and what is certain when nothing does."""

from __future__ import annotations

import gzip
import os
import socket
from time import sleep
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.emulator import Emulator
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

from .conftest import forked, reply_bytes

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

NOT_EXECUTED, UNKNOWN = Outcome.NOT_EXECUTED, Outcome.UNKNOWN
OK = reply_bytes(b'{"result":true}')
KEPT = reply_bytes(b'{"result":true}', headers="")

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def request_to(url: str, **more: Any) -> HttpRequest:
    return HttpRequest(Secret(f"{url}/rest/1/secret/user.get"), b'{"ID":1}', **more)


@pytest.fixture
def make_transport() -> Iterator[Callable[..., RequestsTransport]]:
    made: list[RequestsTransport] = []

    def make(**options: Any) -> RequestsTransport:
        made.append(RequestsTransport(TransportOptions(**options)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def test_a_reply_is_returned_with_its_status_body_and_headers(
    transport: RequestsTransport, serve: Callable[..., Any]
) -> None:
    server = serve(
        reply_bytes(
            b"table",
            status="201 Created",
            content_type="text/x",
            headers="Content-Disposition: attachment\r\n",
        )
    )

    assert transport.send(request_to(server.url)) == HttpReply(
        201, b"table", content_type="text/x", disposition="attachment"
    )


def test_a_request_is_a_post_with_its_body_and_headers(
    transport: RequestsTransport, serve: Callable[..., Any]
) -> None:
    server = serve(OK)
    transport.send(request_to(server.url, headers={"Authorization": Secret("Bearer token-1")}))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")

    assert head.startswith(b"POST /rest/1/secret/user.get HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer token-1" in head
    assert b"\r\nContent-Type: application/json" in head
    assert b"\r\nContent-Length: 8" in head
    assert b"chunked" not in head.lower()
    assert body == b'{"ID":1}'


def test_a_compressed_reply_is_unpacked(transport: RequestsTransport, serve: Callable[..., Any]) -> None:
    server = serve(reply_bytes(gzip.compress(b'{"result":1}'), headers="Content-Encoding: gzip\r\n"))

    assert transport.send(request_to(server.url)) == HttpReply(200, b'{"result":1}', "application/json")


def test_a_refused_connection_executed_nothing(transport: RequestsTransport, closed_port: int) -> None:
    assert transport.send(request_to(f"http://127.0.0.1:{closed_port}")) == NoReply(
        NOT_EXECUTED, "the connection was refused"
    )


def test_an_unknown_host_executed_nothing(transport: RequestsTransport) -> None:
    assert transport.send(request_to("https://no-such-portal.invalid")) == NoReply(
        NOT_EXECUTED, "the host name is unknown"
    )


def test_a_connect_timeout_executed_nothing(
    make_transport: Callable[..., RequestsTransport],
) -> None:
    # A queue of one that is taken: the kernel leaves the next caller without an answer.
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        reply = make_transport(timeout=(0.05, 0.05)).send(
            request_to(f"http://127.0.0.1:{full.getsockname()[1]}")
        )

    assert reply == NoReply(NOT_EXECUTED, "connecting timed out")


def test_a_read_timeout_leaves_the_outcome_unknown(
    portal: Emulator, make_transport: Callable[..., RequestsTransport]
) -> None:
    portal.faults.add("slow", seconds=0.3)

    assert make_transport(timeout=(1.0, 0.03)).send(request_to(portal.url)) == NoReply(
        UNKNOWN, "no reply came in time"
    )


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_dropped_connection_leaves_the_outcome_unknown(
    portal: Emulator, transport: RequestsTransport, kind: str
) -> None:
    portal.faults.add(kind)

    assert transport.send(request_to(portal.url)) == NoReply(
        UNKNOWN, "the connection broke before the reply was complete"
    )


def test_a_reply_that_ends_early_leaves_the_outcome_unknown(
    transport: RequestsTransport, serve: Callable[..., Any]
) -> None:
    server = serve(OK[:-5])

    assert transport.send(request_to(server.url)) == NoReply(
        UNKNOWN, "the connection broke before the reply was complete"
    )


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200]
)
def test_a_malformed_http_reply_leaves_the_outcome_unknown(
    transport: RequestsTransport, serve: Callable[..., Any], garbage: bytes
) -> None:
    reply = transport.send(request_to(serve(garbage).url))

    assert isinstance(reply, NoReply)
    assert reply.outcome is UNKNOWN


def test_a_broken_compression_leaves_the_outcome_unknown(
    transport: RequestsTransport, serve: Callable[..., Any]
) -> None:
    server = serve(reply_bytes(b"not gzip", headers="Content-Encoding: gzip\r\n"))
    reply = transport.send(request_to(server.url))

    assert isinstance(reply, NoReply)
    assert reply.outcome is UNKNOWN


def test_an_untrusted_certificate_executed_nothing_and_stays_untrusted(
    transport: RequestsTransport, certificate: tuple[pathlib.Path, pathlib.Path]
) -> None:
    with Emulator(certfile=certificate[0], keyfile=certificate[1]) as portal:
        assert transport.send(request_to(portal.url)) == NoReply(
            NOT_EXECUTED, "the certificate is not trusted", retryable=False
        )
        assert portal.requests.count() == 0


def test_a_custom_ca_bundle_is_trusted(
    make_transport: Callable[..., RequestsTransport], certificate: tuple[pathlib.Path, pathlib.Path]
) -> None:
    with Emulator(certfile=certificate[0], keyfile=certificate[1]) as portal:
        assert isinstance(make_transport(verify=str(certificate[0])).send(request_to(portal.url)), HttpReply)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_verification_is_off_only_when_asked_for(
    make_transport: Callable[..., RequestsTransport], certificate: tuple[pathlib.Path, pathlib.Path]
) -> None:
    with Emulator(certfile=certificate[0], keyfile=certificate[1]) as portal:
        assert isinstance(make_transport(verify=False).send(request_to(portal.url)), HttpReply)


def test_tls_to_a_plain_http_port_executed_nothing(transport: RequestsTransport, portal: Emulator) -> None:
    reply = transport.send(request_to(portal.url.replace("http://", "https://")))

    assert isinstance(reply, NoReply)
    assert reply.outcome is NOT_EXECUTED


@pytest.mark.parametrize("url", ["http://", "ftp://example.com", "http://[broken", "http://a..b"])
def test_an_unusable_address_executed_nothing(transport: RequestsTransport, url: str) -> None:
    assert transport.send(request_to(url)) == NoReply(
        NOT_EXECUTED, "the address or a header is not usable", retryable=False
    )


@pytest.mark.parametrize("token", ["Bearer токен", "Bearer a\r\nX: b"])
def test_an_unusable_header_executed_nothing(
    transport: RequestsTransport, portal: Emulator, token: str
) -> None:
    reply = transport.send(request_to(portal.url, headers={"Authorization": Secret(token)}))

    assert reply == NoReply(NOT_EXECUTED, "the address or a header is not usable", retryable=False)
    assert portal.requests.count() == 0


def test_a_redirect_is_reported_and_not_followed(transport: RequestsTransport, portal: Emulator) -> None:
    with Emulator() as stranger:
        portal.faults.add("redirect", location=stranger.url)
        reply = transport.send(request_to(portal.url))

        assert isinstance(reply, HttpReply)
        assert (reply.status, reply.location) == (302, f"{stranger.url}/rest/1/secret/user.get")
        assert stranger.requests.count() == 0


def test_a_reply_that_is_too_large_is_not_read_to_the_end(
    portal: Emulator, transport: RequestsTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_module, "MAX_REPLY_BYTES", 200_000)
    portal.faults.add("oversize", bytes=8_000_000)

    assert transport.send(request_to(portal.url)) == NoReply(
        UNKNOWN, "the reply is larger than 32 MB", retryable=False
    )


def test_the_largest_reply_is_32_mb() -> None:
    assert transport_module.MAX_REPLY_BYTES == 32 * 1024 * 1024


def test_a_compressed_reply_above_the_size_limit_is_refused(
    transport: RequestsTransport, serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_module, "MAX_REPLY_BYTES", 200_000)
    server = serve(reply_bytes(gzip.compress(b" " * 5_000_000), headers="Content-Encoding: gzip\r\n"))

    assert isinstance(transport.send(request_to(server.url)), NoReply)


def test_one_connection_serves_many_requests(transport: RequestsTransport, serve: Callable[..., Any]) -> None:
    server = serve(KEPT, KEPT, KEPT, keep_alive=True)
    for _ in range(3):
        transport.send(request_to(server.url))

    assert server.connections == 1


def test_requests_in_a_row_each_have_their_own_address_headers_and_body(
    transport: RequestsTransport, serve: Callable[..., Any]
) -> None:
    server = serve(KEPT, KEPT, KEPT, KEPT, keep_alive=True)
    sent = [("a", "t1", b"{}"), ("a", "t1", b'{"ID":123}'), ("a", "t2", b"{}"), ("b", "t2", b"{}")]
    for method, token, body in sent:
        transport.send(HttpRequest(Secret(f"{server.url}/{method}"), body, {"Token": Secret(token)}))

    for (method, token, body), request in zip(sent, server.requests, strict=True):
        assert request.startswith(f"POST /{method} ".encode())
        assert f"\r\nToken: {token}\r\n".encode() in request
        assert f"\r\nContent-Length: {len(body)}\r\n".encode() in request
        assert request.endswith(b"\r\n\r\n" + body)


def test_an_idle_connection_is_not_used_again(
    transport: RequestsTransport, serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(KEPT, KEPT, keep_alive=True)
    transport.send(request_to(server.url))
    later = transport_module.time.monotonic() + 11
    monkeypatch.setattr(transport_module.time, "monotonic", lambda: later)
    transport.send(request_to(server.url))

    assert (server.connections, len(server.requests)) == (2, 2)


def test_a_connection_closed_by_the_server_is_replaced(
    transport: RequestsTransport, serve: Callable[..., Any]
) -> None:
    server = serve(KEPT, KEPT)
    first = transport.send(request_to(server.url))
    sleep(0.02)
    second = transport.send(request_to(server.url))

    assert (type(first), type(second)) == (HttpReply, HttpReply)
    assert server.connections == 2


def test_a_forked_child_does_not_use_its_parents_connection(
    transport: RequestsTransport, portal: Emulator
) -> None:
    transport.send(request_to(portal.url))
    os.waitpid(forked(lambda: transport.send(request_to(portal.url))), 0)
    transport.send(request_to(portal.url))
    first, second, third = (request.connection for request in portal.requests)

    assert first == third != second


def test_cookies_are_not_kept(transport: RequestsTransport, serve: Callable[..., Any]) -> None:
    server = serve(reply_bytes(b"{}", headers="Connection: close\r\nSet-Cookie: PHPSESSID=1; Path=/\r\n"), OK)
    for _ in range(2):
        transport.send(request_to(server.url))

    assert b"cookie" not in server.requests[1].lower()


def test_netrc_does_not_replace_the_token(
    transport: RequestsTransport,
    serve: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password other-secret")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server = serve(OK, OK)
    transport.send(request_to(server.url, headers={"Authorization": Secret("Bearer token-1")}))
    transport.send(request_to(server.url))

    assert b"Authorization: Bearer token-1" in server.requests[0]
    assert b"authorization" not in server.requests[1].lower()


def test_a_proxy_is_used(make_transport: Callable[..., RequestsTransport], serve: Callable[..., Any]) -> None:
    proxy = serve(OK)
    reply = make_transport(proxies={"http": proxy.url}).send(request_to("http://portal.invalid"))

    assert isinstance(reply, HttpReply)
    assert proxy.requests[0].startswith(b"POST http://portal.invalid/rest/1/secret/user.get ")


def test_an_unreachable_proxy_executed_nothing(
    make_transport: Callable[..., RequestsTransport], closed_port: int
) -> None:
    transport = make_transport(proxies={"https": f"http://user:pw@127.0.0.1:{closed_port}"})

    assert transport.send(request_to("https://portal.invalid")) == NoReply(
        NOT_EXECUTED, "the proxy refused the connection"
    )


def test_a_proxy_that_refuses_the_tunnel_executed_nothing(
    make_transport: Callable[..., RequestsTransport], serve: Callable[..., Any]
) -> None:
    proxy = serve(reply_bytes(b"", status="403 Forbidden"))

    assert make_transport(proxies={"https": proxy.url}).send(request_to("https://portal.invalid")) == NoReply(
        NOT_EXECUTED, "the proxy refused the connection"
    )


def test_closing_twice_or_before_the_first_request_does_no_harm(portal: Emulator) -> None:
    transport = RequestsTransport()
    transport.close()
    transport.send(request_to(portal.url))
    transport.close()
    transport.close()

    assert isinstance(transport.send(request_to(portal.url)), HttpReply)
    transport.close()


def test_options_and_requests_do_not_show_their_secrets() -> None:
    options = TransportOptions(proxies={"https": "http://user:proxy-password@proxy:3128"})
    request = request_to("https://acme.bitrix24.com", headers={"Authorization": Secret("Bearer token-1")})

    assert "proxy-password" not in repr(options)
    assert "secret" not in repr(request).lower().replace("secret(***)", "")
    assert "token-1" not in repr(request)

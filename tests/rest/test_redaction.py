"""Secrets appear in no text, no error, no traceback and no log, whatever goes wrong."""

from __future__ import annotations

import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import example, given

from airflow_provider_b24.exceptions import Bitrix24AuthError, Bitrix24Error
from airflow_provider_b24.rest.auth import OAuthCredentials, WebhookCredentials
from airflow_provider_b24.rest.limiter import BucketLimiter
from airflow_provider_b24.rest.oauth_server import Application
from airflow_provider_b24.rest.rate_limit import PLANS
from airflow_provider_b24.rest.redaction import (
    REGISTRY,
    Secret,
    SecretRegistry,
    guard_loggers,
)
from airflow_provider_b24.rest.token_store import MemoryTokenStore, TokenPair
from airflow_provider_b24.rest.transport import HttpReply, HttpRequest, RequestsTransport, TransportOptions
from tests.support.controls import FORBIDDEN, HOSTILE_TEXTS
from tests.support.frames import shown_by

from .conftest import reply_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.rest.client import Bitrix24Client

CANARIES = {
    "webhook code": "canary0webhook0code",
    "access token": "canary0access0token",
    "refresh token": "canary0refresh0token",
    "client secret": "canary0client0secret",
    "new access token": "canary0new0access",
    "new refresh token": "canary0new0refresh",
    "proxy password": "canary0proxy0password",
}
ALL = "canary0"

NEW_PAIR = b'{"access_token":"canary0new0access","refresh_token":"canary0new0refresh","expires_in":3600}'
RENEWED = reply_bytes(NEW_PAIR)
EXPIRED = reply_bytes(b'{"error":"expired_token"}', status="401 Unauthorized")
OK = reply_bytes(b'{"result":{"ID":"1"}}')
#: What a portal or a proxy that repeats the address and the headers might say.
ECHO = " ".join([*CANARIES.values(), "https://acme.example/rest/1/canary0webhook0code/user.get"])

#: What the server says to the calls, one after the other; None drops the connection.
SITUATIONS: dict[str, list[bytes | None]] = {
    "success": [OK],
    "refused": [reply_bytes(b'{"error":"ACCESS_DENIED","error_description":"no"}', status="403 Forbidden")],
    "refused with an echo": [
        reply_bytes(f'{{"error":"X","error_description":"{ECHO}"}}'.encode(), status="400 Bad Request")
    ],
    "an echo as code and argument": [
        reply_bytes(f'{{"error":"{ECHO}","argument":"{ECHO}"}}'.encode(), status="400 Bad Request")
    ],
    "an echo at the place where texts are cut": [
        reply_bytes(f'{{"error":"X","error_description":"{"x" * 290}{ECHO}"}}'.encode(), status="400 Bad")
    ],
    "dropped": [None] * 9,
    "page with an echo": [reply_bytes(f"<html>{ECHO}</html>".encode(), content_type="text/html")] * 9,
    "502 with an echo": [reply_bytes(f"<html>{ECHO}</html>".encode(), status="502 Bad Gateway")] * 9,
    "redirect with an echo": [
        reply_bytes(
            b"",
            status="302 Found",
            headers="Connection: close\r\nLocation: https://new.example/rest/1/canary0webhook0code/user.get\r\n",
        )
    ],
    "cut": [OK[:-4]] * 9,
    "no http": [f"{ECHO}\r\n\r\n".encode()] * 9,
    "a broken header with an echo": [reply_bytes(b"", headers=f"Connection: close\r\n{ECHO}\r\n")] * 9,
    "limit": [reply_bytes(b'{"error":"QUERY_LIMIT_EXCEEDED"}', status="503 Busy")] * 20,
    "expired, then refused refresh": [EXPIRED, reply_bytes(b'{"error":"invalid_grant"}', status="400 Bad")],
    "expired, then echoing refresh": [
        EXPIRED,
        reply_bytes(f'{{"error":"invalid_client","error_description":"{ECHO}"}}'.encode(), status="400 Bad"),
    ],
    "expired, then dropped refresh": [EXPIRED, None, None],
    "expired, then page": [EXPIRED, *[reply_bytes(f"<p>{ECHO}</p>".encode(), status="502 Bad Gateway")] * 2],
    "expired, then renewed": [EXPIRED, RENEWED, OK],
    "expired, then renewed, then refused with an echo": [
        EXPIRED,
        RENEWED,
        reply_bytes(f'{{"error":"X","error_description":"{ECHO}"}}'.encode(), status="400 Bad Request"),
    ],
}


class Everything(logging.Handler):
    """Keeps the text of every record of every logger, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{self.format(record)} {record.args!r} {record.msg!r}")


@pytest.fixture
def everything() -> Iterator[Everything]:
    handler = Everything()
    root = logging.getLogger()
    names = [
        "",
        *(name for name in logging.root.manager.loggerDict if name.startswith(("urllib3", "requests"))),
    ]
    before = {name: logging.getLogger(name).level for name in [*names, "airflow_provider_b24"]}
    root.addHandler(handler)
    for name in before:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(autouse=True)
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know no secret that another test has shown to this process."""
    monkeypatch.setattr(REGISTRY, "_values", ())


@pytest.fixture(params=["webhook", "application"])
def make_portal(
    request: pytest.FixtureRequest, make_client: Callable[..., Bitrix24Client], transport: RequestsTransport
) -> Callable[[str], Bitrix24Client]:
    """Make a client whose every secret is a canary."""

    def make(url: str) -> Bitrix24Client:
        REGISTRY.add(Secret(CANARIES["proxy password"]))
        if request.param == "webhook":
            webhook = WebhookCredentials(portal=url, user_id="1", code=Secret(CANARIES["webhook code"]))
            # The others are no secrets of this connection, but they are in the echo.
            REGISTRY.add(*map(Secret, CANARIES.values()))
            return make_client(credentials=webhook)
        REGISTRY.add(Secret(CANARIES["webhook code"]))
        application = OAuthCredentials(
            portal=url,
            application=Application("local.1.2", Secret(CANARIES["client secret"]), url),
            start=TokenPair.from_connection(
                access_token=CANARIES["access token"], refresh_token=CANARIES["refresh token"]
            ),
            store=MemoryTokenStore(),
            transport=transport,
            conn_id="test_app",
            sleep=lambda seconds: None,
        )
        return make_client(credentials=application)

    return make


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("way", ["call", "unsafe call", "call_batch", "iterate"])
def test_no_secret_is_shown_whatever_happens(
    make_portal: Callable[[str], Bitrix24Client],
    serve: Callable[..., Any],
    everything: Everything,
    situation: str,
    way: str,
) -> None:
    server = serve(*SITUATIONS[situation])
    client = make_portal(server.url)
    if RENEWED not in SITUATIONS[situation]:
        # An echo of tokens that the server never gave out shows nothing of this connection.
        REGISTRY.add(Secret(CANARIES["new access token"]), Secret(CANARIES["new refresh token"]))
    ways: dict[str, Callable[[], Any]] = {
        "call": lambda: client.call("user.get"),
        "unsafe call": lambda: client.call("im.message.add", {"MESSAGE": "x"}),
        "call_batch": lambda: client.call_batch({"a": "user.get", "b": "im.message.add"}),
        "iterate": lambda: list(client.iterate("user.get")),
    }
    texts: list[str] = []
    try:
        texts.append(repr(ways[way]()))
    except Exception as error:  # noqa: BLE001
        texts += shown_by(error)

    assert server.requests
    assert everything.texts
    leaks = [text for text in [*texts, *everything.texts, repr(client), repr(vars(client))] if ALL in text]
    assert leaks == []


def test_no_secret_is_shown_when_the_connection_is_refused(
    make_portal: Callable[[str], Bitrix24Client], serve: Callable[..., Any], everything: Everything
) -> None:
    server = serve()
    server.close()
    with pytest.raises(Exception, match="connection was refused") as caught:
        make_portal(server.url).call("user.get")

    assert [text for text in [*shown_by(caught.value), *everything.texts] if ALL in text] == []


def test_no_secret_is_shown_when_the_proxy_is_down(
    make_client: Callable[..., Bitrix24Client], serve: Callable[..., Any], everything: Everything
) -> None:
    server = serve()
    server.close()
    proxy = server.url.replace("http://", f"http://user:{CANARIES['proxy password']}@")
    transport = RequestsTransport(TransportOptions(proxies={"https": proxy}))
    code = Secret(CANARIES["webhook code"])
    webhook = WebhookCredentials(portal="https://portal.invalid", user_id="1", code=code)
    with pytest.raises(Exception, match="proxy") as caught:
        make_client(credentials=webhook, transport=transport).call("user.get")

    assert [text for text in [*shown_by(caught.value), *everything.texts] if ALL in text] == []


def test_state_files_hold_no_secret(
    make_portal: Callable[[str], Bitrix24Client], serve: Callable[..., Any], state_directory: Any
) -> None:
    server = serve(EXPIRED, reply_bytes(NEW_PAIR), OK)
    BucketLimiter(portal=server.url, plan=PLANS["standard"]).wait()  # type: ignore[arg-type]
    with contextlib.suppress(Bitrix24AuthError):
        make_portal(server.url).call("user.get")

    for path in state_directory.iterdir():
        assert ALL.encode() not in path.read_bytes()
        assert ALL not in path.name


def test_an_unguarded_logger_is_detected_as_a_leak(serve: Callable[..., Any], everything: Everything) -> None:
    """Without the filter urllib3 logs the address with the code in it."""
    server = serve(OK)
    loggers = [logging.getLogger(f"urllib3.{name}") for name in ("connectionpool", "connection")]
    for logger in loggers:
        logger.removeFilter(REGISTRY)
    try:
        import requests

        with requests.Session() as session:
            session.post(f"{server.url}/rest/1/canary0unguarded/user.get")
    finally:
        guard_loggers()

    assert any("canary0unguarded" in text for text in everything.texts)


# The parts


def test_str_and_repr_of_a_secret_are_redacted() -> None:
    secret = Secret("canary0value")

    assert f"{secret} {secret!r} {[secret]} {secret!s}" == "Secret(***) Secret(***) [Secret(***)] Secret(***)"
    assert secret.reveal() == "canary0value"
    assert not hasattr(secret, "__dict__")


def test_requests_and_replies_show_neither_body_nor_location() -> None:
    request = HttpRequest(Secret("canary0url"), b"canary0body", {"Authorization": Secret("canary0token")})
    reply = HttpReply(302, b"canary0body", location="https://a.example/rest/1/canary0code/")

    assert ALL not in f"{request!r} {reply!r}"


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")


@pytest.mark.parametrize("value", ["canary/with+odd=signs", "canary with spaces", "канарейка"])
def test_redact_finds_a_percent_encoded_secret(value: str) -> None:
    registry = SecretRegistry()
    registry.add(Secret(value))

    assert registry.redact(f"x {value} y {quote(value, safe='')} z") == "x *** y *** z"


def test_redact_replaces_the_longer_of_two_nested_secrets() -> None:
    registry = SecretRegistry()
    registry.add(Secret("inner"), Secret("inner-and-outer"))

    assert registry.redact("inner-and-outer inner") == "*** ***"


def test_short_and_empty_values_are_not_redacted() -> None:
    registry = SecretRegistry()
    registry.add(Secret("1"), Secret(""), None, Secret("abcd"))

    assert registry.redact("1 abcd") == "1 abcd"


def test_a_text_is_redacted_before_it_is_truncated() -> None:
    registry = SecretRegistry()
    registry.add(Secret("canary0value"))
    shown_text = registry.redact_and_truncate("x" * 295 + "canary0value")

    assert shown_text == "x" * 295 + "***"
    assert len(registry.redact_and_truncate("x" * 1000)) == 300


def test_a_record_without_a_secret_keeps_its_arguments() -> None:
    registry = SecretRegistry()
    registry.add(Secret("canary0value"))
    plain = logging.LogRecord("x", 10, "f", 1, "%s and %d", ("a", 1), None)
    leaking = logging.LogRecord("x", 10, "f", 1, "at %s", ("canary0value",), None)

    assert registry.filter(plain)
    assert registry.filter(leaking)
    assert (plain.args, plain.getMessage()) == (("a", 1), "a and 1")
    assert (leaking.args, leaking.getMessage()) == (None, "at ***")


def test_every_logger_of_urllib3_is_guarded() -> None:
    import pkgutil

    import urllib3

    guard_loggers()
    modules = {module.name for module in pkgutil.walk_packages(urllib3.__path__, "urllib3.")}
    loggers = [
        logging.getLogger(name)
        for name, logger in logging.root.manager.loggerDict.items()
        if name in modules and isinstance(logger, logging.Logger)
    ]

    assert loggers
    assert [logger.name for logger in loggers if REGISTRY not in logger.filters] == []


def test_protect_adds_secrets_to_airflows_masker(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.common.compat import sdk

    from airflow_provider_b24.rest.redaction import protect

    masked: list[str] = []
    monkeypatch.setattr(sdk, "mask_secret", masked.append)
    protect(Secret("canary0value"), None, Secret("1"))

    assert masked == ["canary0value"]


# Control characters of a text from outside


@given(HOSTILE_TEXTS)
@example("canary0\x00value")
@example("canary0\x1b[0mvalue")
@example("canary0\u202evalue")
def test_a_text_from_outside_has_no_control_character_and_no_secret(text: str) -> None:
    registry = SecretRegistry()
    registry.add(Secret("canary0value"))
    shown_text = registry.redact_and_truncate(text)

    assert not FORBIDDEN.search(shown_text)
    assert "canary0value" not in shown_text
    assert len(shown_text) <= 300
    shown_text.encode()


HOSTILE = "a\x1b[31mred\r\n2026-01-01 INFO forged\x00\x9b2J\u2028\u202egnp.exe"
HOSTILE_JSON = json.dumps(HOSTILE)
HOSTILE_REPLIES = {
    "error": reply_bytes(
        f'{{"error":{HOSTILE_JSON},"error_description":{HOSTILE_JSON},"argument":{HOSTILE_JSON}}}'.encode(),
        status="400 Bad Request",
    ),
    "error of a server": reply_bytes(
        f'{{"error":{HOSTILE_JSON},"error_description":{HOSTILE_JSON}}}'.encode(), status="500 Broken"
    ),
    "error with status 200": reply_bytes(f'{{"error":{HOSTILE_JSON}}}'.encode()),
    "limit": reply_bytes(
        f'{{"error":"QUERY_LIMIT_EXCEEDED","error_description":{HOSTILE_JSON}}}'.encode(), status="503 Busy"
    ),
    "batch": reply_bytes(
        f'{{"result":{{"result":[],"result_error":{{"c0":{{"error":{HOSTILE_JSON},'
        f'"error_description":{HOSTILE_JSON}}},"c1":{HOSTILE_JSON}}}}}}}'.encode()
    ),
    "redirect": reply_bytes(
        b"",
        status="302 Found",
        headers="Connection: close\r\nLocation: https://a\x1b[31mred\x9b2J.example/\r\n",
    ),
    "wrong result": reply_bytes(f'{{"result":{HOSTILE_JSON}}}'.encode()),
}


@pytest.mark.parametrize("reply", HOSTILE_REPLIES.values(), ids=HOSTILE_REPLIES)
@pytest.mark.parametrize("way", ["call", "unsafe call", "call_batch", "iterate"])
def test_no_control_character_reaches_an_error_or_a_log(
    make_portal: Callable[[str], Bitrix24Client],
    serve: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    reply: bytes,
    way: str,
) -> None:
    caplog.set_level(logging.DEBUG, logger="airflow_provider_b24")
    client = make_portal(serve(*[reply] * 30).url)
    ways: dict[str, Callable[[], Any]] = {
        "call": lambda: client.call("user.get"),
        "unsafe call": lambda: client.call_for_id("im.message.add", {"MESSAGE": "x"}),
        "call_batch": lambda: client.call_batch({"a": "user.get", "b": "im.message.add"}).raise_for_errors(),
        "iterate": lambda: list(client.iterate("user.get")),
    }
    texts = []
    try:
        ways[way]()
    except Bitrix24Error as error:
        texts = [str(error), *map(str, vars(error).values())]
    texts += [record.getMessage() for record in caplog.records if record.name.startswith("airflow_provider")]

    assert texts
    assert [text for text in texts if FORBIDDEN.search(text)] == []


def test_a_refused_refresh_has_no_control_character(
    make_client: Callable[..., Bitrix24Client], serve: Callable[..., Any], transport: RequestsTransport
) -> None:
    server = serve(*[HOSTILE_REPLIES["error"]] * 9)
    application = OAuthCredentials(
        portal=server.url,
        application=Application("local.1.2", Secret("canary0client"), server.url),
        start=TokenPair.from_connection(access_token="", refresh_token="canary0refresh"),
        store=MemoryTokenStore(),
        transport=transport,
        conn_id="test_app",
        sleep=lambda seconds: None,
    )
    with pytest.raises(Bitrix24Error) as caught:
        make_client(credentials=application).call("profile")

    assert not FORBIDDEN.search(str(caught.value))

"""No variable of a traceback's frames holds a secret: Sentry and rich show them all."""

from __future__ import annotations

import io
import json
import linecache
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError, Bitrix24Error
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.operators.chats import Bitrix24SendMessageOperator
from tests.rest.conftest import ScriptedServer, reply_bytes
from tests.support.frames import shown_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from airflow_provider_b24.emulator import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("impatient", "airflow_database")]

CONN = "bitrix24_canary"
CANARY = "canary0"
CODE = "canary0webhook0code"
URL = f"https://acme.bitrix24.com/rest/1/{CODE}/"


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bitrix24Hook]:
    """Set the connection up and return its hook."""

    def connect(**fields: Any) -> Bitrix24Hook:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_CANARY", json.dumps({"conn_type": "bitrix24", **fields}))
        return Bitrix24Hook(CONN)

    return connect


def secrets_of(portal: Emulator) -> set[str]:
    tokens = portal.application
    given = {portal.webhook_code, tokens.client_secret, tokens.access_token, tokens.refresh_token}
    return given | {quote(secret, safe="") for secret in given}


def assert_hidden(error: BaseException, *secrets: str) -> None:
    texts = shown_by(error)
    assert texts
    assert [text for text in texts for secret in secrets if secret in text] == []


# Configuration errors

TOKENS = {"refresh_token": "canary0refresh0token", "access_token": "canary0access0token"}
APPLICATION = {"host": "acme.bitrix24.com", "login": "local.1a.2b", "password": "canary0client0secret"}
WEBHOOK = {"host": "acme.bitrix24.com", "login": "1", "password": CODE}
UNUSABLE: dict[str, dict[str, Any]] = {
    "URL in the host": {"host": URL},
    "URL in the host and the password": {"host": URL, "password": URL},
    "another portal": {"host": "other.bitrix24.com", "password": URL},
    "another user": {"login": "2", "password": URL},
    "URL without a method's path": {"password": f"https://acme.bitrix24.com/{CODE}/"},
    "URL with a user": {"password": f"https://user:{CODE}@acme.bitrix24.com/rest/1/{CODE}/"},
    "URL with a space": {"password": f"{URL} x"},
    "plain http": {"password": URL.replace("https", "http")},
    "port that is no number": {"password": f"https://acme:{CODE}/rest/1/{CODE}/"},
    "code with a slash": {**WEBHOOK, "password": f"{CODE}/"},
    "no host": {"login": "1", "password": CODE},
    "no login": {"host": "acme.bitrix24.com", "password": CODE},
    "URL as login": {**WEBHOOK, "login": URL},
    "host with a path": {**WEBHOOK, "host": f"acme.bitrix24.com/{CODE}"},
    "plan": {**WEBHOOK, "extra": {"plan": "none", **TOKENS}},
    "timeout": {**APPLICATION, "extra": {"timeout": "soon", **TOKENS}},
    "verify": {"password": URL, "extra": {"verify": "/nowhere/ca.pem", **TOKENS}},
    "proxies": {**APPLICATION, "extra": {"proxies": ["http://user:canary0proxy@proxy"], **TOKENS}},
    "proxies as broken JSON": {**WEBHOOK, "extra": {"proxies": '{"https": "http://u:canary0proxy@proxy"'}},
    "OAuth server": {**APPLICATION, "extra": {"oauth_server": "http://canary0.example", **TOKENS}},
    "OAuth server with a user": {**APPLICATION, "extra": {"oauth_server": "https://u:canary0@x", **TOKENS}},
    "no token": {**APPLICATION, "extra": {"secret": "canary0other"}},
    "extra that is a list": {**WEBHOOK, "extra": '["canary0other"]'},
}


@pytest.mark.parametrize("fields", UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize("use", ["settings", "client", "call", "operator"])
def test_a_configuration_error_shows_no_field(
    connect: Callable[..., Bitrix24Hook], fields: dict[str, Any], use: str
) -> None:
    if fields is UNUSABLE["no token"] and use in {"settings", "client"}:
        # Its tokens may be in the Variable, so that only a call finds out.
        use = "call"
    hook = connect(**fields)
    operator = Bitrix24SendMessageOperator(task_id="t", message="Hi", chat_id=1, bitrix24_conn_id=CONN)
    uses: dict[str, Callable[[], Any]] = {
        "settings": lambda: hook.settings,
        "client": lambda: hook.client,
        "call": lambda: hook.call("profile"),
        "operator": lambda: operator.execute({}),  # type: ignore[typeddict-item]
    }

    with pytest.raises(Bitrix24ConfigurationError) as caught:
        uses[use]()

    assert_hidden(caught.value, CANARY)


# A task's timeout, or any other exception of a signal handler, in the middle of a call


@contextmanager
def interrupted(seconds: float) -> Iterator[None]:
    """Raise what Airflow raises at a task's timeout, from a signal handler as Airflow does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise AirflowTaskTimeout("Timeout")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


CALLS: dict[str, Callable[[Bitrix24Hook], Any]] = {
    "call": lambda hook: hook.call("user.get", {"ID": 1}),
    "call_batch": lambda hook: hook.call_batch({"a": "profile", "b": ("im.message.add", {"MESSAGE": "x"})}),
    "many requests": lambda hook: hook.call_batch(dict.fromkeys(range(120), "profile")),
    "iterate": lambda hook: list(hook.iterate("user.get")),
    "send": lambda hook: hook.polls.send(chat_id=1489, question="Q?", answers=["Yes", "No"]),
    "get_many": lambda hook: hook.polls.get_many([1, 2]),
    "message": lambda hook: hook.chats.send(message="Hi", chat_id=1489),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("auth", ["webhook", "oauth"])
def test_a_timeout_while_a_reply_is_waited_for_shows_no_secret(
    portal: Emulator, connect: Callable[..., Bitrix24Hook], auth: str, call: Callable[[Bitrix24Hook], Any]
) -> None:
    hook = connect(**portal.connection(auth))
    call(hook)
    portal.faults.add("slow", times=None, seconds=2.0)

    with pytest.raises(AirflowTaskTimeout) as caught, interrupted(0.3):
        call(hook)

    assert_hidden(caught.value, *secrets_of(portal))
    assert "Raised in" in " ".join(caught.value.__notes__)


def test_a_timeout_during_a_refresh_shows_no_token(
    portal: Emulator, connect: Callable[..., Bitrix24Hook]
) -> None:
    secrets = secrets_of(portal)
    portal.expire_access_token()
    portal.faults.add("slow", method="oauth.token", times=None, seconds=8.0)
    hook = connect(**portal.connection("oauth"))

    # Long after the call has reached the OAuth server, also on a busy machine.
    with pytest.raises(AirflowTaskTimeout) as caught, interrupted(3.0):
        hook.call("profile")

    assert portal.requests.count("oauth.token") == 1
    assert_hidden(caught.value, *secrets | secrets_of(portal))


@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"]
)
def test_a_timeout_in_the_middle_of_a_reply_shows_no_secret(
    connect: Callable[..., Bitrix24Hook], reply: bytes
) -> None:
    server = HalfServer(reply)
    hook = connect(host=server.url, login="1", password=CODE)

    with pytest.raises(AirflowTaskTimeout) as caught, interrupted(0.3):
        hook.call("profile")
    server.close()

    assert_hidden(caught.value, CANARY)


class HalfServer(ScriptedServer):
    """Sends half a reply and keeps the connection open."""

    def _converse(self, connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(self._replies[0])
        while connection.recv(65536):
            pass


#: Where frames may hold secrets; the trace leaves the database and the like out, which only take time.
TRACED = ("airflow_provider_b24", "requests", "urllib3", "airflow/sdk", "http/client.py", "functools.py")


class _Line:
    """Raises at the n-th line that is executed while it traces, wherever that is."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.place = ""

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not any(part in frame.f_code.co_filename for part in TRACED):
            return None
        if event == "line":
            self.left -= 1
            # Python handles no signal between a lock and its block, so a lock is always released.
            if self.left <= 0 and not _is_with(frame):
                sys.settrace(None)
                self.place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                raise AirflowTaskTimeout("Timeout")
        return self


def _is_with(frame: FrameType) -> bool:
    text = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    return text.lstrip().startswith(("with ", "async with "))


@contextmanager
def traced(line: _Line) -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(line)
    try:
        yield
    finally:
        sys.settrace(before)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("kind", "samples"), [("webhook", 100), ("refresh", 40)])
def test_an_interruption_at_any_line_shows_no_secret(
    portal: Emulator, connect: Callable[..., Bitrix24Hook], kind: str, samples: int
) -> None:
    """The lines that are tried are spread over all that a call runs."""
    fields: dict[str, Any] = {"password": portal.webhook_url}

    def call(line: _Line) -> None:
        if kind == "refresh":
            portal.expire_access_token()
            fields.update(portal.connection("oauth"))
        fields["extra"] = {**fields.get("extra", {}), "plan": "self_hosted"}
        hook = connect(**fields)
        secrets.update(secrets_of(portal))
        with traced(line):
            hook.chats.send(message="Hi", chat_id=1489)

    secrets: set[str] = set()
    whole = _Line(1_000_000_000)
    call(whole)
    lines = 1_000_000_000 - whole.left
    assert lines > samples
    for number in range(1, lines + 1, lines // samples):
        line = _Line(number)
        try:
            call(line)
        except AirflowTaskTimeout as error:
            secrets |= secrets_of(portal)
            leaks = [text for text in shown_by(error) for secret in secrets if secret in text]
            assert leaks == [], line.place
        except Bitrix24Error as error:
            # The interruption hit while an error was made of another one.
            assert_hidden(error, *secrets)


# A portal that repeats the code in its reply

ECHO = f"{URL} {CODE}"
REPLIES: dict[str, bytes] = {
    name: reply_bytes(json.dumps(body).encode())
    for name, body in {
        "text": {"result": ECHO},
        "list": {"result": [ECHO]},
        "object": {"result": {ECHO: ECHO}},
        "poll": {"result": {"attach": {"id": ECHO, "QUESTIONS": {ECHO: ECHO}}}},
        "no poll": {"result": {"attach": ECHO}},
        "list of polls": {"result": {"items": [{"entityId": 7, "attach": ECHO}]}},
        "sent": {"result": {"messageId": ECHO, "voteId": ECHO}},
        "batch": {"result": {"result": {"c0": ECHO}, "result_error": {"c1": {"error": ECHO}}}},
        "batch of text": {"result": {"result": ECHO, "result_error": ECHO}},
        "error": {"error": ECHO, "error_description": ECHO, "argument": ECHO},
        "nested error": {"error": {"code": ECHO, "message": ECHO}},
        "page": {"result": [], "total": ECHO, "next": ECHO, "time": ECHO},
    }.items()
} | {
    "html": reply_bytes(f"<html>{ECHO}</html>".encode(), content_type="text/html"),
    "502": reply_bytes(ECHO.encode(), status="502 Bad Gateway"),
    "redirect": reply_bytes(b"", status="302 Found", headers=f"Connection: close\r\nLocation: {URL}\r\n"),
}
ALL_CALLS: dict[str, Callable[[Bitrix24Hook], Any]] = {
    **CALLS,
    "one of a batch": lambda hook: _raise_first(
        hook.call_batch({"a": "profile", "b": "scope"}).errors.values()
    ),
    "get": lambda hook: hook.polls.get(7),
    "vote": lambda hook: hook.polls.vote(7, answers="Yes"),
    "recall": lambda hook: hook.polls.recall(7),
    "stop": lambda hook: hook.polls.stop(7),
    "voters": lambda hook: hook.polls.voters(7),
    "download": lambda hook: hook.polls.report(7),
    "one of many": lambda hook: _raise_first(hook.polls.get_many([7, 8])),
    "members": lambda hook: hook.chats.members(7),
    "find": lambda hook: hook.chats.find("Team"),
    "push": lambda hook: hook.open_lines.send(connector="shop", line=1, messages=[MESSAGE]),
    "crm": lambda hook: hook.open_lines.send_to_crm_chat(
        entity_type="deal", entity_id=1, user_id=1, message="Hi"
    ),
    "operator": lambda hook: Bitrix24SendMessageOperator(
        task_id="t", message="Hi", chat_id=1, bitrix24_conn_id=CONN
    ).execute({}),  # type: ignore[typeddict-item]
}
OAUTH_CALLS = {name: ALL_CALLS[name] for name in ("call", "call_batch", "message", "get", "push", "members")}
MESSAGE = {"user": {"id": "u"}, "message": {"id": "m", "text": "Hi"}, "chat": {"id": "c"}}


def _raise_first(results: Iterable[Any]) -> None:
    for result in results:
        if isinstance(result, Exception):
            raise result


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("auth", ["webhook", "oauth"])
def test_a_portal_that_repeats_the_code_leaves_it_in_no_frame(
    connect: Callable[..., Bitrix24Hook], auth: str, reply: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    failures = 0
    for call in (ALL_CALLS if auth == "webhook" else OAUTH_CALLS).values():
        server = ScriptedServer(*[reply] * 300)
        fields: dict[str, Any] = {"host": server.url, "login": "1", "password": CODE}
        if auth == "oauth":
            extra = {"oauth_server": server.url, "access_token": CODE, "refresh_token": "canary0refresh"}
            fields |= {"login": "local.1a.2b", "password": "canary0client", "extra": extra}
        try:
            call(connect(**fields))
        except Bitrix24Error as error:
            failures += 1
            assert_hidden(error, CANARY)
        finally:
            server.close()

    assert failures


# What tools make of it


def test_rich_shows_no_secret(portal: Emulator, connect: Callable[..., Bitrix24Hook]) -> None:
    from rich.console import Console
    from rich.traceback import Traceback

    hook = connect(**portal.connection())
    hook.call("profile")
    portal.faults.add("slow", times=None, seconds=2.0)
    console = Console(file=io.StringIO(), width=400)
    try:
        with interrupted(0.3):
            hook.call("profile")
    except AirflowTaskTimeout as error:
        trace = error.__traceback__
        shown = Traceback.from_exception(
            type(error), error, trace.tb_next if trace else None, show_locals=True, locals_max_string=None
        )
        console.print(shown)

    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "user.get" not in text
    assert "hooks/bitrix24.py" in text
    assert portal.webhook_code not in text

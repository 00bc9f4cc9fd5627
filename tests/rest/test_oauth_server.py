"""A failure of the OAuth server is not an outcome of the call for which the token is refreshed."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AuthError,
    Bitrix24ConfigurationError,
    Bitrix24Error,
    Bitrix24NoAnswerError,
    Bitrix24PlanError,
    Bitrix24TokenRefreshError,
    Outcome,
    error_from_dict,
)
from airflow_provider_b24.rest.oauth_server import Application, default_oauth_server
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.retry import RetryPolicy
from airflow_provider_b24.rest.token_store import MemoryTokenStore, TokenPair
from tests.support.oauth_failures import FAILURES, break_oauth_server

from .conftest import reply_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.rest.auth import OAuthCredentials
    from airflow_provider_b24.rest.client import Bitrix24Client

    from .conftest import Time

pytestmark = pytest.mark.slow

ADD = "im.message.add"
ATTEMPTS = RetryPolicy().max_attempts


def post(app: Bitrix24Client, chat: int) -> Any:
    """Call a method that is not idempotent."""
    return app.call(ADD, {"DIALOG_ID": f"chat{chat}", "MESSAGE": "hello"})


def post_batch(app: Bitrix24Client, chat: int) -> Any:
    """Call it in a batch, with a method that reads."""
    done = app.call_batch({"a": (ADD, {"DIALOG_ID": f"chat{chat}", "MESSAGE": "hello"}), "b": "profile"})
    done.raise_for_errors()
    return done.results["a"]


def read(app: Bitrix24Client, chat: int) -> Any:
    """Call a method that only reads."""
    return app.call("user.current")


CALLS = [read, post, post_batch]


@pytest.fixture
def chat(portal: Emulator) -> int:
    return portal.add_chat("Team")


@pytest.fixture
def expired_app(make_app: Callable[..., Bitrix24Client], portal: Emulator) -> Bitrix24Client:
    """A client whose access token has expired."""
    portal.expire_access_token()
    return make_app()


def hellos(portal: Emulator, chat: int) -> int:
    return [message.text for message in portal.messages(chat)].count("hello")


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_of_the_oauth_server_that_lasts_leaves_the_call_not_executed(
    expired_app: Bitrix24Client, portal: Emulator, chat: int, name: str
) -> None:
    break_oauth_server(portal, name)
    for number, call in enumerate(CALLS, start=1):
        with pytest.raises(Bitrix24NoAnswerError, match="OAuth server") as caught:
            call(expired_app, chat)
        error = caught.value

        assert (error.outcome, error.transient) == (Outcome.NOT_EXECUTED, True)
        assert not error.may_have_executed
        assert "Let the task retry" in str(error)
        assert "unknown" not in str(error)
        assert [note for note in getattr(error, "__notes__", []) if "may have been executed" in note] == []
        assert portal.requests.count("oauth.token") == ATTEMPTS * number
    assert hellos(portal, chat) == 0


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_of_the_oauth_server_that_passes_is_retried_after_a_pause(
    expired_app: Bitrix24Client, portal: Emulator, time: Time, chat: int, name: str
) -> None:
    for call in CALLS:
        portal.expire_access_token()
        portal.requests.clear()
        time.sleeps.clear()
        break_oauth_server(portal, name, times=ATTEMPTS - 1)

        assert call(expired_app, chat)
        assert portal.requests.count("oauth.token") == ATTEMPTS
        pauses = [seconds for seconds in time.sleeps if seconds > 0]
        assert len(pauses) == ATTEMPTS - 1
        assert pauses == sorted(pauses)
    assert hellos(portal, chat) == len(CALLS) - 1


@pytest.mark.parametrize("name", FAILURES)
def test_without_an_access_token_nothing_is_sent_to_the_portal_while_the_oauth_server_fails(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, chat: int, name: str
) -> None:
    start = TokenPair.from_connection(access_token="", refresh_token=portal.application.refresh_token)
    break_oauth_server(portal, name)
    with pytest.raises(Bitrix24NoAnswerError) as caught:
        post(make_app(start=start), chat)

    assert (caught.value.outcome, caught.value.attempts) == (Outcome.NOT_EXECUTED, None)
    assert portal.requests.count(ADD) == 0
    assert portal.requests.count("oauth.token") == ATTEMPTS


@pytest.mark.parametrize("name", ["numbers", "lists", "empty tokens", "no text", "a surrogate", "one token"])
def test_a_pair_that_is_not_text_does_not_replace_a_good_one(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, store: MemoryTokenStore, name: str
) -> None:
    portal.expire_access_token()
    make_app().call("user.current")
    good = store.load()
    portal.expire_access_token()
    break_oauth_server(portal, name, times=ATTEMPTS)
    with pytest.raises(Bitrix24NoAnswerError, match="no usable tokens"):
        make_app().call("user.current")

    assert store.load() == good
    assert make_app().call("user.current")["ID"] == "1"


@pytest.mark.parametrize("code", ["invalid_token", "expired_token", "QUERY_LIMIT_EXCEEDED", "OVERLOAD_LIMIT"])
@pytest.mark.parametrize("call", CALLS)
def test_a_code_of_the_portal_from_the_oauth_server_ends_the_call(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, chat: int, call: Callable[..., Any], code: str
) -> None:
    """It does not refresh the token for the refresh, or wait for the portal's rate limit."""
    portal.expire_access_token()
    portal.faults.add(
        "reply", body=f'{{"error": "{code}"}}', status=401, executed=False, method="oauth.token", times=50
    )
    with pytest.raises((Bitrix24NoAnswerError, Bitrix24TokenRefreshError)) as caught:
        call(make_app(), chat)

    assert caught.value.outcome is Outcome.NOT_EXECUTED
    assert portal.requests.count("oauth.token") <= ATTEMPTS


# The advice


@pytest.mark.parametrize("call", CALLS)
def test_the_advice_to_authorise_again_reaches_the_caller(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, chat: int, call: Callable[..., Any]
) -> None:
    portal.expire_access_token()
    portal.portal.credentials.use_refresh_token(portal.application.refresh_token)
    with pytest.raises(Bitrix24TokenRefreshError) as caught:
        call(make_app(), chat)
    error = caught.value

    assert (error.outcome, error.transient, error.code) == (Outcome.NOT_EXECUTED, False, "invalid_grant")
    assert "Authorise the application again" in str(error)
    assert "Authorise the application again" in str(error_from_dict(error.to_dict()))
    assert portal.requests.count("oauth.token") == 1


@pytest.mark.parametrize("call", CALLS)
def test_a_lost_reply_of_the_oauth_server_that_spent_the_token_gives_the_advice(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, chat: int, call: Callable[..., Any]
) -> None:
    portal.expire_access_token()
    portal.faults.add("drop_after", method="oauth.token")
    with pytest.raises(Bitrix24TokenRefreshError, match="its answer was lost") as caught:
        call(make_app(), chat)

    assert caught.value.outcome is Outcome.NOT_EXECUTED
    assert "Authorise the application again" in str(caught.value)


def test_each_command_after_a_failed_refresh_has_the_advice_and_an_error_of_its_own(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, chat: int
) -> None:
    commands = {number: (ADD, {"DIALOG_ID": f"chat{chat}", "MESSAGE": "hello"}) for number in range(120)}
    portal.faults.add("expired_token", method="batch", after=1, times=None)
    portal.portal.credentials.use_refresh_token(portal.application.refresh_token)
    done = make_app().call_batch(commands)

    assert (len(done.results), len(done.errors)) == (50, 70)
    assert hellos(portal, chat) == 50
    assert {error.outcome for error in done.errors.values()} == {Outcome.NOT_EXECUTED}
    assert {type(error) for error in done.errors.values()} == {Bitrix24TokenRefreshError}
    assert all("Authorise the application again" in str(error) for error in done.errors.values())
    assert len({id(error) for error in done.errors.values()}) == 70


def test_a_batch_whose_token_could_not_be_refreshed_says_that_nothing_was_executed(
    make_app: Callable[..., Bitrix24Client],
    portal: Emulator,
    chat: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    commands = {number: (ADD, {"DIALOG_ID": f"chat{chat}", "MESSAGE": "hello"}) for number in range(120)}
    portal.faults.add("expired_token", method="batch", after=1, times=None)
    break_oauth_server(portal, "bad gateway")
    make_app().call_batch(commands)

    assert "Batch: 50 of 120 commands have an answer, 70 were not executed." in caplog.text


def test_a_refused_token_inside_a_batch_gives_each_command_its_own_error(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    refused = {"error": "expired_token", "error_description": "The access token provided has expired"}
    body = {"result": {"result": {"c0": 1}, "result_error": {"c1": refused, "c2": refused}}}
    portal.faults.add("reply", body=json.dumps(body), executed=False, method="batch", times=None)
    portal.portal.credentials.use_refresh_token(portal.application.refresh_token)
    done = make_app().call_batch({"a": "profile", "b": "profile", "c": "scope"})

    assert done.results == {"a": 1}
    assert done.errors["b"] is not done.errors["c"]
    assert "Authorise the application again" in str(done.errors["c"])


def test_a_redirect_of_the_oauth_server_names_its_field(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    portal.expire_access_token()
    portal.faults.add("redirect", method="oauth.token", location="https://oauth.example.com", times=None)
    with pytest.raises(Bitrix24ConfigurationError) as caught:
        make_app().call("user.current")
    error = caught.value

    assert (error.field, error.outcome) == ("extra.oauth_server", Outcome.NOT_EXECUTED)
    assert "oauth_server" in str(error)
    assert "https://oauth.example.com" in str(error)
    assert "portal" not in str(error)
    assert portal.requests.count("oauth.token") == 1


@pytest.mark.parametrize("refresh_token", [True, False])
def test_a_token_that_the_portal_does_not_know_gives_advice_for_an_application(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, refresh_token: bool
) -> None:
    portal.faults.add("reply", body='{"error":"invalid_token"}', status=401, method="user.*", times=None)
    tokens = portal.application
    start = TokenPair.from_connection(
        access_token=tokens.access_token, refresh_token=tokens.refresh_token if refresh_token else ""
    )
    with pytest.raises(Bitrix24AuthError) as caught:
        make_app(start=start).call("user.current")

    assert caught.value.code == "invalid_token"
    assert "webhook" not in str(caught.value)
    assert "authorise it again" in str(caught.value)


def test_credentials_that_a_portal_refuses_give_advice_for_a_webhook(
    client: Bitrix24Client, portal: Emulator
) -> None:
    portal.portal.credentials.webhook.code = "another"
    with pytest.raises(Bitrix24AuthError, match="the webhook may have been deleted"):
        client.call("user.current")


@pytest.mark.parametrize(
    ("client_id", "secret", "code"),
    [
        ("local.wrong.id", None, "invalid_client"),
        (None, "another-secret-1", "invalid_client"),
        ("x", None, "wrong_client"),
    ],
)
def test_an_application_that_is_not_accepted_is_told_apart_from_a_spent_token(
    make_app: Callable[..., Bitrix24Client],
    portal: Emulator,
    client_id: str | None,
    secret: str | None,
    code: str,
) -> None:
    portal.expire_access_token()
    application = Application(
        client_id or portal.application.client_id,
        Secret(secret or portal.application.client_secret),
        portal.url,
    )
    with pytest.raises(Bitrix24TokenRefreshError, match="client_secret") as caught:
        make_app(application=application).call("user.current")

    assert (caught.value.code, caught.value.outcome) == (code, Outcome.NOT_EXECUTED)
    assert make_app().call("user.current")["ID"] == "1"


# The request


def test_the_secrets_of_a_refresh_travel_in_the_body(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    portal.expire_access_token()
    make_app().call("user.current")
    (request,) = [request for request in portal.requests if request.method == "oauth.token"]

    assert (request.verb, request.status) == ("POST", 200)


@pytest.mark.parametrize(
    "refusal",
    [
        reply_bytes(b'{"error": "invalid_request"}', status="400 Bad Request"),
        reply_bytes(b"<html>Method Not Allowed</html>", status="405 Method Not Allowed"),
    ],
)
def test_a_server_that_takes_no_post_is_asked_as_documented(
    make_app: Callable[..., Bitrix24Client], serve: Callable[..., Any], refusal: bytes
) -> None:
    server = serve(refusal, reply_bytes(b'{"access_token": "access-2", "refresh_token": "refresh-2"}'))
    application = Application("local.1.2", Secret("client-secret-1"), server.url)
    start = TokenPair.from_connection(access_token="", refresh_token="refresh-token-1")
    store = MemoryTokenStore()
    with contextlib.suppress(Bitrix24Error):
        make_app(application=application, start=start, store=store).call("user.current")
    pair = store.load()

    assert server.requests[1].startswith(b"GET /oauth/token/?grant_type=refresh_token&client_id=local.1.2&")
    assert pair is not None
    assert pair.refresh.reveal() == "refresh-2"


def test_an_unpaid_portal_is_an_error_of_its_plan(
    make_app: Callable[..., Bitrix24Client], serve: Callable[..., Any]
) -> None:
    server = serve(reply_bytes(b'{"error": "PAYMENT_REQUIRED"}', status="401 Unauthorized"))
    application = Application("local.1.2", Secret("client-secret-1"), server.url)
    start = TokenPair.from_connection(access_token="", refresh_token="refresh-token-1")
    with pytest.raises(Bitrix24PlanError) as caught:
        make_app(application=application, start=start).call("user.current")

    assert (caught.value.code, caught.value.outcome) == ("PAYMENT_REQUIRED", Outcome.NOT_EXECUTED)


def test_a_refresh_leaves_nothing_in_the_address(
    make_app: Callable[..., Bitrix24Client], serve: Callable[..., Any]
) -> None:
    server = serve()
    application = Application("local.1.2", Secret("client-secret-1"), server.url)
    start = TokenPair.from_connection(access_token="", refresh_token="refresh-token-1")
    with pytest.raises(Bitrix24NoAnswerError):
        make_app(application=application, start=start).call("user.current")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")

    assert head.startswith(b"POST /oauth/token/ HTTP/1.1\r\n")
    assert b"client-secret-1" not in head
    assert b"refresh-token-1" not in head
    assert b"grant_type=refresh_token&client_id=local.1.2&client_secret=client-secret-1" in body
    assert b"\r\nConnection: close" in head


def test_a_reply_with_further_fields_is_a_pair(
    make_credentials: Callable[..., OAuthCredentials], serve: Callable[..., Any]
) -> None:
    body = (
        b'{"error": null, "result": {}, "expires_in": "3600", "access_token": "a-1", "refresh_token": "r-1"}'
    )
    application = Application("local.1.2", Secret("client-secret-1"), serve(reply_bytes(body)).url)
    start = TokenPair.from_connection(access_token="", refresh_token="refresh-token-1")
    request = make_credentials(application=application, start=start).request("user.get", b"")

    assert request.headers["Authorization"].reveal() == "Bearer a-1"


@pytest.mark.parametrize(
    ("portal_url", "server"),
    [
        ("https://acme.bitrix24.com", "https://oauth.bitrix.info"),
        ("https://acme.bitrix24.de", "https://oauth.bitrix.info"),
        ("https://acme.bitrix24.ru", "https://oauth.bitrix24.tech"),
        ("https://ACME.BITRIX24.KZ:443", "https://oauth.bitrix24.tech"),
        ("https://acme.bitrix24.by/", "https://oauth.bitrix24.tech"),
        ("https://ru.example.com", "https://oauth.bitrix.info"),
    ],
)
def test_the_oauth_server_is_the_regions(portal_url: str, server: str) -> None:
    assert default_oauth_server(portal_url) == server

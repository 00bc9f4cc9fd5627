"""Who calls, and one refresh for any number of threads and processes."""

from __future__ import annotations

import json
import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AuthError,
    Bitrix24ConfigurationError,
    Bitrix24ExpiredTokenError,
    Bitrix24TokenRefreshError,
)
from airflow_provider_b24.rest.auth import OAuthCredentials, TokenCredentials, WebhookCredentials
from airflow_provider_b24.rest.client import Bitrix24Client
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.token_replacement import TokenReplacement
from airflow_provider_b24.rest.token_store import MemoryTokenStore, TokenPair, TokenStore
from airflow_provider_b24.rest.transport import RequestsTransport

from .conftest import forked

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

    from .conftest import Time

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")]


class FileTokenStore:
    """A store that processes share, as they share Airflow's Variables."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def load(self) -> TokenPair | None:
        if not self.path.exists():
            return None
        access, refresh, seed = json.loads(self.path.read_text())
        return TokenPair(Secret(access), Secret(refresh), seed)

    def save(self, pair: TokenPair) -> None:
        assert pair.access is not None
        assert pair.refresh is not None
        fresh = self.path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        fresh.write_text(json.dumps([pair.access.reveal(), pair.refresh.reveal(), pair.seed]))
        fresh.replace(self.path)


def refreshes(portal: Emulator) -> int:
    return portal.requests.count("oauth.token")


def test_a_webhook_request_has_the_code_in_the_url() -> None:
    webhook = WebhookCredentials(portal="https://acme.bitrix24.com", user_id="7", code=Secret("the-code"))
    request = webhook.request("user.get", b"{}")

    assert request.url.reveal() == "https://acme.bitrix24.com/rest/7/the-code/user.get"
    assert request.headers == {}
    assert webhook.refresh(request) is TokenReplacement.NONE


def test_an_oauth_request_has_the_token_in_a_header(
    make_credentials: Callable[..., OAuthCredentials], portal: Emulator
) -> None:
    request = make_credentials().request("user.get", b"{}")

    assert request.url.reveal() == f"{portal.url}/rest/user.get"
    assert request.headers["Authorization"].reveal() == f"Bearer {portal.application.access_token}"


def test_a_valid_token_is_not_refreshed(make_app: Callable[..., Bitrix24Client], portal: Emulator) -> None:
    app = make_app()
    for _ in range(3):
        app.call("user.current")

    assert refreshes(portal) == 0


def test_an_expired_token_is_refreshed_and_the_call_retried(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, store: MemoryTokenStore, time: Time
) -> None:
    portal.expire_access_token()

    assert make_app().request("user.current").attempts == 2
    assert refreshes(portal) == 1
    stored = store.load()
    assert stored is not None
    assert stored.access == Secret(portal.application.access_token)
    assert stored.refresh == Secret(portal.application.refresh_token)
    assert time.sleeps == []


def test_a_non_idempotent_call_is_retried_after_a_refresh(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    portal.expire_access_token()
    chat = next(iter(portal.portal.chats)).id
    make_app().call("im.message.add", {"DIALOG_ID": f"chat{chat}", "MESSAGE": "hello"})

    assert [message.text for message in portal.messages(chat)].count("hello") == 1


def test_a_batch_is_retried_after_a_refresh(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    portal.expire_access_token()

    assert len(make_app().call_batch({"a": "user.current", "b": "scope"}).results) == 2


def test_the_first_call_refreshes_when_there_is_no_access_token(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    start = TokenPair.from_connection(access_token="", refresh_token=portal.application.refresh_token)
    app = make_app(start=start)
    app.call("user.current")
    app.call("user.current")

    assert refreshes(portal) == 1


def test_an_expired_token_without_a_refresh_token_is_an_error(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    start = TokenPair.from_connection(access_token=portal.application.access_token, refresh_token="")
    app = make_app(start=start)
    app.call("user.current")
    portal.expire_access_token()

    with pytest.raises(Bitrix24ExpiredTokenError, match="refresh_token"):
        app.call("user.current")


def test_a_connection_without_tokens_is_refused_with_its_field(
    make_app: Callable[..., Bitrix24Client],
) -> None:
    app = make_app(start=TokenPair.from_connection(access_token="", refresh_token=""))
    with pytest.raises(Bitrix24ConfigurationError) as caught:
        app.call("user.current")

    assert caught.value.field == "extra.refresh_token"


def test_a_refreshed_token_that_is_refused_is_not_refreshed_again(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    portal.faults.add("expired_token", method="user.current", times=None)
    with pytest.raises(Bitrix24ExpiredTokenError) as caught:
        make_app().call("user.current")

    assert refreshes(portal) == 1
    assert caught.value.attempts == 2


# One refresh for all


def test_a_pair_that_another_client_stored_is_used_without_a_refresh(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, store: MemoryTokenStore
) -> None:
    first, second = make_app(), make_app()
    first.call("user.current")
    second.call("user.current")
    portal.expire_access_token()
    first.call("user.current")
    second.call("user.current")

    assert refreshes(portal) == 1


@pytest.mark.parametrize("batch", [False, True])
def test_a_pair_of_another_client_that_has_expired_too_is_refreshed(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, batch: bool
) -> None:
    first, second = make_app(), make_app()
    second.call("user.current")
    portal.expire_access_token()
    first.call("user.current")
    portal.expire_access_token()

    if batch:
        assert len(second.call_batch({"a": "user.current", "b": "scope"}).results) == 2
    else:
        assert second.request("user.current").attempts == 3
    assert refreshes(portal) == 2


def test_a_call_tries_two_tokens_of_others_at_most(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    """However many pairs others store, a portal that refuses them all is not asked without end."""
    seed = TokenPair.from_connection(access_token="", refresh_token=portal.application.refresh_token).seed

    class Restless(MemoryTokenStore):
        loads = 0

        def load(self) -> TokenPair | None:
            self.loads += 1
            return TokenPair(Secret(f"access-token-{self.loads}"), Secret("refresh-token"), seed)

    with pytest.raises(Bitrix24AuthError) as caught:
        make_app(store=Restless()).call("user.current")

    assert caught.value.attempts == 3
    assert refreshes(portal) == 0


@pytest.mark.parametrize("code", ["invalid_token", "expired_token"])
def test_a_token_that_another_host_refreshed_is_loaded_from_the_store(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, store: MemoryTokenStore, code: str
) -> None:
    """A portal may forget the old token as soon as there is a new one."""
    app = make_app()
    app.call("user.current")
    old = portal.application.access_token
    seed = TokenPair.from_connection(access_token="", refresh_token=portal.application.refresh_token).seed
    portal.portal.credentials.issue()
    store.save(TokenPair(Secret(portal.application.access_token), Secret("not asked for"), seed))
    if code == "invalid_token":
        del portal.portal.credentials._tokens[old]
    else:
        portal.faults.add("expired_token", method="user.current")

    assert app.call("user.current")["ID"] == "1"
    assert refreshes(portal) == 0


def test_twenty_threads_refresh_once(make_app: Callable[..., Bitrix24Client], portal: Emulator) -> None:
    app = make_app()
    portal.expire_access_token()
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda: results.append(app.call("user.current")["ID"])) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == ["1"] * 20
    assert refreshes(portal) == 1


def test_four_processes_of_five_threads_refresh_once(
    make_credentials: Callable[..., OAuthCredentials], portal: Emulator, tmp_path: pathlib.Path
) -> None:
    store = FileTokenStore(tmp_path / "tokens")

    def call_in_threads(number: int) -> None:
        transport = RequestsTransport()
        client = Bitrix24Client(
            credentials=make_credentials(store=store, transport=transport), transport=transport
        )
        threads = [threading.Thread(target=lambda: client.call("user.current")) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.call("user.current")["ID"] == "1"
        (tmp_path / f"done-{number}").touch()

    portal.expire_access_token()
    for child in [forked(partial(call_in_threads, number)) for number in range(4)]:
        os.waitpid(child, 0)

    assert len(list(tmp_path.glob("done-*"))) == 4
    assert refreshes(portal) == 1


# The way through failures


def test_a_new_pair_is_stored_before_it_is_used(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    class Noting(MemoryTokenStore):
        calls_before: int

        def save(self, pair: TokenPair) -> None:
            self.calls_before = portal.requests.count("user.current")
            super().save(pair)

    store = Noting()
    portal.expire_access_token()
    make_app(store=store).call("user.current")

    assert store.calls_before == 1
    assert portal.requests.count("user.current") == 2


def test_the_error_after_a_crash_before_the_save_names_the_lost_refresh(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    class Dying(MemoryTokenStore):
        def save(self, pair: TokenPair) -> None:
            raise KeyboardInterrupt

    portal.expire_access_token()
    with pytest.raises(KeyboardInterrupt):
        make_app(store=Dying()).call("user.current")
    with pytest.raises(Bitrix24TokenRefreshError) as caught:
        make_app().call("user.current")

    assert "an earlier refresh spent the refresh token" in str(caught.value)
    assert "airflow bitrix24 login" in str(caught.value)
    assert (caught.value.code, caught.value.conn_id) == ("invalid_grant", "test_app")


def test_a_new_refresh_token_in_the_connection_replaces_a_used_one(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, store: MemoryTokenStore
) -> None:
    portal.expire_access_token()
    make_app().call("user.current")
    portal.expire_access_token()
    portal.portal.credentials.use_refresh_token(portal.application.refresh_token)
    with pytest.raises(Bitrix24TokenRefreshError):
        make_app().call("user.current")

    portal.portal.credentials.issue()
    start = TokenPair.from_connection(access_token="", refresh_token=portal.application.refresh_token)
    assert make_app(start=start).call("user.current")["ID"] == "1"
    stored = store.load()
    assert stored is not None
    assert stored.seed == start.seed


def test_a_stored_pair_of_another_refresh_token_is_not_used(
    make_credentials: Callable[..., OAuthCredentials], store: MemoryTokenStore
) -> None:
    store.save(TokenPair(Secret("old-access"), Secret("old-refresh"), "another seed"))
    request = make_credentials().request("user.get", b"")

    assert request.headers["Authorization"].reveal() != "Bearer old-access"


def test_a_refresh_without_a_reply_is_retried(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    portal.expire_access_token()
    portal.faults.add("drop_before", method="oauth.token")

    assert make_app().call("user.current")["ID"] == "1"
    assert refreshes(portal) == 2


def test_the_error_after_a_lost_refresh_reply_says_that_it_was_lost(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    portal.expire_access_token()
    portal.faults.add("drop_after", method="oauth.token")
    with pytest.raises(Bitrix24TokenRefreshError, match="its answer was lost"):
        make_app().call("user.current")


def test_a_refresh_retried_within_the_grace_period_succeeds(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    portal.quirks.refresh_grace = 60.0
    portal.expire_access_token()
    portal.faults.add("drop_after", method="oauth.token")

    assert make_app().call("user.current")["ID"] == "1"


def test_a_revoked_refresh_token_is_not_reported_as_lost(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    portal.expire_access_token()
    portal.portal.credentials.use_refresh_token(portal.application.refresh_token)
    for _ in range(2):
        with pytest.raises(Bitrix24TokenRefreshError, match="is spent or revoked"):
            make_app().call("user.current")


def test_a_refresh_that_another_host_won_waits_for_its_pair(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, time: Time
) -> None:
    """It has spent the refresh token, and stores its new pair a second later."""
    seed = TokenPair.from_connection(access_token="", refresh_token=portal.application.refresh_token).seed
    portal.portal.credentials.use_refresh_token(portal.application.refresh_token)
    portal.expire_access_token()
    portal.portal.credentials.issue()
    renewed = TokenPair(Secret(portal.application.access_token), Secret("theirs"), seed)

    class Late(MemoryTokenStore):
        def load(self) -> TokenPair | None:
            return renewed if sum(time.sleeps) >= 1.0 else None

    assert make_app(store=Late()).call("user.current")["ID"] == "1"
    assert refreshes(portal) == 1


def test_credentials_without_refresh_never_refresh(
    make_client: Callable[..., Bitrix24Client],
    make_credentials: Callable[..., OAuthCredentials],
    portal: Emulator,
) -> None:
    credentials = make_credentials().without_refresh()
    assert isinstance(credentials, TokenCredentials)
    portal.expire_access_token()
    with pytest.raises(Bitrix24AuthError):
        make_client(credentials=credentials).call("user.current")

    assert refreshes(portal) == 0


def test_without_refresh_is_none_when_there_is_no_access_token(
    make_credentials: Callable[..., OAuthCredentials],
) -> None:
    start = TokenPair.from_connection(access_token="", refresh_token="some-token")

    assert make_credentials(start=start).without_refresh() is None


def test_token_stores_follow_the_protocol(store: MemoryTokenStore, tmp_path: pathlib.Path) -> None:
    stores: list[TokenStore] = [store, FileTokenStore(tmp_path / "tokens")]
    pair = TokenPair(Secret("a-token"), Secret("r-token"), "seed")
    for one in stores:
        assert one.load() is None
        one.save(pair)
        assert one.load() == pair

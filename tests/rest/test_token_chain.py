"""A new pair is saved with retries, and used by this process while it can't be saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError, Bitrix24TokenRefreshError
from airflow_provider_b24.rest import token_refresh
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.state_files import locked
from airflow_provider_b24.rest.token_store import MemoryTokenStore, TokenPair
from tests.support.clients import lock_file_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.rest.client import Bitrix24Client

    from .conftest import Time

pytestmark = pytest.mark.slow


class FailingStore(MemoryTokenStore):
    """A store whose first saves fail, and its loads too if it is told so."""

    def __init__(self, failures: float, *, loads: bool = True, error: Exception | None = None) -> None:
        super().__init__()
        self.failures = failures
        self.loads = loads
        self.error = error
        self.saves = 0

    def load(self) -> TokenPair | None:
        if not self.loads and 0 < self.saves <= self.failures:
            raise RuntimeError("no database")
        return super().load()

    def save(self, pair: TokenPair) -> None:
        self.saves += 1
        if self.saves <= self.failures:
            raise self.error or RuntimeError(f"no database for {pair.access and pair.access.reveal()}")
        super().save(pair)


class SilentStore(MemoryTokenStore):
    """A store whose saves fail while it is down, and whose loads then find nothing, as Airflow's do."""

    down = False

    def load(self) -> TokenPair | None:
        return None if self.down else super().load()

    def save(self, pair: TokenPair) -> None:
        if self.down:
            raise RuntimeError("no API server")
        super().save(pair)


def newest(portal: Emulator) -> tuple[Secret, Secret]:
    return Secret(portal.application.access_token), Secret(portal.application.refresh_token)


def kept(store: MemoryTokenStore) -> Any:
    pair = store.load()
    return pair and (pair.access, pair.refresh)


@pytest.fixture
def make_expired_app(
    make_app: Callable[..., Bitrix24Client], portal: Emulator
) -> Callable[..., Bitrix24Client]:
    def make(**options: Any) -> Bitrix24Client:
        portal.expire_access_token()
        return make_app(**options)

    return make


@pytest.mark.parametrize("failures", [1, 4])
def test_a_failed_save_is_retried_for_some_seconds(
    make_expired_app: Callable[..., Bitrix24Client],
    portal: Emulator,
    time: Time,
    caplog: pytest.LogCaptureFixture,
    failures: int,
) -> None:
    store = FailingStore(failures)
    make_expired_app(store=store).call("user.current")

    assert kept(store) == newest(portal)
    assert time.sleeps == [0.5, 1.0, 2.0, 4.0][:failures]
    assert "could not be saved" not in caplog.text


@pytest.mark.parametrize("loads", [True, False])
def test_a_pair_that_can_not_be_saved_is_used_by_this_process_and_not_shown(
    make_expired_app: Callable[..., Bitrix24Client],
    portal: Emulator,
    caplog: pytest.LogCaptureFixture,
    loads: bool,
) -> None:
    store = FailingStore(float("inf"), loads=loads)
    app = make_expired_app(store=store)
    for _ in range(3):
        assert app.call("user.current")["ID"] == "1"
    portal.expire_access_token()
    assert app.call("user.current")["ID"] == "1"

    assert portal.requests.count("oauth.token") == 2
    assert "'test_app': the new OAuth tokens could not be saved: RuntimeError: no database" in caplog.text
    assert "This process goes on with them and tries to save them again" in caplog.text
    assert portal.application.access_token not in caplog.text


def test_a_pair_that_could_not_be_saved_is_saved_with_a_later_call(
    make_expired_app: Callable[..., Bitrix24Client],
    make_app: Callable[..., Bitrix24Client],
    portal: Emulator,
    time: Time,
) -> None:
    store = FailingStore(6)
    app = make_expired_app(store=store)
    app.call("user.current")
    assert (store.saves, kept(store)) == (5, None)

    time.now += 29
    app.call("user.current")
    assert store.saves == 5
    time.now += 1
    app.call("user.current")
    assert (store.saves, kept(store)) == (6, None)
    time.now += 30
    app.call("user.current")
    assert (store.saves, kept(store)) == (7, newest(portal))
    time.now += 300
    app.call("user.current")
    assert store.saves == 7
    make_app(store=store).call("user.current")
    assert portal.requests.count("oauth.token") == 1


def test_without_the_lock_of_a_refresh_a_save_is_postponed_and_calls_go_on(
    make_expired_app: Callable[..., Bitrix24Client],
    portal: Emulator,
    time: Time,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = FailingStore(5)
    app = make_expired_app(store=store)
    app.call("user.current")
    time.now += 30
    with monkeypatch.context() as patch, locked(lock_file_of(portal, "test_app")):
        patch.setattr(token_refresh, "_SAVE_LOCK_SECONDS", 0.05)
        assert app.call("user.current")["ID"] == "1"
        patch.setattr(token_refresh.TokenRefresher, "_locked", None)
        assert app.call("user.current")["ID"] == "1"
    assert store.saves == 5
    time.now += 30
    app.call("user.current")

    assert kept(store) == newest(portal)


def test_a_save_that_was_interrupted_is_made_with_the_next_call(
    make_expired_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    class Interrupted(MemoryTokenStore):
        saves = 0

        def save(self, pair: TokenPair) -> None:
            self.saves += 1
            if self.saves == 1:
                raise KeyboardInterrupt
            super().save(pair)

    store = Interrupted()
    app = make_expired_app(store=store)
    with pytest.raises(KeyboardInterrupt):
        app.call("user.current")
    app.call("user.current")

    assert kept(store) == newest(portal)
    assert portal.requests.count("oauth.token") == 1


def test_a_pair_that_was_never_saved_is_named_when_another_process_misses_it(
    make_expired_app: Callable[..., Bitrix24Client], make_app: Callable[..., Bitrix24Client]
) -> None:
    store = FailingStore(float("inf"))
    make_expired_app(store=store).call("user.current")
    with pytest.raises(Bitrix24TokenRefreshError, match="its answer was lost before it was saved"):
        make_app(store=store).call("user.current")


def test_a_pair_that_was_saved_late_is_not_called_lost(
    make_expired_app: Callable[..., Bitrix24Client],
    make_app: Callable[..., Bitrix24Client],
    portal: Emulator,
    time: Time,
) -> None:
    store = FailingStore(5)
    app = make_expired_app(store=store)
    app.call("user.current")
    time.now += 30
    app.call("user.current")
    portal.portal.credentials.use_refresh_token(portal.application.refresh_token)
    portal.expire_access_token()
    with pytest.raises(Bitrix24TokenRefreshError, match="spent or revoked"):
        make_app(store=store).call("user.current")


def test_a_newer_pair_in_the_store_takes_precedence_over_one_that_could_not_be_saved(
    make_expired_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    seed = TokenPair.from_connection(access_token="", refresh_token=portal.application.refresh_token).seed
    store = FailingStore(float("inf"))
    app = make_expired_app(store=store)
    app.call("user.current")
    portal.expire_access_token()
    portal.portal.credentials.issue()
    MemoryTokenStore.save(store, TokenPair(*newest(portal), seed))

    assert app.call("user.current")["ID"] == "1"
    assert portal.requests.count("oauth.token") == 1


@pytest.mark.parametrize("seed", ["of this connection", "of a new authorisation"])
def test_a_pair_that_could_not_be_saved_does_not_replace_one_that_was_stored_meanwhile(
    make_expired_app: Callable[..., Bitrix24Client], portal: Emulator, time: Time, seed: str
) -> None:
    start = TokenPair.from_connection(access_token="", refresh_token=portal.application.refresh_token)
    store = FailingStore(5)
    app = make_expired_app(store=store)
    app.call("user.current")
    theirs = TokenPair(Secret("access-2"), Secret("refresh-2"), start.seed if "this" in seed else "another")
    MemoryTokenStore.save(store, theirs)
    time.now += 30
    app.call("user.current")

    assert store.load() == theirs


def test_a_pair_that_was_refreshed_while_the_store_is_down_is_saved_when_it_is_back(
    make_expired_app: Callable[..., Bitrix24Client],
    make_app: Callable[..., Bitrix24Client],
    portal: Emulator,
    time: Time,
) -> None:
    store = SilentStore()
    app = make_expired_app(store=store)
    app.call("user.current")
    portal.expire_access_token()
    store.down = True
    app.call("user.current")
    time.now += 30
    app.call("user.current")
    portal.expire_access_token()
    app.call("user.current")
    store.down = False
    assert kept(store) != newest(portal)
    time.now += 30
    app.call("user.current")

    assert kept(store) == newest(portal)
    portal.expire_access_token()
    assert make_app(store=store).call("user.current")["ID"] == "1"
    assert portal.requests.count("oauth.token") == 4


@pytest.mark.parametrize("knows", ["saved", "loaded"])
def test_while_the_store_is_down_a_process_goes_on_from_the_pair_that_it_knows(
    make_expired_app: Callable[..., Bitrix24Client],
    make_app: Callable[..., Bitrix24Client],
    portal: Emulator,
    time: Time,
    knows: str,
) -> None:
    store = SilentStore()
    app = make_expired_app(store=store)
    app.call("user.current")
    if knows == "loaded":
        app = make_app(store=store)
        app.call("user.current")
    portal.expire_access_token()
    store.down = True

    assert app.call("user.current")["ID"] == "1"
    assert portal.requests.count("oauth.token") == 2
    # The pauses of the save alone: nobody waited for another host.
    assert time.sleeps == [0.5, 1.0, 2.0, 4.0]


def test_a_pair_of_another_process_that_was_seen_stays_known_while_the_store_is_down(
    make_expired_app: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    seed = TokenPair.from_connection(access_token="", refresh_token=portal.application.refresh_token).seed
    store = SilentStore()
    store.down = True
    app = make_expired_app(store=store)
    app.call("user.current")
    portal.expire_access_token()
    portal.portal.credentials.issue()
    store.down = False
    store.save(TokenPair(*newest(portal), seed))
    app.call("user.current")
    portal.expire_access_token()
    store.down = True

    assert app.call("user.current")["ID"] == "1"
    assert portal.requests.count("oauth.token") == 2


def test_a_store_that_a_person_must_correct_is_told_once_and_not_written_again(
    make_expired_app: Callable[..., Bitrix24Client],
    portal: Emulator,
    time: Time,
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = Bitrix24ConfigurationError("Another value is read back", advice="Delete it there.")
    store = FailingStore(float("inf"), error=error)
    app = make_expired_app(store=store)
    for _ in range(3):
        app.call("user.current")
        time.now += 60

    assert store.saves == 1
    assert time.sleeps == []
    assert caplog.text.count("Another value is read back. Delete it there.") == 1
    assert "tries to save them again" not in caplog.text

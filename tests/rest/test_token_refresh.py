"""One refresh over hosts: who lost the race waits for the winner's pair, and a mark says who was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time as real_time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24TokenRefreshError
from airflow_provider_b24.rest import redis_lock, token_refresh
from airflow_provider_b24.rest.file_state import FileState
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.refresh_mark import MarkState, RefreshMark
from airflow_provider_b24.rest.token_refresh import SAVE_SECONDS
from airflow_provider_b24.rest.token_store import MemoryTokenStore, TokenPair, fingerprint

from .conftest import forked
from .test_auth import FileTokenStore, refreshes

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.rest.client import Bitrix24Client
    from airflow_provider_b24.rest.shared_state import SharedState

    from .conftest import Time

#: What the credentials of these tests are told of the OAuth server's slowness.
EXCHANGE = 70.0
PATIENCE = EXCHANGE + SAVE_SECONDS
REAL_TIME = {"sleep": real_time.sleep, "clock": real_time.monotonic, "wall_clock": real_time.time}

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")]


class OtherHost(MemoryTokenStore):
    """A store into which another host saves its pair after some seconds."""

    def __init__(self, portal: Emulator, time: Time, *, after: float) -> None:
        super().__init__()
        self._time = time
        self._at = time.now + after
        application = portal.application
        seed = TokenPair.from_connection(access_token="", refresh_token=application.refresh_token).seed
        portal.portal.credentials.use_refresh_token(application.refresh_token)
        portal.expire_access_token()
        portal.portal.credentials.issue()
        self._theirs = TokenPair(Secret(application.access_token), Secret("theirs"), seed)

    def load(self) -> TokenPair | None:
        return self._theirs if self._time.now >= self._at else super().load()


@pytest.mark.parametrize("after", [0.0, 5.0, 31.0, EXCHANGE + 10])
def test_a_host_that_lost_the_race_waits_as_long_as_a_refresh_may_take(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, time: Time, after: float
) -> None:
    app = make_app(exchange_seconds=EXCHANGE)
    started = time.now
    store = OtherHost(portal, time, after=after)
    app = make_app(exchange_seconds=EXCHANGE, store=store)

    assert app.call("user.current")["ID"] == "1"
    assert time.now - started <= after + 5


def test_without_a_newer_pair_the_error_comes_after_that_time_and_not_before(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, time: Time
) -> None:
    app = make_app(exchange_seconds=EXCHANGE, store=OtherHost(portal, time, after=PATIENCE + 1))
    started = time.now
    with pytest.raises(Bitrix24TokenRefreshError, match="is spent or revoked"):
        app.call("user.current")

    assert time.now - started == pytest.approx(PATIENCE)


def test_what_one_process_waited_for_no_other_of_the_host_waits_for_again(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, time: Time
) -> None:
    store = OtherHost(portal, time, after=10 * PATIENCE)
    apps = [make_app(exchange_seconds=EXCHANGE, store=store) for _ in range(3)]
    for app in apps:
        with pytest.raises(Bitrix24TokenRefreshError):
            app.call("user.current")
    waited = sum(time.sleeps)

    assert waited == pytest.approx(PATIENCE)
    # Later calls ask the server once each: it may have been wrong.
    assert refreshes(portal) == 3


def test_while_one_process_waits_others_do_not_send_the_token_again(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, time: Time
) -> None:
    store = OtherHost(portal, time, after=10 * PATIENCE)
    second = make_app(exchange_seconds=EXCHANGE, store=store)
    errors: list[str] = []

    class Nested:
        """The second process calls while the first one sleeps."""

        done = False

        def __call__(self, seconds: float) -> None:
            time.sleep(seconds)
            if not self.done:
                self.done = True
                with pytest.raises(Bitrix24TokenRefreshError) as caught:
                    second.call("user.current")
                errors.append(str(caught.value))

    first = make_app(exchange_seconds=EXCHANGE, store=store, sleep=Nested())
    with pytest.raises(Bitrix24TokenRefreshError):
        first.call("user.current")

    assert refreshes(portal) == 1
    assert "spent or revoked" in errors[0]


@pytest.fixture
def kill_before_the_save(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, tmp_path: Path
) -> Callable[[SharedState], None]:
    """Let a process refresh the token, and be killed between the server's answer and the store."""

    class Killed(FileTokenStore):
        def save(self, pair: TokenPair) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

    def kill(state: SharedState) -> None:
        portal.expire_access_token()
        app = make_app(store=Killed(tmp_path / "tokens"), state=state)
        child = forked(lambda: app.call("user.current"))
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert refreshes(portal) == 1

    return kill


def test_a_winner_that_was_killed_is_named_to_all_who_share_the_state(
    make_app: Callable[..., Bitrix24Client],
    make_state: Callable[[], SharedState],
    kill_before_the_save: Callable[[SharedState], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_lock, "LEASE_SECONDS", 0.6)
    kill_before_the_save(make_state())
    for number in range(3):
        # With Redis these are other hosts, with directories of their own.
        if not isinstance(make_state(), FileState):
            monkeypatch.setenv("BITRIX24_STATE_DIR", str(tmp_path / f"host-{number}"))
        app = make_app(store=FileTokenStore(tmp_path / "tokens"), state=make_state())
        with pytest.raises(Bitrix24TokenRefreshError, match="its answer was lost before it was saved"):
            app.call("user.current")


def test_hosts_that_share_redis_refresh_once_however_slow_the_server_is(
    redis_server: Any,
    make_app: Callable[..., Bitrix24Client],
    portal: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow_provider_b24.rest.redis_state import RedisState

    # Renewed while the server thinks, and long enough for a busy machine.
    monkeypatch.setattr(redis_lock, "LEASE_SECONDS", 3.0)
    portal.expire_access_token()
    portal.faults.add("slow", method="oauth.token", seconds=4.0)

    def host(number: int) -> None:
        os.environ["BITRIX24_STATE_DIR"] = str(tmp_path / f"host-{number}")
        state = RedisState(Secret(redis_server.url))
        app = make_app(store=FileTokenStore(tmp_path / "tokens"), state=state, **REAL_TIME)
        assert app.call("user.current")["ID"] == "1"
        (tmp_path / f"done-{number}").touch()

    children = [forked(lambda number=number: host(number)) for number in range(3)]  # type: ignore[misc]
    for child in children:
        os.waitpid(child, 0)

    assert len(list(tmp_path.glob("done-*"))) == 3
    assert refreshes(portal) == 1


def test_hosts_that_share_nothing_all_get_the_pair_of_the_one_that_won(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, tmp_path: Path
) -> None:
    portal.expire_access_token()
    # The winner's answer comes after the losers' refusals.
    portal.faults.add("slow", method="oauth.token", seconds=2.0, executed=True)

    def host(number: int) -> None:
        os.environ["BITRIX24_STATE_DIR"] = str(tmp_path / f"host-{number}")
        app = make_app(store=FileTokenStore(tmp_path / "tokens"), **REAL_TIME)
        assert app.call("user.current")["ID"] == "1"
        (tmp_path / f"done-{number}").touch()

    children = [forked(lambda number=number: host(number)) for number in range(3)]  # type: ignore[misc]
    for child in children:
        os.waitpid(child, 0)

    assert len(list(tmp_path.glob("done-*"))) == 3


def test_a_holder_that_lost_the_lock_does_not_replace_the_pair_of_who_took_over(
    redis_server: Any, make_app: Callable[..., Bitrix24Client], portal: Emulator, store: MemoryTokenStore
) -> None:
    from airflow_provider_b24.rest.redis_state import RedisState

    portal.quirks.refresh_grace = 60.0
    portal.expire_access_token()
    portal.faults.add("slow", method="oauth.token", seconds=1.0)
    slow = make_app(state=RedisState(Secret(redis_server.url)))
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(slow.call("user.current")))
    thread.start()
    with redis_server.client() as client:
        until = real_time.monotonic() + 20
        while not client.keys("*:oauth:*") and real_time.monotonic() < until:
            real_time.sleep(0.01)
        # As if the lock had expired, because its holder was stopped for a while.
        client.hset(client.keys("*:oauth:*")[0], mapping={"owner": "the other host", "until": 0})
        other = make_app(state=RedisState(Secret(redis_server.url)))
        other.call("user.current")
    theirs = store.load()
    thread.join()

    assert results[0]["ID"] == "1"
    assert store.load() == theirs


@pytest.mark.parametrize("ahead", [-1000.0, 1000.0])
def test_with_redis_a_host_waits_its_time_whatever_the_clock_of_another_says(
    redis_server: Any, make_app: Callable[..., Bitrix24Client], portal: Emulator, time: Time, ahead: float
) -> None:
    from airflow_provider_b24.rest.redis_state import RedisState

    store = OtherHost(portal, time, after=20.0)

    class Killed(BaseException):
        pass

    def die(seconds: float) -> None:
        raise Killed

    def host(**options: Any) -> Bitrix24Client:
        state = RedisState(Secret(redis_server.url))
        return make_app(exchange_seconds=EXCHANGE, store=store, state=state, **options)

    with pytest.raises(Killed):
        host(wall_clock=lambda: time.now + ahead, sleep=die).call("user.current")

    assert host().call("user.current")["ID"] == "1"
    assert 20 <= sum(time.sleeps) <= 25
    assert refreshes(portal) == 1


# The mark


@pytest.mark.parametrize("state", list(MarkState))
def test_a_mark_is_read_as_it_was_written(state: MarkState) -> None:
    mark = RefreshMark("0123456789abcdef", state, 1_800_000_000.5)

    assert RefreshMark.read(str(mark)) == mark
    assert str(mark).isascii()
    assert len(str(mark)) < 100


@pytest.mark.parametrize(
    "text",
    ["", "0123456789abcdef", "a spending", "a spending soon", "a eaten 1", "a lost nan", " lost 1", "\ufffd"],
)
def test_other_texts_are_no_mark(text: str) -> None:
    assert RefreshMark.read(text) is None


def test_a_mark_from_the_future_is_known_as_such() -> None:
    mark = RefreshMark("a", MarkState.REFUSED, 1000.0)

    assert (mark.is_from_future(900.0), mark.is_from_future(950.0), mark.is_from_future(2000.0)) == (
        True,
        False,
        False,
    )


@pytest.mark.parametrize(("ahead", "times"), [(86400.0, 2), (0.0, 1)])
def test_a_mark_from_the_future_does_not_keep_a_valid_token_unused(
    make_app: Callable[..., Bitrix24Client], portal: Emulator, time: Time, ahead: float, times: int
) -> None:
    app = make_app()
    portal.expire_access_token()
    assert app.call("user.current")["ID"] == "1"
    portal.expire_access_token()
    mark = RefreshMark(fingerprint(portal.application.refresh_token), MarkState.REFUSED, time.now + ahead)
    (file,) = Path(os.environ["BITRIX24_STATE_DIR"]).glob("oauth-*")
    file.write_text(str(mark), encoding="utf-8")
    with contextlib.nullcontext() if ahead else pytest.raises(Bitrix24TokenRefreshError):
        app.call("user.current")

    assert refreshes(portal) == times


def test_the_clock_of_a_host_that_is_ahead_makes_no_negative_age() -> None:
    mark = RefreshMark("a", MarkState.REFUSED, 1000.0)

    assert mark.moved(50.0) == RefreshMark("a", MarkState.REFUSED, 1050.0)
    assert (mark.age(900.0), mark.age(1001.0)) == (0.0, 1.0)


def test_a_save_needs_less_time_than_is_given_to_it() -> None:
    from airflow_provider_b24.rest.token_chain import _SAVE_DELAYS

    assert sum(_SAVE_DELAYS) < token_refresh.SAVE_SECONDS

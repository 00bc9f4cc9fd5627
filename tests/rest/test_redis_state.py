"""The state in a real Redis: what it keeps there, and how calls go on while it fails."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError
from airflow_provider_b24.rest import redis_connection, redis_lock
from airflow_provider_b24.rest.file_state import FileState
from airflow_provider_b24.rest.rate_limit import Plan
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.redis_connection import PAUSE_SECONDS, RedisConnection
from airflow_provider_b24.rest.redis_state import RedisState
from tests.support.redis_server import PASSWORD, RedisServer

from .conftest import forked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PORTAL = "https://acme.bitrix24.com"
PLAN = Plan(drain=0.01, burst=50)

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_redis_state(clock: Clock) -> Callable[[str], RedisState]:
    def make(url: str) -> RedisState:
        return RedisState(Secret(url), connection=RedisConnection(Secret(url), monotonic=clock))

    return make


@pytest.fixture
def state(own_redis: RedisServer, make_redis_state: Callable[[str], RedisState]) -> RedisState:
    """The state in a Redis that the test may stop."""
    return make_redis_state(own_redis.url)


def waits(state: RedisState | FileState, count: int) -> list[float]:
    bucket = state.bucket(PORTAL, PLAN)
    return [bucket.reserve(max_wait=1e6) for _ in range(count)]


def use_all(state: RedisState) -> None:
    waits(state, 3)
    state.bucket(PORTAL, PLAN).refused()
    with state.lock("the_connection", limit=5) as mark:
        mark.write("a mark")


# What is there


def test_every_key_expires_by_itself_and_names_nobody(redis_server: RedisServer) -> None:
    use_all(RedisState(Secret(redis_server.url)))
    with redis_server.client() as client:
        keys = sorted(client.keys())
        expiries = [client.pttl(key) / 1000 for key in keys]

    assert [key.rpartition(b":")[0] for key in keys] == [
        b"airflow-provider-b24:bucket",
        b"airflow-provider-b24:oauth",
    ]
    assert all(60 < seconds < 31 * 86_400 for seconds in expiries)
    assert not any(word in key for key in keys for word in (b"acme", b"the_connection"))


def test_a_lock_without_a_mark_leaves_no_key_behind(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_lock, "LEASE_SECONDS", 0.3)
    with RedisState(Secret(redis_server.url)).lock("x"):
        pass
    with redis_server.client() as client:
        assert client.keys() == []


def test_it_works_over_a_unix_socket(redis_server: RedisServer) -> None:
    waits(RedisState(Secret(redis_server.socket_url)), 48)

    assert waits(RedisState(Secret(redis_server.url)), 1) == pytest.approx([100], rel=0.05)


def test_a_lock_that_was_lost_changes_nothing_and_says_so(redis_server: RedisServer) -> None:
    state = RedisState(Secret(redis_server.url))
    with state.lock("x") as mark:
        mark.write("of the first")
        with redis_server.client() as client:
            (key,) = client.keys()
            client.hset(key, mapping={"owner": "somebody else", "mark": "of the second"})
            assert not mark.is_held()
            mark.write("")
            kept = client.hmget(key, "owner", "mark")
    with redis_server.client() as client:
        assert kept == client.hmget(key, "owner", "mark") == [b"somebody else", b"of the second"]


def test_a_child_does_not_use_its_parents_connection(redis_server: RedisServer) -> None:
    state = RedisState(Secret(redis_server.url))
    waits(state, 10)
    children = [forked(lambda: waits(state, 100)) for _ in range(3)]
    given = waits(state, 100)
    for child in children:
        os.waitpid(child, 0)
    last = waits(state, 1)

    assert given == sorted(given)
    assert last == pytest.approx([(410 - 47) * 100], rel=0.01)


def test_threads_reserve_exactly(redis_server: RedisServer) -> None:
    state = RedisState(Secret(redis_server.url))
    given: list[float] = []
    threads = [threading.Thread(target=lambda: given.extend(waits(state, 20))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(given)[47:] == pytest.approx([place * 100 for place in range(113)], abs=5)


# While it fails


def test_without_redis_the_hosts_own_bucket_and_lock_are_used(
    state: RedisState, own_redis: RedisServer
) -> None:
    waits(state, 60)
    own_redis.stop()
    given = waits(state, 2)
    state.bucket(PORTAL, PLAN).refused()
    with state.lock("x", limit=1) as mark:
        mark.write("kept by the host")

    # Nobody knows what other hosts have sent, so there is no burst.
    assert given == pytest.approx([100, 200], rel=0.05)
    assert waits(FileState(), 1)[0] > 1000
    with FileState().lock("x") as mark:
        assert mark.read() == "kept by the host"


def test_it_is_left_alone_for_a_while_and_comes_back_by_itself(
    state: RedisState, own_redis: RedisServer, clock: Clock
) -> None:
    waits(state, 1)
    own_redis.stop()
    waits(state, 1)
    own_redis.start()
    waits(state, 1)
    with own_redis.client() as client:
        assert client.keys() == []
    clock.now += PAUSE_SECONDS

    # What was sent meanwhile is not known there: no burst at first.
    assert waits(state, 2) == pytest.approx([100, 200], rel=0.05)
    with own_redis.client() as client:
        assert len(client.keys()) == 1


class Address:
    """An address in front of servers: connections stay where they are, and new ones go to the target."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._socket.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=ends, daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError), source:
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


def test_after_a_failover_behind_one_address_the_new_server_is_used(
    make_redis_state: Callable[[str], RedisState], own_redis: RedisServer, clock: Clock, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    new = RedisServer(tmp_path / "new")
    address = Address(own_redis.port)
    state = make_redis_state(own_redis.url.replace(str(own_redis.port), str(address.port)))
    waits(state, 1)
    new.start()
    try:
        with own_redis.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
        address.target = new.port
        waits(state, 1)
        clock.now += PAUSE_SECONDS
        waits(state, 1)
        with new.client() as client:
            assert len(client.keys()) == 1
    finally:
        address.close()
        new.stop()


def test_a_url_can_not_make_redis_py_decode_replies(redis_server: RedisServer) -> None:
    state = RedisState(Secret(f"{redis_server.url}?decode_responses=true"))
    waits(state, 1)
    with state.lock("x") as mark:
        mark.write("a mark")
    with state.lock("x") as mark:
        assert mark.read() == "a mark"
    with redis_server.client() as client:
        assert len(client.keys()) == 2


def test_the_log_says_once_that_it_fails_and_once_that_it_works_again(
    state: RedisState, own_redis: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    own_redis.stop()
    for _ in range(5):
        use_all(state)
        clock.now += PAUSE_SECONDS
    own_redis.start()
    use_all(state)
    use_all(state)

    ours = [record for record in caplog.records if "[bitrix24] state_url" in record.getMessage()]
    assert [record.levelname for record in ours] == ["WARNING", "INFO"]
    assert "can't be reached" in ours[0].getMessage()
    assert_no_secret(caplog.text, own_redis)


def assert_no_secret(text: str, server: RedisServer) -> None:
    for secret in (PASSWORD, server.url, server.socket_url, str(server.port), "pass-w0rd"):
        assert secret not in text


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def test_a_silent_server_costs_a_bounded_time_once(
    make_redis_state: Callable[[str], RedisState],
    silent: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(redis_connection, "_TIMEOUT", 0.2)
    state = make_redis_state(silent)
    started = time.monotonic()
    assert len(waits(state, 50)) == 50
    first = time.monotonic() - started

    assert 0.2 <= first < 5
    assert "does not answer in time" in caplog.text


@pytest.mark.parametrize(
    ("break_it", "text"),
    [
        (["CONFIG SET requirepass another"], "refuses the user name or the password"),
        (["CONFIG SET maxmemory 1"], "answers with an error"),
        (["REPLICAOF 127.0.0.1 1"], "answers with an error"),
        (["ACL SETUSER default -@scripting"], "does not allow"),
    ],
)
def test_a_redis_that_refuses_is_named_and_no_call_fails(
    own_redis: RedisServer,
    make_redis_state: Callable[[str], RedisState],
    caplog: pytest.LogCaptureFixture,
    break_it: list[str],
    text: str,
) -> None:
    with own_redis.client() as client:
        for command in break_it:
            client.execute_command(*command.split())
    use_all(make_redis_state(own_redis.url))

    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert text in warnings[0]
    assert_no_secret(caplog.text, own_redis)


def test_a_redis_that_dies_under_the_lock_fails_nobody(state: RedisState, own_redis: RedisServer) -> None:
    with state.lock("x") as mark:
        own_redis.stop()
        mark.write("not kept")
        assert mark.is_held()


def test_options_that_redis_py_does_not_know_are_refused_without_the_url() -> None:
    for query in ("colour=red", "socket_timeout=soon", "db=first"):
        with pytest.raises(Bitrix24ConfigurationError, match=r"\[bitrix24\] state_url") as caught:
            RedisState(Secret(f"redis://:s3cretword@127.0.0.1:1/0?{query}"))
        assert "s3cretword" not in str(caught.value)
        assert caught.value.__context__ is None

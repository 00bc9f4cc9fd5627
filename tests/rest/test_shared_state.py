"""What processes share: the same promises with files and with a real Redis."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.exceptions import Bitrix24LockTimeoutError, Bitrix24RateLimitError, Outcome
from airflow_provider_b24.rest import redis_lock
from airflow_provider_b24.rest.limiter import BucketLimiter
from airflow_provider_b24.rest.rate_limit import PLANS, Plan
from tests.support.leaky_bucket import Portal

from .conftest import forked

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.rest.shared_state import SharedState

PORTAL = "https://acme.bitrix24.com"
#: Slow enough that the clock, which is real in Redis, moves by no place within a test.
PLAN = Plan(drain=0.01, burst=50)

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def waits(state: SharedState, count: int, *, plan: Plan = PLAN, portal: str = PORTAL) -> list[float]:
    bucket = state.bucket(portal, plan)
    return [bucket.reserve(max_wait=1e6) for _ in range(count)]


def test_a_burst_passes_at_once_and_the_rest_by_the_rate(state: SharedState) -> None:
    given = waits(state, 52)

    assert given[:48] == [0.0] * 48
    assert given[48:] == pytest.approx([100, 200, 300, 400], rel=0.05)


def test_another_process_goes_on_from_the_same_level(make_state: Callable[[], SharedState]) -> None:
    waits(make_state(), 49)

    assert waits(make_state(), 1) == pytest.approx([200], rel=0.05)


def test_each_portal_has_its_own_bucket(state: SharedState) -> None:
    waits(state, 60)

    assert waits(state, 1, portal="https://other.bitrix24.com") == [0.0]


def test_a_wait_above_the_maximum_reserves_nothing(state: SharedState) -> None:
    limiter = BucketLimiter(portal=PORTAL, plan=PLAN, max_wait=150, state=state, sleep=lambda _: None)
    for _ in range(49):
        limiter.wait()
    for _ in range(3):
        with pytest.raises(Bitrix24RateLimitError, match=r"200 s long.* 150 s at most") as caught:
            limiter.wait()

    assert caught.value.outcome is Outcome.NOT_EXECUTED


def test_a_refusal_slows_down_all_who_share_the_bucket(make_state: Callable[[], SharedState]) -> None:
    waits(make_state(), 10)
    make_state().bucket(PORTAL, PLAN).refused()
    first, second = waits(make_state(), 2)

    assert first > 150
    assert second - first > 100


def test_processes_share_one_bucket_exactly_and_in_order(
    make_state: Callable[[], SharedState], tmp_path: pathlib.Path
) -> None:
    plan = PLANS["enterprise"]
    assert plan is not None

    def fill(number: int) -> None:
        bucket = make_state().bucket(PORTAL, plan)
        due = []
        for _ in range(100):
            asked = time.time()
            due.append(asked + bucket.reserve(max_wait=1e6))
        (tmp_path / f"due-{number}").write_text(" ".join(map(str, due)))

    for child in [forked(partial(fill, number)) for number in range(4)]:
        os.waitpid(child, 0)
    each = [[float(due) for due in path.read_text().split()] for path in tmp_path.glob("due-*")]
    times = sorted(due for one in each for due in one)

    assert len(times) == 400
    assert all(one == sorted(one) for one in each)
    # Who is not scheduled between its reading of the clock and the reservation is late, never early.
    portal = Portal(Plan(plan.drain, plan.burst + 1))
    assert all(portal.admits(due) for due in times)
    assert times[-1] - times[0] <= (400 - plan.burst + 4) / plan.drain


# Locks


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> float:
    """Let the lock of a dead holder expire soon."""
    monkeypatch.setattr(redis_lock, "LEASE_SECONDS", 1.5)
    return 1.5


@pytest.fixture
def holder(make_state: Callable[[], SharedState]) -> Iterator[int]:
    """A process that holds the lock ``x`` and has left a mark."""
    reading, writing = os.pipe()

    def work() -> None:
        with make_state().lock("x") as mark:
            mark.write("left by the holder")
            os.write(writing, b"!")
            signal.pause()

    child = forked(work)
    os.read(reading, 1)
    yield child
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)


def test_a_lock_excludes_threads_and_states(make_state: Callable[[], SharedState]) -> None:
    inside: list[int] = []
    most: list[int] = []

    def enter() -> None:
        for _ in range(5):
            with make_state().lock("x"):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.002)
                inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [1] * 20


def test_locks_of_other_names_are_free(state: SharedState) -> None:
    with state.lock("x", limit=1), state.lock("y", limit=1):
        pass


def test_a_lock_that_is_not_released_is_a_typed_error(holder: int, state: SharedState) -> None:
    started = time.monotonic()
    error = pytest.raises(Bitrix24LockTimeoutError, match="Another process has held")
    with error as caught, state.lock("x", limit=0.3):
        pass

    assert time.monotonic() - started >= 0.3
    assert (caught.value.transient, caught.value.outcome) == (True, Outcome.NOT_EXECUTED)
    assert "look for a process" in str(caught.value)


def test_a_dead_holder_frees_the_lock_and_leaves_its_mark(
    short_lease: float, holder: int, state: SharedState
) -> None:
    os.kill(holder, signal.SIGKILL)
    with state.lock("x", limit=20) as mark:
        assert mark.read() == "left by the holder"
        assert mark.is_held()


def test_a_slow_holder_keeps_the_lock(short_lease: float, holder: int, state: SharedState) -> None:
    with pytest.raises(Bitrix24LockTimeoutError), state.lock("x", limit=2 * short_lease):
        pass


def test_a_mark_is_read_by_the_next_holder_until_it_is_removed(
    make_state: Callable[[], SharedState],
) -> None:
    read = []
    for text in ("first", "second", "", ""):
        with make_state().lock("x", limit=5) as mark:
            read.append(mark.read())
            mark.write(text)
            assert mark.read() == text

    assert read == ["", "first", "second", ""]


def test_a_lock_is_released_after_an_error(state: SharedState) -> None:
    with pytest.raises(ZeroDivisionError), state.lock("x"):
        _ = 1 / 0
    with state.lock("x", limit=0.05):
        pass

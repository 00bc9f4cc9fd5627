"""One leaky bucket for all processes of a host, which the portal never has to enforce."""

from __future__ import annotations

import errno
import os
import signal
import struct
from functools import partial
from time import sleep
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Bitrix24RateLimitError, Outcome
from airflow_provider_b24.rest.rate_limit import (
    PLANS,
    HostBucket,
    Level,
    NoLimit,
    Plan,
    penalize,
    penalty_at,
    reserve,
)
from airflow_provider_b24.rest.shared_state import locked, state_file

from .conftest import forked

if TYPE_CHECKING:
    import pathlib

    from .conftest import Time

PORTAL = "https://acme.bitrix24.com"
PLAN = Plan(drain=2.0, burst=50)
NOW = 1_800_000_000.0

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def bucket(time: Time) -> HostBucket:
    return HostBucket(portal=PORTAL, plan=PLAN, clock=time, sleep=time.sleep)


@pytest.fixture
def file() -> pathlib.Path:
    return state_file("bucket", PORTAL)


def burst_left(time: Time) -> int:
    """Return how many requests may go at once."""
    before = len(time.sleeps)
    one = HostBucket(portal=PORTAL, plan=PLAN, clock=time, sleep=time.sleep)
    count = 0
    while len(time.sleeps) == before:
        one.wait()
        count += 1
    return count - 1


class Portal:
    """The portal's own bucket, as its documentation has it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.level = 0.0
        self.at = 0.0

    def admits(self, at: float) -> bool:
        self.level = max(0.0, self.level - (at - self.at) * self.plan.drain)
        self.at = at
        self.level += 1
        # Unix time as a float is exact to some 0.0000002 s only.
        return self.level <= self.plan.burst + 0.001


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([PLANS["standard"], PLANS["enterprise"], Plan(2.0, 3), Plan(0.5, 1)]),
    st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=200),
)
def test_reserved_slots_never_exceed_the_portals_limit(plan: Plan, pauses: list[float]) -> None:
    level, now = Level(), NOW
    portal = Portal(plan)
    for pause in pauses:
        now += pause
        level, wait = reserve(level, plan, now)
        assert portal.admits(now + wait)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1, allow_nan=False), min_size=1, max_size=100))
def test_slots_are_granted_in_the_order_of_the_reservations(pauses: list[float]) -> None:
    level, now, last = Level(), NOW, 0.0
    for pause in pauses:
        now += pause
        level, wait = reserve(level, Plan(2.0, 5), now)
        assert now + wait >= last
        last = now + wait


def test_reserved_slots_use_the_full_rate() -> None:
    level, times = Level(), []
    for _ in range(120):
        level, wait = reserve(level, PLAN, NOW)
        times.append(wait)

    # The portal's own limit for 120 requests is (120 - 50) / 2 = 35 s.
    assert times[-1] <= 35 * 1.05
    assert times.count(0.0) == 48


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10), st.floats(0, 1000, allow_nan=False))
def test_the_penalty_of_a_refusal_decays(refusals: int, later: float) -> None:
    level = Level()
    for _ in range(refusals):
        level = penalize(level, PLAN, NOW)

    assert penalty_at(level, NOW) == min(2.0**refusals, 8.0)
    assert 1.0 <= penalty_at(level, NOW + later) <= penalty_at(level, NOW)
    assert penalty_at(level, NOW + 600) == pytest.approx(1.0, abs=0.001)


def test_a_refusal_fills_the_bucket() -> None:
    level = penalize(Level(), PLAN, NOW)
    level, first = reserve(level, PLAN, NOW)
    _, second = reserve(level, PLAN, NOW)

    assert (first, second) == (1.0, 2.0)


def test_wait_does_not_sleep_within_the_burst(bucket: HostBucket, time: Time) -> None:
    for _ in range(48):
        bucket.wait()

    assert time.sleeps == []


def test_wait_sleeps_until_a_slot_is_free(bucket: HostBucket, time: Time) -> None:
    for _ in range(50):
        bucket.wait()

    assert time.sleeps == pytest.approx([0.5, 0.5], abs=1e-5)


def test_each_portal_has_its_own_bucket(bucket: HostBucket, time: Time) -> None:
    other = HostBucket(portal="https://other.bitrix24.com", plan=PLAN, clock=time, sleep=time.sleep)
    for _ in range(48):
        bucket.wait()
    for _ in range(48):
        other.wait()

    assert time.sleeps == []


def test_two_buckets_of_one_portal_share_their_level(bucket: HostBucket, time: Time) -> None:
    for _ in range(40):
        bucket.wait()

    assert burst_left(time) == 8


def test_a_wait_above_the_maximum_is_refused_and_reserves_nothing(time: Time) -> None:
    slept: list[float] = []
    bucket = HostBucket(portal=PORTAL, plan=PLAN, max_wait=1.0, clock=time, sleep=slept.append)
    for _ in range(50):
        bucket.wait()
    for _ in range(3):
        with pytest.raises(Bitrix24RateLimitError, match=r"2 s long.* 1 s at most") as caught:
            bucket.wait()

    assert caught.value.outcome is Outcome.NOT_EXECUTED
    assert slept == pytest.approx([0.5, 1.0], abs=1e-5)
    time.now += 1.0
    bucket.wait()


def test_a_refusal_slows_every_process_of_the_host(bucket: HostBucket, time: Time) -> None:
    HostBucket(portal=PORTAL, plan=PLAN, clock=time, sleep=time.sleep).refused()
    bucket.wait()
    bucket.wait()

    assert 1.0 <= time.sleeps[0] <= 1.5
    assert 0.9 <= time.sleeps[1] <= 1.0


def test_the_pause_after_a_refusal_has_jitter(time: Time) -> None:
    waits = set()
    for number in range(10):
        bucket = HostBucket(portal=f"https://{number}.example", plan=PLAN, clock=time, sleep=waits.add)
        bucket.refused()
        bucket.wait()

    assert len(waits) > 1


def test_the_full_rate_returns_ten_minutes_after_a_refusal(bucket: HostBucket, time: Time) -> None:
    for _ in range(5):
        bucket.refused()
    time.now += 600

    assert burst_left(time) >= 47


@pytest.mark.parametrize("back", [1.0, 3600.0, 86_400.0 * 365])
def test_a_clock_set_back_does_not_stop_the_host(bucket: HostBucket, time: Time, back: float) -> None:
    for _ in range(50):
        bucket.wait()
    time.sleeps.clear()
    time.now -= back
    bucket.wait()

    # The half second before the clock was set back is not seen.
    assert time.sleeps == pytest.approx([1.0], abs=1e-3)


def test_the_penalty_decays_after_the_clock_was_set_back(bucket: HostBucket, time: Time) -> None:
    bucket.refused()
    time.now -= 3600
    bucket.wait()
    time.now += 600

    assert burst_left(time) >= 47


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"\xff" * 32,
        b"\0" * 24,
        struct.pack("<dddd", float("nan"), 1.0, 0.0, 0.0),
        struct.pack("<dddd", NOW, float("nan"), 0.0, NOW),
        struct.pack("<dddd", 1e300, 1.0, 0.0, NOW),
        struct.pack("<dddd", NOW, 1e300, 0.0, NOW),
        struct.pack("<dddd", NOW, 2.0, 1e300, NOW),
        struct.pack("<dddd", NOW, 0.0, 0.0, NOW),
        struct.pack("<dddd", float("inf"), 1.0, 0.0, float("inf")),
        b"x" * 10_000,
    ],
)
def test_a_broken_file_neither_stops_the_host_nor_lifts_the_limit(
    file: pathlib.Path, time: Time, content: bytes
) -> None:
    file.write_bytes(content)

    assert burst_left(time) == 48
    assert sum(time.sleeps) < 1


def test_many_processes_share_one_bucket_exactly(tmp_path: pathlib.Path) -> None:
    """The clock stands still, so that the reserved times alone are counted."""

    def slow_clock() -> float:
        # It is read while the lock is held: long enough for others to come between, were there none.
        sleep(0.0001)
        return NOW

    def fill(number: int) -> None:
        waits: list[float] = []
        bucket = HostBucket(portal=PORTAL, plan=PLAN, clock=slow_clock, sleep=waits.append)
        for _ in range(100):
            bucket.wait()
        waits = [0.0] * (100 - len(waits)) + waits
        (tmp_path / f"waits-{number}").write_text(" ".join(map(str, waits)))

    for child in [forked(partial(fill, number)) for number in range(6)]:
        os.waitpid(child, 0)
    times = sorted(float(wait) for path in tmp_path.glob("waits-*") for wait in path.read_text().split())

    assert len(times) == 600
    expected = [max(0.0, (place - 47) * 0.5) for place in range(600)]
    assert times == pytest.approx(expected, abs=1e-3)
    portal = Portal(PLAN)
    assert all(portal.admits(NOW + wait) for wait in times)


def test_a_process_killed_while_it_reserves_blocks_no_other(bucket: HostBucket, time: Time) -> None:
    reading, writing = os.pipe()

    def hold() -> None:
        with locked(state_file("bucket", PORTAL)):
            os.write(writing, b"!")
            signal.pause()

    child = forked(hold)
    os.read(reading, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    bucket.wait()

    assert burst_left(time) == 47
    os.close(reading)
    os.close(writing)


def test_no_limit_never_waits() -> None:
    limit = NoLimit()
    limit.refused()

    assert [limit.wait() for _ in range(1000)] == [None] * 1000  # type: ignore[func-returns-value]


@pytest.mark.parametrize("call", ["os.open", "fcntl.flock", "os.pwrite"])
def test_without_its_file_the_bucket_is_one_of_the_process(
    bucket: HostBucket,
    time: Time,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    call: str,
) -> None:
    def fail(*args: object) -> None:
        raise OSError(errno.ENOSPC, "said the disk")

    for _ in range(30):
        bucket.wait()
    with monkeypatch.context() as patch:
        patch.setattr(call, fail)
        for _ in range(15):
            bucket.wait()
        bucket.refused()
        bucket.wait()

    assert 1.0 <= sum(time.sleeps) <= 1.5
    assert len(caplog.messages) == 1
    time.sleeps.clear()
    bucket.wait()

    # The requests and the refusal of the time without a file are in the file now.
    assert 0.9 <= sum(time.sleeps) <= 1.0

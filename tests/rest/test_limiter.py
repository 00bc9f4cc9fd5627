"""A limiter with the bucket of a host's files, which the portal never has to enforce."""

from __future__ import annotations

import errno
import os
import signal
from functools import partial
from time import sleep
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24RateLimitError, Outcome
from airflow_provider_b24.rest.file_state import FileState
from airflow_provider_b24.rest.limiter import BucketLimiter, NoLimit
from airflow_provider_b24.rest.rate_limit import Plan
from airflow_provider_b24.rest.state_files import locked, state_file
from tests.support.leaky_bucket import Portal

from .conftest import forked

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

    from .conftest import Time

PORTAL = "https://acme.bitrix24.com"
PLAN = Plan(drain=2.0, burst=50)
NOW = 1_800_000_000.0

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def limiter_of(clock: Callable[[], float], sleep: Callable[[float], None], **options: Any) -> BucketLimiter:
    return BucketLimiter(
        **{"portal": PORTAL, "plan": PLAN, "state": FileState(clock=clock), "sleep": sleep, **options}
    )


@pytest.fixture
def bucket(time: Time) -> BucketLimiter:
    return limiter_of(time, time.sleep)


@pytest.fixture
def file() -> pathlib.Path:
    return state_file("bucket", PORTAL)


def burst_left(time: Time) -> int:
    """Return how many requests may go at once."""
    before = len(time.sleeps)
    one = limiter_of(time, time.sleep)
    count = 0
    while len(time.sleeps) == before:
        one.wait()
        count += 1
    return count - 1


def test_wait_does_not_sleep_within_the_burst(bucket: BucketLimiter, time: Time) -> None:
    for _ in range(48):
        bucket.wait()

    assert time.sleeps == []


def test_wait_sleeps_until_a_slot_is_free(bucket: BucketLimiter, time: Time) -> None:
    for _ in range(50):
        bucket.wait()

    assert time.sleeps == pytest.approx([0.5, 0.5], abs=1e-5)


def test_each_portal_has_its_own_bucket(bucket: BucketLimiter, time: Time) -> None:
    other = limiter_of(time, time.sleep, portal="https://other.bitrix24.com")
    for _ in range(48):
        bucket.wait()
    for _ in range(48):
        other.wait()

    assert time.sleeps == []


def test_two_buckets_of_one_portal_share_their_level(bucket: BucketLimiter, time: Time) -> None:
    for _ in range(40):
        bucket.wait()

    assert burst_left(time) == 8


def test_a_wait_above_the_maximum_is_refused_and_reserves_nothing(time: Time) -> None:
    slept: list[float] = []
    bucket = limiter_of(time, slept.append, max_wait=1.0)
    for _ in range(50):
        bucket.wait()
    for _ in range(3):
        with pytest.raises(Bitrix24RateLimitError, match=r"2 s long.* 1 s at most") as caught:
            bucket.wait()

    assert caught.value.outcome is Outcome.NOT_EXECUTED
    assert slept == pytest.approx([0.5, 1.0], abs=1e-5)
    time.now += 1.0
    bucket.wait()


def test_a_refusal_slows_every_process_of_the_host(bucket: BucketLimiter, time: Time) -> None:
    limiter_of(time, time.sleep).refused()
    bucket.wait()
    bucket.wait()

    assert all(pause >= 5 for pause in time.sleeps)


def test_the_pause_after_a_refusal_has_jitter(time: Time) -> None:
    waits = set()
    for number in range(10):
        bucket = limiter_of(time, waits.add, portal=f"https://{number}.example")
        bucket.refused()
        bucket.wait()

    assert len(waits) > 1


def test_the_full_rate_returns_a_quarter_of_an_hour_after_a_refusal(
    bucket: BucketLimiter, time: Time
) -> None:
    for _ in range(5):
        bucket.refused()
    time.now += 900

    assert burst_left(time) >= 47


@pytest.mark.parametrize("back", [1.0, 3600.0, 86_400.0 * 365])
def test_a_clock_set_back_does_not_stop_the_host(bucket: BucketLimiter, time: Time, back: float) -> None:
    for _ in range(50):
        bucket.wait()
    time.sleeps.clear()
    time.now -= back
    bucket.wait()

    # The half second before the clock was set back is not seen.
    assert time.sleeps == pytest.approx([1.0], abs=1e-3)


def test_the_share_grows_after_the_clock_was_set_back(bucket: BucketLimiter, time: Time) -> None:
    bucket.refused()
    time.now -= 3600
    bucket.wait()
    time.now += 900

    assert burst_left(time) >= 47


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"\xff" * 32,
        b"\0" * 24,
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
        bucket = limiter_of(slow_clock, waits.append)
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


def test_a_process_killed_while_it_reserves_blocks_no_other(bucket: BucketLimiter, time: Time) -> None:
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
    bucket: BucketLimiter,
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

    assert len(time.sleeps) == 1
    assert len(caplog.messages) == 1
    time.sleeps.clear()
    bucket.wait()

    # The requests and the refusal of the time without a file are in the file now.
    assert 0.5 < sum(time.sleeps) < 1.5

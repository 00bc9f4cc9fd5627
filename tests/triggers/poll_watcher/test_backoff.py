"""Delays after failures in a row, and how often they are logged."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.triggers.poll_watcher.backoff import FailureBackoff


@pytest.fixture
def backoff() -> FailureBackoff:
    return FailureBackoff(base_delay=0.5, max_delay=60.0, random_=lambda: 1.0)


def hours(backoff: FailureBackoff, count: float) -> tuple[int, list[float]]:
    """Fail for so many hours; return the number of failures, and when they were logged."""
    now, failures, logged = 0.0, 0, []
    while now < 3600 * count:
        delay = backoff.record_failure(now, permanent=False)
        failures += 1
        if backoff.should_log(now):
            logged.append(now)
        now += delay
    return failures, logged


def test_delays_double_up_to_the_maximum(backoff: FailureBackoff) -> None:
    delays = [backoff.record_failure(0.0, permanent=False) for _ in range(10)]

    assert delays == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.integers(1, 5_000))
def test_jitter_takes_at_most_half_of_a_delay(chance: float, failures: int) -> None:
    backoff = FailureBackoff(base_delay=0.5, max_delay=60.0, random_=lambda: chance)
    delay = 0.0
    for _ in range(failures):
        delay = backoff.record_failure(0.0, permanent=False)

    assert 0.25 <= delay <= 60.0
    assert delay >= min(0.25 * 2 ** min(failures - 1, 30), 30.0)


def test_an_outage_of_an_hour_is_logged_four_times_and_one_of_a_day_less_than_thirty(
    backoff: FailureBackoff,
) -> None:
    failures, logged = hours(backoff, 1)

    assert failures < 100
    assert [round(at) // 60 for at in logged] == [0, 1, 5, 21]
    assert len(hours(FailureBackoff(base_delay=0.5, max_delay=60.0), 24)[1]) <= 30


def test_a_success_returns_how_long_the_failures_lasted_and_begins_again(backoff: FailureBackoff) -> None:
    assert backoff.record_success(5.0) is None
    backoff.record_failure(10.0, permanent=False)
    backoff.record_failure(40.0, permanent=False)

    assert backoff.record_success(100.0) == 90.0
    assert backoff.record_success(101.0) is None
    assert backoff.record_failure(110.0, permanent=False) == 0.5
    assert backoff.should_log(110.0)


def test_permanent_for_counts_permanent_failures_only(backoff: FailureBackoff) -> None:
    backoff.record_failure(0.0, permanent=False)
    assert backoff.permanent_for(1_000.0) == 0.0
    backoff.record_failure(1_000.0, permanent=True)
    backoff.record_failure(1_300.0, permanent=True)
    assert backoff.permanent_for(1_300.0) == 300.0
    backoff.record_failure(1_400.0, permanent=False)
    assert backoff.permanent_for(1_400.0) == 0.0
    backoff.record_failure(1_500.0, permanent=True)
    backoff.record_success(1_600.0)
    assert backoff.permanent_for(1_700.0) == 0.0


def test_nothing_failed_at_first() -> None:
    backoff = FailureBackoff(base_delay=0.5, max_delay=60.0)

    assert backoff.permanent_for(10.0) == 0.0
    assert backoff.should_log(0.5)

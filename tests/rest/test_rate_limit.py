"""The portal's leaky bucket, and the share of it that refusals teach."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.rest.rate_limit import (
    PLANS,
    Level,
    Plan,
    fill,
    pack,
    penalize,
    reserve,
    share_at,
    unpack,
)
from tests.support.leaky_bucket import Portal

PLAN = Plan(drain=2.0, burst=50)
NOW = 1_800_000_000.0


def sent(count: int, *, now: float = NOW) -> Level:
    """A bucket to which so many requests were added at once."""
    level = Level()
    for _ in range(count):
        level, _ = reserve(level, PLAN, now)
    return level


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


def test_a_first_refusal_teaches_what_was_sent_of_a_full_bucket() -> None:
    shares = [share_at(penalize(sent(count), PLAN, NOW), PLAN, NOW) for count in (1, 3, 7, 13, 26, 49)]

    # The seventh is about a tenth of fifty, and so on. Who has sent less is not taken for less than a tenth.
    assert shares == pytest.approx([0.1, 0.1, 0.12, 0.2, 0.38, 0.65], rel=0.2)
    assert shares == sorted(shares)


def test_a_refusal_forfeits_the_burst_and_slows_down() -> None:
    level = penalize(sent(7), PLAN, NOW)
    level, first = reserve(level, PLAN, NOW)
    level, second = reserve(level, PLAN, NOW)
    interval = PLAN.interval / share_at(level, PLAN, NOW)

    assert interval > 3
    assert first > interval
    assert second - first == pytest.approx(interval)


def test_refusals_that_were_in_flight_together_count_once() -> None:
    level = penalize(sent(10), PLAN, NOW)
    again = penalize(level, PLAN, NOW + 0.5)

    assert (again.share, again.peak, again.refused_at) == (level.share, level.peak, level.refused_at)


def test_a_later_refusal_cuts_the_share_that_was_used() -> None:
    level = penalize(sent(10), PLAN, NOW)
    now = NOW
    for _ in range(200):
        level, wait = reserve(level, PLAN, now)
        now += wait
    before = share_at(level, PLAN, now)
    after = penalize(level, PLAN, now)

    assert share_at(after, PLAN, now) == pytest.approx(before * 0.85, rel=0.01)


def test_a_share_that_was_not_used_is_cut_to_what_was() -> None:
    level = penalize(sent(24), PLAN, NOW)
    now = NOW + 100
    before, used = share_at(level, PLAN, now), level
    for number in range(3):
        used = penalize(used, PLAN, now + 2 * number)

    assert before > 0.3
    assert share_at(penalize(level, PLAN, now), PLAN, now) == pytest.approx(before * 0.5 * 0.85)
    assert share_at(used, PLAN, now + 4) < 0.06


@pytest.mark.parametrize("before", [1, 5, 20])
def test_a_host_that_is_refused_once_makes_ten_calls_within_a_minute(before: int) -> None:
    level, now = penalize(sent(before), PLAN, NOW, jitter=0.5), NOW
    for _ in range(10):
        level, wait = reserve(level, PLAN, now)
        now += wait

    assert now - NOW < 60


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 48), st.integers(1, 10), st.floats(0, 1000, allow_nan=False))
def test_the_share_grows_until_it_is_the_whole_again(count: int, refusals: int, later: float) -> None:
    level = sent(count)
    for number in range(refusals):
        level = penalize(level, PLAN, NOW + 2 * number)
    last = NOW + 2 * refusals
    shares = [share_at(level, PLAN, last + seconds) for seconds in sorted({0.0, later, 900.0})]

    assert shares == sorted(shares)
    assert 0.008 <= shares[0] <= 0.9
    assert shares[-1] == 1.0


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 48), st.floats(0, 1, allow_nan=False))
def test_the_pause_after_a_refusal_has_jitter(count: int, jitter: float) -> None:
    level = penalize(sent(count + 1), PLAN, NOW, jitter=jitter)
    _, wait = reserve(level, PLAN, NOW)
    _, least = reserve(penalize(sent(count + 1), PLAN, NOW), PLAN, NOW)

    assert wait - least == pytest.approx(1.5 * jitter * PLAN.interval / level.share, abs=1e-5)


def test_a_filled_bucket_has_no_burst_and_the_full_rate() -> None:
    level = fill(Level(), PLAN, NOW)
    waits = []
    for _ in range(3):
        level, wait = reserve(level, PLAN, NOW)
        waits.append(wait)

    assert waits == pytest.approx([0.5, 1.0, 1.5])
    assert share_at(level, PLAN, NOW) == 1.0


@pytest.mark.parametrize(("known", "least"), [({}, 0.125), ({"share": 1.0}, 0.6)])
def test_a_refusal_soon_after_a_fill_leaves_a_share_that_can_be_worked_with(
    known: dict[str, float], least: float
) -> None:
    level, _ = reserve(fill(Level(), PLAN, NOW, **known), PLAN, NOW)

    level = penalize(level, PLAN, NOW + 0.5)

    assert share_at(level, PLAN, NOW + 0.5) >= least * 0.95


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([PLANS["standard"], PLANS["enterprise"], Plan(0.5, 1)]),
    st.lists(st.tuples(st.floats(-50, 100, allow_nan=False), st.booleans()), max_size=100),
)
def test_what_is_packed_is_unpacked_as_it_was(plan: Plan, steps: list[tuple[float, bool]]) -> None:
    level, now = Level(), NOW
    for seconds, is_refused in steps:
        now += seconds
        level = penalize(level, plan, now, jitter=0.5) if is_refused else reserve(level, plan, now)[0]
        assert unpack(pack(level)) == level


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        b"\xff" * 56,
        b"\0" * 48,
        struct.pack("<ddddddd", float("nan"), 0, 1, 1, 0, 0, NOW),
        struct.pack("<ddddddd", NOW, float("nan"), 1, 1, 0, 0, NOW),
        struct.pack("<ddddddd", 1e300, 0, 1, 1, 0, 0, NOW),
        struct.pack("<ddddddd", NOW, -1, 1, 1, 0, 0, NOW),
        struct.pack("<ddddddd", NOW, 0, 0, 1, 0, 0, NOW),
        struct.pack("<ddddddd", NOW, 0, 0.5, 0.4, 0, 0, NOW),
        struct.pack("<ddddddd", NOW, 0, 1, 2, 0, 0, NOW),
        struct.pack("<ddddddd", NOW, 0, 0.5, 0.5, 1e300, 0, NOW),
        struct.pack("<ddddddd", NOW, 0, 0.5, 0.5, 0, 1e300, NOW),
        struct.pack("<ddddddd", float("inf"), 0, 1, 1, 0, 0, float("inf")),
    ],
)
def test_bytes_that_can_not_be_a_level_are_an_empty_bucket(data: bytes) -> None:
    assert unpack(data) == Level()

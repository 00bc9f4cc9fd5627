"""The script that Redis runs says the same as the functions of the rate limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_b24.rest import redis_bucket
from airflow_provider_b24.rest.rate_limit import (
    MEMORY,
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

if TYPE_CHECKING:
    from typing import Any

    from tests.support.redis_server import RedisServer

KEY = "the-bucket"
NOW = 1_800_000_000.0
#: The script with a clock of the test in place of Redis's.
SCRIPT = redis_bucket._HEADER + "local now = tonumber(ARGV[6])\n" + redis_bucket._BUCKET

steps = st.tuples(
    st.sampled_from(["reserve", "reserve", "reserve", "penalize", "fill"]),
    # Seconds since the step before: at once, soon, much later, and with a clock that was set back.
    st.one_of(st.just(0.0), st.floats(0, 5), st.floats(0, 2000), st.floats(-100, 0)),
    st.floats(0, 1),
    st.integers(1, 30),
)
plans = st.sampled_from([PLANS["standard"], PLANS["enterprise"], Plan(0.5, 1), Plan(3.0, 7)])
MAX_WAIT = 60.0


def lost(plan: Plan, now: float) -> Level:
    """Return what a lost key counts as: a bucket that is empty, and was filled by those who share the key."""
    return Level(recent=MEMORY * plan.burst, at=now)


def in_python(level: Level, action: str, plan: Plan, now: float, jitter: float) -> tuple[Level, float]:
    if action == "penalize":
        return penalize(level, plan, now, jitter=jitter), 0.0
    if action == "fill":
        return fill(level, plan, now, share=jitter), 0.0
    after, wait = reserve(level, plan, now)
    return (after if wait <= MAX_WAIT else level), wait


def in_redis(client: Any, action: str, plan: Plan, now: float, jitter: float) -> float:
    argument = MAX_WAIT if action == "reserve" else jitter
    numbers = [plan.drain, float(plan.burst), plan.tolerance, argument, now]
    return float(client.eval(SCRIPT, 1, KEY, action, *map(repr, numbers)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans, st.lists(steps, min_size=1, max_size=25))
def test_redis_and_python_agree_on_every_history(
    redis_server: RedisServer, plan: Plan, history: list[tuple[str, float, float, int]]
) -> None:
    level, now = lost(plan, NOW + history[0][1]), NOW
    with redis_server.client() as client:
        client.delete(KEY)
        for action, seconds, jitter, times in history:
            now += seconds
            for _ in range(times if action == "reserve" else 1):
                level, wait = in_python(level, action, plan, now, jitter)
                assert in_redis(client, action, plan, now, jitter) == pytest.approx(wait, abs=1e-6)
            found = unpack(client.get(KEY) or b"")
            assert vars(found) == pytest.approx(vars(level), rel=1e-12, abs=1e-6)


@pytest.mark.parametrize("data", [b"", b"short", b"\xff" * 56, b"x" * 10_000])
def test_a_broken_value_is_an_empty_bucket(redis_server: RedisServer, data: bytes) -> None:
    plan = Plan(2.0, 50)
    with redis_server.client() as client:
        client.set(KEY, data)

        assert in_redis(client, "reserve", plan, NOW, 0.0) == 0.0
        assert client.get(KEY) == pack(reserve(lost(plan, NOW), plan, NOW)[0])


@pytest.mark.parametrize("field", range(7))
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300, -1.0])
def test_a_level_that_can_not_be_is_an_empty_bucket_in_both(
    redis_server: RedisServer, field: int, value: float
) -> None:
    import struct

    numbers = [NOW, 3.0, 0.4, 0.5, 20.0, NOW - 5, NOW]
    numbers[field] = value
    data, plan = struct.pack("<7d", *numbers), Plan(2.0, 50)
    with redis_server.client() as client:
        client.set(KEY, data)
        in_redis(client, "reserve", plan, NOW, 0.0)

        read = unpack(data)
        assert unpack(client.get(KEY)) == reserve(read if read.at else lost(plan, NOW), plan, NOW)[0]


def test_a_refusal_after_a_lost_key_leaves_most_of_the_limit(redis_server: RedisServer) -> None:
    plan = Plan(2.0, 50)
    with redis_server.client() as client:
        client.delete(KEY)
        in_redis(client, "reserve", plan, NOW, 0.0)
        in_redis(client, "penalize", plan, NOW, 0.0)

        assert share_at(unpack(client.get(KEY)), plan, NOW) >= 0.6

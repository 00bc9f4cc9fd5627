"""What follows a failed attempt: the outcome table times the safety of the method."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Outcome
from airflow_provider_b24.rest.response import Failure
from airflow_provider_b24.rest.retry import GiveUp, RefreshToken, RetryPolicy, Wait, next_step

POLICY = RetryPolicy(
    max_attempts=4, max_rate_limit_attempts=12, base_delay=0.5, max_delay=20.0, max_rate_limit_delay=5.0
)
NOT_EXECUTED, REFUSED, UNKNOWN = Outcome.NOT_EXECUTED, Outcome.REFUSED, Outcome.UNKNOWN

LIMIT = Failure(NOT_EXECUTED, code="QUERY_LIMIT_EXCEEDED", status=503)
OPERATING = Failure(NOT_EXECUTED, code="OPERATION_TIME_LIMIT", status=429)


@pytest.mark.parametrize(
    ("failure", "idempotent", "kind"),
    [
        (Failure(NOT_EXECUTED), False, Wait),
        (Failure(NOT_EXECUTED), True, Wait),
        (Failure(NOT_EXECUTED, status=429), False, Wait),
        (LIMIT, False, Wait),
        (LIMIT, True, Wait),
        (Failure(REFUSED, code="ACCESS_DENIED", status=403), True, GiveUp),
        (Failure(REFUSED, code="0", status=400), False, GiveUp),
        (Failure(REFUSED, status=302), True, GiveUp),
        (Failure(UNKNOWN), True, Wait),
        (Failure(UNKNOWN), False, GiveUp),
        (Failure(UNKNOWN, code="INTERNAL_SERVER_ERROR", status=500), True, Wait),
        (Failure(UNKNOWN, code="INTERNAL_SERVER_ERROR", status=500), False, GiveUp),
        (Failure(NOT_EXECUTED, retryable=False), True, GiveUp),
        (Failure(UNKNOWN, retryable=False), True, GiveUp),
        (Failure(NOT_EXECUTED, code="OVERLOAD_LIMIT", status=503), True, GiveUp),
        (Failure(NOT_EXECUTED, code="QUERY_LIMIT_EXCEEDED", status=401), True, GiveUp),
        (Failure(NOT_EXECUTED, code="expired_token", status=401), False, RefreshToken),
        (Failure(REFUSED, code="invalid_token", status=401), False, RefreshToken),
    ],
)
def test_next_step_depends_on_the_outcome_and_on_idempotency(
    failure: Failure, idempotent: bool, kind: type[object]
) -> None:
    assert isinstance(next_step(failure, attempt=1, idempotent=idempotent, policy=POLICY), kind)


@pytest.mark.parametrize("code", ["expired_token", "EXPIRED_TOKEN", "invalid_token"])
def test_next_step_refreshes_the_token_once(code: str) -> None:
    failure = Failure(NOT_EXECUTED, code=code, status=401)

    assert next_step(failure, attempt=9, idempotent=False, policy=POLICY) == RefreshToken()
    assert next_step(failure, attempt=2, idempotent=True, policy=POLICY, refreshed=True) == GiveUp()


@pytest.mark.parametrize(
    ("failure", "last"),
    [(Failure(NOT_EXECUTED), 4), (Failure(UNKNOWN), 4), (LIMIT, POLICY.max_rate_limit_attempts)],
)
def test_next_step_gives_up_after_max_attempts(failure: Failure, last: int) -> None:
    before = next_step(failure, attempt=last - 1, idempotent=True, policy=POLICY)
    after = next_step(failure, attempt=last, idempotent=True, policy=POLICY)

    assert isinstance(before, Wait)
    assert after == GiveUp()


@pytest.mark.parametrize(
    ("reset_in", "step"),
    [
        (None, GiveUp()),
        (121.0, GiveUp()),
        (120.0, Wait(120.5)),
        (3.0, Wait(3.5)),
        (0.0, Wait(0.5)),
        (-50.0, Wait(0.5)),
    ],
)
def test_next_step_waits_for_operating_time_only_if_its_reset_is_near(
    reset_in: float | None, step: Wait | GiveUp
) -> None:
    assert next_step(OPERATING, attempt=1, idempotent=False, policy=POLICY, reset_in=reset_in) == step


def test_next_step_gives_up_on_operating_time_after_max_attempts() -> None:
    assert next_step(OPERATING, attempt=4, idempotent=True, policy=POLICY, reset_in=1.0) == GiveUp()


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 11), st.floats(0, 1, exclude_max=True), st.sampled_from([5.0, 20.0]))
def test_the_backoff_grows_exponentially_up_to_its_maximum(attempt: int, luck: float, bound: float) -> None:
    failure = LIMIT if bound == 5.0 else Failure(UNKNOWN)
    policy = replace(POLICY, max_attempts=12)
    step = next_step(failure, attempt=attempt, idempotent=True, policy=policy, random_=lambda: luck)
    full = min(0.5 * 2 ** (attempt - 1), bound)

    assert isinstance(step, Wait)
    assert full / 2 <= step.seconds <= full


@pytest.mark.parametrize(("luck", "seconds"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_the_jitter_is_half_of_the_delay(luck: float, seconds: float) -> None:
    step = next_step(LIMIT, attempt=2, idempotent=True, policy=POLICY, random_=lambda: luck)

    assert step == Wait(seconds)


def test_the_backoff_has_jitter() -> None:
    steps = [next_step(LIMIT, attempt=3, idempotent=True, policy=POLICY) for _ in range(20)]

    assert len({step.seconds for step in steps if isinstance(step, Wait)}) > 1


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["", "0", "ACCESS_DENIED", "INTERNAL_SERVER_ERROR"]),
    st.sampled_from([None, 200, 400, 500, 502, 503]),
    st.integers(1, 20),
)
def test_next_step_never_retries_an_unsafe_method_with_unknown_outcome(
    code: str, status: int | None, attempt: int
) -> None:
    failure = Failure(UNKNOWN, code=code, status=status)

    assert next_step(failure, attempt=attempt, idempotent=False, policy=POLICY) == GiveUp()

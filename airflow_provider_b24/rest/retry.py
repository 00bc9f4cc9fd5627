"""What follows a failed attempt: a pause with backoff and jitter, a token refresh, or the error. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import Outcome
from airflow_provider_b24.rest.error_codes import RetryKind, retry_kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.response import Failure

_UNAUTHORIZED = 401


@dataclass(frozen=True)
class RetryPolicy:
    """How often a call is retried, and after which pauses.

    :param max_attempts: requests for one call at most, waits for a limit not counted.
    :param max_rate_limit_attempts: requests for one call at most while the portal refuses for its rate: more,
        because each has a fair chance where others use the same address up, and nothing is executed.
    :param base_delay: seconds of the first pause at most; the backoff doubles it each time.
    :param max_delay: seconds of a pause at most.
    :param max_rate_limit_delay: the same while the portal refuses for its rate.
    :param max_reset_wait: seconds to wait for a method's operating time to be reset; longer fails.
    """

    max_attempts: int = 4
    max_rate_limit_attempts: int = 30
    base_delay: float = 0.5
    max_delay: float = 20.0
    max_rate_limit_delay: float = 5.0
    max_reset_wait: float = 120.0


@dataclass(frozen=True)
class Wait:
    """Retry after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class RefreshToken:
    """Refresh the access token, then retry."""


@dataclass(frozen=True)
class GiveUp:
    """Raise the error."""


Step = Wait | RefreshToken | GiveUp


def next_step(
    failure: Failure,
    *,
    attempt: int,
    idempotent: bool,
    policy: RetryPolicy,
    reset_in: float | None = None,
    refreshed: bool = False,
    random_: Callable[[], float] = random.random,
) -> Step:
    """Decide what follows a failed attempt.

    :param failure: why the attempt failed.
    :param attempt: how many attempts have failed for the rate, or otherwise, as this one did; 1 at first.
    :param idempotent: whether the call may be sent again although it may have been executed.
    :param policy: how often a call is retried.
    :param reset_in: seconds until the method's operating time is reset, when known.
    :param refreshed: whether the token can't be refreshed once more for this call.
    :param random_: returns a number from 0 to 1, for the jitter.
    """
    kind = retry_kind(failure.code)
    if kind is RetryKind.REFRESH:
        return GiveUp() if refreshed else RefreshToken()
    if kind is RetryKind.NEVER or not failure.retryable or failure.outcome is Outcome.REFUSED:
        return GiveUp()
    if kind is RetryKind.AFTER_RESET:
        return _after_reset(reset_in, attempt, policy)
    if kind is RetryKind.RATE_LIMIT:
        # With status 401 the portal has banned the integration, and waiting does not help.
        gives_up = failure.status == _UNAUTHORIZED or attempt >= policy.max_rate_limit_attempts
        max_delay = policy.max_rate_limit_delay
    else:
        not_allowed = failure.outcome is Outcome.UNKNOWN and not idempotent
        gives_up, max_delay = not_allowed or attempt >= policy.max_attempts, policy.max_delay
    return GiveUp() if gives_up else Wait(_backoff(attempt, policy, max_delay, random_))


def _after_reset(reset_in: float | None, attempt: int, policy: RetryPolicy) -> Step:
    if reset_in is None or reset_in > policy.max_reset_wait or attempt >= policy.max_attempts:
        return GiveUp()
    return Wait(max(reset_in, 0.0) + policy.base_delay)


def _backoff(attempt: int, policy: RetryPolicy, max_delay: float, random_: Callable[[], float]) -> float:
    """Return an exponential delay with jitter of up to half of it: a delay near zero would not be one."""
    delay: float = min(policy.base_delay * 2 ** (attempt - 1), max_delay)
    return delay * (0.5 + random_() / 2)

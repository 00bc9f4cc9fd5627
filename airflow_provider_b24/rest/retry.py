"""What to do after a failed attempt. Pure: the client does it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.response import Failure

#: Lifted by Bitrix24's support only, or by nobody.
_HOPELESS = frozenset({"overload_limit"})
#: A token may be refused as unknown, too, once another host has replaced it.
_TOKEN_REFUSED = frozenset({"expired_token", "invalid_token"})
_UNAUTHORIZED = 401


@dataclass(frozen=True)
class RetryPolicy:
    """How long to insist.

    :param attempts: requests for one call at most, waits for a limit not counted.
    :param max_rate_limit_attempts: requests for one call at most while the portal refuses for its rate: more,
        because each has a fair chance where others use the same address up, and nothing is executed.
    :param base: seconds that the first pause may last; it doubles each time.
    :param longest: seconds that a pause may last.
    :param max_rate_limit_delay: the same while the portal refuses for its rate.
    :param max_reset_wait: seconds to wait for a method's operating time to be reset; longer fails.
    """

    attempts: int = 4
    max_rate_limit_attempts: int = 30
    base: float = 0.5
    longest: float = 20.0
    max_rate_limit_delay: float = 5.0
    max_reset_wait: float = 120.0


@dataclass(frozen=True)
class Wait:
    """Ask again after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Renew:
    """Renew the access token, then ask again."""


@dataclass(frozen=True)
class GiveUp:
    """Raise."""


def next_step(
    failure: Failure,
    *,
    attempt: int,
    repeatable: bool,
    policy: RetryPolicy,
    reset_in: float | None = None,
    renewed: bool = False,
    random_: Callable[[], float] = random.random,
) -> Wait | Renew | GiveUp:
    """Decide what follows a failed attempt.

    :param attempt: how many requests have been made, 1 after the first.
    :param repeatable: whether the call may be repeated although it may have been executed.
    :param reset_in: seconds until the method's operating time is reset, when known.
    :param renewed: whether the token has been renewed for this call already.
    """
    code = failure.code.lower()
    if code in _TOKEN_REFUSED:
        return GiveUp() if renewed else Renew()
    if code in _HOPELESS or not failure.repeatable or failure.outcome is Outcome.REFUSED:
        return GiveUp()
    if code == "operation_time_limit":
        return _after_reset(reset_in, attempt, policy)
    if code == "query_limit_exceeded":
        # With status 401 the portal has banned the integration, and waiting does not help.
        banned = failure.status == _UNAUTHORIZED or attempt >= policy.max_rate_limit_attempts
        return (
            GiveUp() if banned else Wait(_pause(attempt, policy.base, policy.max_rate_limit_delay, random_))
        )
    if failure.outcome is Outcome.UNKNOWN and not repeatable:
        return GiveUp()
    return _pause_or_end(attempt, policy, random_)


def _after_reset(reset_in: float | None, attempt: int, policy: RetryPolicy) -> Wait | GiveUp:
    if reset_in is None or reset_in > policy.max_reset_wait or attempt >= policy.attempts:
        return GiveUp()
    return Wait(max(reset_in, 0.0) + policy.base)


def _pause_or_end(attempt: int, policy: RetryPolicy, random_: Callable[[], float]) -> Wait | GiveUp:
    if attempt >= policy.attempts:
        return GiveUp()
    return Wait(_pause(attempt, policy.base, policy.longest, random_))


def _pause(attempt: int, base: float, longest: float, random_: Callable[[], float]) -> float:
    longest = min(base * 2 ** (attempt - 1), longest)
    # At least half of it: a pause near zero would not be one.
    return longest * (0.5 + random_() / 2)

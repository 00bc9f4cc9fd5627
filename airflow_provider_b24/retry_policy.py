"""A retry policy for tasks that call Bitrix24, for Airflow 3.3 and later.

It retries when Bitrix24 allows it again, and fails at once what a retry can't change::

    Bitrix24CallOperator(..., retries=3, retry_policy=Bitrix24RetryPolicy())
"""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_b24 import exceptions as e
from airflow_provider_b24.rest.operating_time import OPERATING_WINDOW

try:
    from airflow.sdk import RetryDecision, RetryPolicy
except ImportError as error:
    raise ImportError("Bitrix24RetryPolicy needs Airflow 3.3 or later") from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

_RATE_SECONDS = 60.0
#: A portal resets its counts within ten minutes; a later moment is not what it means.
_MAX_SECONDS_TO_RESET = 3600.0
#: Jitter, as a part of the delay: many tasks that failed together must not retry together.
_JITTER = 0.1


class Bitrix24RetryPolicy(RetryPolicy):
    """Decide by the error whether and when a task is retried.

    ==============================================  ===========================================
    error                                           decision
    ==============================================  ===========================================
    a method's operating time is used up            retry when the portal resets it, or, when it
                                                    did not say when, after ten minutes
    too many requests                               retry after a minute
    bad input, credentials, a moved portal          fail
    any other refusal                               fail: the answer would be the same
    no answer, server error, everything else        as the task is configured
    ==============================================  ===========================================

    An unknown outcome never comes here: Airflow fails such a task by itself.

    :param clock: returns Unix seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """Decide what follows a failed try."""
        if isinstance(exception, e.Bitrix24OperatingLimitError):
            return _later(self._until_reset(exception), "the method's operating time is used up until then")
        if isinstance(exception, e.Bitrix24RateLimitError):
            return _later(_RATE_SECONDS, "the portal gets too many requests")
        if isinstance(exception, e.Bitrix24Error) and exception.transient is False:
            return RetryDecision.fail("a person must act first")
        if isinstance(exception, e.Bitrix24Error) and exception.outcome is e.Outcome.REFUSED:
            return RetryDecision.fail("the portal refused, and would again")
        return RetryDecision.default()

    def _until_reset(self, error: e.Bitrix24OperatingLimitError) -> float:
        seconds = error.reset_at - self._clock() if error.reset_at is not None else 0.0
        # A portal that refuses after the reset that it had named has begun another count.
        return min(seconds, _MAX_SECONDS_TO_RESET) if seconds > 0.0 else OPERATING_WINDOW


def _later(seconds: float, reason: str) -> RetryDecision:
    return RetryDecision.retry(timedelta(seconds=seconds * (1 + random.uniform(0, _JITTER))), reason)

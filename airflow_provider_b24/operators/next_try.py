"""Whether Airflow tries a task again after an error."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)


def will_retry(context: Context, error: BaseException) -> bool:
    """Say whether a retry follows, by Airflow's own rules.

    :param context: the task's context.
    :param error: what ends this try.
    """
    if isinstance(error, AirflowFailException | AirflowSkipException):
        return False
    ti: Any = context["ti"]
    max_tries = int(getattr(ti, "max_tries", 0) or 0)
    try_number = int(getattr(ti, "try_number", 1) or 1)
    return try_number <= max_tries and not _policy_fails(context, error, try_number, max_tries)


def _policy_fails(context: Context, error: BaseException, try_number: int, max_tries: int) -> bool:
    """Say whether the task's retry policy (Airflow 3.3 and later) forbids the retry."""
    policy: Any = getattr(context["task"], "retry_policy", None)
    if policy is None:
        return False
    try:
        decision = policy.evaluate(
            exception=error, try_number=try_number, max_tries=max_tries, context=context
        )
        return bool(decision.action.value == "fail")
    except Exception:
        # Airflow ignores a policy that fails, too.
        log.warning("The retry policy could not be evaluated", exc_info=True)
        return False

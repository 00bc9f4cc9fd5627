"""Whether Airflow tries a task again after an error."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_b24.operators.task_memory import clears, try_number

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
    number, last = try_number(context), clears(context)
    return number <= last and not _policy_fails(context, error, number, last)


def _policy_fails(context: Context, error: BaseException, number: int, last: int) -> bool:
    """Say whether the task's retry policy (Airflow 3.3 and later) forbids the retry."""
    policy: Any = getattr(context["task"], "retry_policy", None)
    if policy is None:
        return False
    try:
        decision = policy.evaluate(exception=error, try_number=number, max_tries=last, context=context)
        return bool(decision.action.value == "fail")
    except Exception:
        # Airflow ignores a policy that fails, too.
        log.warning("The retry policy could not be evaluated", exc_info=True)
        return False

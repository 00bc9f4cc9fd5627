"""Where a pushing task notes what it has delivered, and when its undelivered messages fail it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24OutcomeUnknownError, Bitrix24ValidationError
from airflow_provider_b24.operators.task_memory import clears, is_retry, task_names

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.open_lines.pushing.journal import Journal, TaskRun

log = logging.getLogger(__name__)


def task_run(context: Context) -> TaskRun:
    """Return whose push it is.

    :param context: the running task's context; empty outside of Airflow.
    """
    from airflow_provider_b24.open_lines.pushing.journal import TaskRun

    return TaskRun(task_names(context), clears(context))


def push_journal(context: Context, *, report_path: str | None, redelivery: str) -> Journal | None:
    """Return the journal of a push: next to the report, or in the task state store; None without both.

    :param context: the running task's context.
    :param report_path: the path of the report.
    :param redelivery: what a retry does when nothing is noted.
    :raises Bitrix24OutcomeUnknownError: for a retry without a memory that must send nothing twice.
    """
    from airflow_provider_b24.open_lines.pushing.journal import LineJournal
    from airflow_provider_b24.open_lines.pushing.journal_files import journal_path, tidy
    from airflow_provider_b24.open_lines.pushing.log_files import line_log
    from airflow_provider_b24.open_lines.pushing.store_journal import StoreJournal

    if context.get("ti") is None:
        return None
    if report_path is not None:
        task = task_run(context)
        tidy(report_path, task, now=time.time())
        return LineJournal(line_log(journal_path(report_path, task)), task)
    store: Any = context.get("task_state_store")
    if store is not None:
        return StoreJournal(store, task_run(context))
    if is_retry(context):
        _without_memory(redelivery)
    return None


def _without_memory(redelivery: str) -> None:
    if redelivery == "at_least_once":
        log.warning("An earlier try may have delivered messages, and nothing is noted of it: all are sent")
        return
    raise Bitrix24OutcomeUnknownError(
        "An earlier try may have delivered messages, and nothing is noted of it: this Airflow has no task "
        "state store, and the task has no report_path",
        advice="Set report_path=, next to which a push notes what it has delivered; or accept that messages "
        "may arrive twice, with redelivery='at_least_once'.",
    )


def check_threshold(value: Any, path: str = "max_undelivered") -> int | float:
    """Return how many messages may stay undelivered: a number, or a share of all as a float up to 1.

    :param value: the operator's ``max_undelivered``, or what a template has rendered of it.
    :param path: what the error calls the value.
    :raises Bitrix24ValidationError: when it is neither.
    """
    number = _number(value)
    if number is None or not number >= 0 or (isinstance(number, float) and number > 1):
        raise Bitrix24ValidationError(
            path, f"must be a number from 0 on, or a share from 0.0 to 1.0, not {value!r}"
        )
    return number


def exceeds(threshold: int | float, *, undelivered: int, total: int) -> bool:
    """Say whether more messages are undelivered than may be.

    :param threshold: a number, or a share as a float.
    :param undelivered: how many are.
    :param total: how many there are in all.
    """
    if not isinstance(threshold, float):
        return undelivered > threshold
    # A product would not be exact: 0.29 * 100 is less than 29.
    return total > 0 and undelivered / total > threshold


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    try:
        text = str(value).strip()
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return None

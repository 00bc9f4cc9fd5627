"""Where a pushing task records what it has delivered, and when its undelivered messages fail it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.operators.task_memory import (
    TaskMemory,
    clears,
    is_retry,
    task_names,
    try_number,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.open_lines.pushing.journal import Journal, TaskRun


def task_run(context: Context, target: tuple[str, ...] = ()) -> TaskRun:
    """Return whose push it is, and where to.

    :param context: the running task's context; empty outside of Airflow.
    :param target: portal, connector and line.
    """
    from airflow_provider_b24.open_lines.pushing.journal import TaskRun

    return TaskRun(task_names(context), clears(context), try_number(context), target)


def push_journal(
    context: Context, *, target: tuple[str, ...], report_path: str | None, redelivery: str
) -> Journal | None:
    """Return the journal of a push, which has begun; None outside of a task, and in a first try without any.

    It is in the task state store, which all workers share. Where Airflow has none (before 3.3), it is next to
    the report.

    :param context: the running task's context.
    :param target: portal, connector and line.
    :param report_path: the path of the report.
    :param redelivery: what a retry does when nothing is known of an earlier try.
    :raises Bitrix24OutcomeUnknownError: for a retry without a memory that must send nothing twice.
    """
    from airflow_provider_b24.open_lines.pushing.journal import refuse_lost

    if context.get("ti") is None:
        return None
    journal = _journal(context, task_run(context, target), report_path, redelivery)
    if journal is not None:
        journal.begin()
    elif is_retry(context):
        refuse_lost(redelivery)
    return journal


def _journal(context: Context, task: TaskRun, report_path: str | None, redelivery: str) -> Journal | None:
    from airflow_provider_b24.open_lines.pushing.journal import LineJournal
    from airflow_provider_b24.open_lines.pushing.journal_files import journal_path, tidy
    from airflow_provider_b24.open_lines.pushing.log_files import line_log
    from airflow_provider_b24.open_lines.pushing.store_journal import StoreJournal

    if TaskMemory(context, "push").exists:
        return StoreJournal(
            lambda name, where, fields: TaskMemory(context, name, where, fields=fields),
            task,
            redelivery=redelivery,
        )
    if report_path is None:
        return None
    tidy(report_path, task, now=time.time())
    return LineJournal(line_log(journal_path(report_path, task)), task, redelivery=redelivery)


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

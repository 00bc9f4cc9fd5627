"""Airflow's Variables, in which the workers of all hosts see what the provider keeps."""

from __future__ import annotations

from typing import Any

from airflow_provider_b24.exceptions import Bitrix24StateError, Outcome


def read_variable(key: str) -> str | None:
    """Return a Variable's text; None when there is none.

    :param key: its key.
    :raises Bitrix24StateError: when Airflow says that it could not look (3.3 and later).
    """
    from airflow.providers.common.compat.sdk import Variable

    get: Any = Variable.get
    try:
        value = get(key, default=None)
    except TypeError:  # Airflow 2 has another name for it.
        value = get(key, default_var=None)
    if value is None and _is_outside_a_task():
        # There the SDK reads no database; the pair that an earlier script saved is in it all the same.
        from airflow.models import Variable as DatabaseVariable

        value = DatabaseVariable.get(key, default_var=None)
    elif value is None and not _is_absent(key):
        raise unreadable_variable(key)
    return str(value) if value is not None else None


def _is_absent(key: str) -> bool:
    """Say whether there is no such Variable, as far as Airflow tells that from a read that failed."""
    from airflow.providers.common.compat.sdk import Variable

    # Before 3.3 nothing tells.
    list_keys: Any = getattr(Variable, "keys", None)
    if list_keys is None:
        return True
    try:
        return key not in list(list_keys(prefix=key))
    except Exception as error:  # noqa: BLE001 - the SDK raises whatever its supervisor could not do
        return _is_refusal(error)


def _is_refusal(error: Exception) -> bool:
    """Say whether the API server answered: one of before Airflow 3.3 does not list keys."""
    detail = getattr(getattr(error, "error", None), "detail", None) or {}
    return 400 <= int(detail.get("status_code") or 0) < 500


def unreadable_variable(key: str) -> Bitrix24StateError:
    """Return the error of a Variable that Airflow could not read.

    :param key: its key.
    """
    return Bitrix24StateError(
        f"Airflow could not read the Variable {key}, which the provider keeps",
        outcome=Outcome.NOT_EXECUTED,
        advice="Look whether Airflow's API server and its database work; a retry goes on when they do.",
    )


def _is_outside_a_task() -> bool:
    try:
        from airflow.sdk.execution_time import task_runner
    except ImportError:  # Airflow 2 has one Variable for both.
        return False
    return not hasattr(task_runner, "SUPERVISOR_COMMS")


def write_variable(key: str, value: str) -> None:
    """Write a Variable, in a task and in a script.

    :param key: its key.
    :param value: its text.
    """
    from airflow.providers.common.compat.sdk import Variable

    try:
        Variable.set(key, value)
    except ImportError:
        # Outside a task the SDK has no supervisor to write through; a script has the database.
        from airflow.models import Variable as DatabaseVariable

        DatabaseVariable.set(key, value)

"""Mapped asks, mapped single calls, and mapped pushes: what a load consists of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, get_current_context, task

from airflow_provider_b24.operators.ask import Bitrix24AskOperator
from airflow_provider_b24.operators.open_lines import Bitrix24SendConnectorMessagesOperator
from airflow_provider_b24.operators.rest import Bitrix24CallOperator

# Enough for every loss: a task may lose its worker several times.
RETRIES: dict[str, Any] = {"retries": 10, "retry_delay": timedelta(seconds=3)}


@task(**RETRIES)
def items() -> list[Any]:
    """Return what the tasks are mapped over."""
    return list(get_current_context()["dag_run"].conf["items"])


with DAG("load_asks", schedule=None, tags=["bitrix24"]):
    Bitrix24AskOperator.partial(
        task_id="ask",
        chat_id="{{ dag_run.conf['chat_id'] }}",
        answers=["Yes", "No"],
        poll_interval=5,
        **RETRIES,
    ).expand_kwargs(items())

with DAG("load_calls", schedule=None, tags=["bitrix24"]):
    Bitrix24CallOperator.partial(task_id="call", method="user.get", **RETRIES).expand(parameters=items())

with DAG("load_push", schedule=None, tags=["bitrix24"]):
    Bitrix24SendConnectorMessagesOperator.partial(
        task_id="push",
        bitrix24_conn_id="bitrix24_app",
        connector="shop",
        line="{{ dag_run.conf['line'] }}",
        if_undelivered="report",
        **RETRIES,
    ).expand_kwargs(items())

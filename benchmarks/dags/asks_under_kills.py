"""Mapped asks with different rules, and asks that a person ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, get_current_context, task

from airflow_provider_b24.operators.ask import Bitrix24AskOperator

with DAG("asks_under_kills", schedule=None, tags=["bitrix24"]):

    @task
    def questions() -> list[dict[str, Any]]:
        """Return what to ask, by which rule."""
        return list(get_current_context()["dag_run"].conf["questions"])

    Bitrix24AskOperator.partial(
        task_id="ask",
        chat_id="{{ dag_run.conf['chat_id'] }}",
        answers=["Yes", "No"],
        poll_interval=3,
        retries=3,
        retry_delay=timedelta(seconds=2),
    ).expand_kwargs(questions())

with DAG("two_channel_ask", schedule=None, tags=["bitrix24"]):
    Bitrix24AskOperator(
        task_id="ask",
        chat_id="{{ dag_run.conf['chat_id'] }}",
        question="two channels {{ run_id }}?",
        answers=["Yes", "No"],
        airflow_required_action=True,
        poll_interval=3,
    )

for name, timeout in (("ended_ask", None), ("timed_out_ask", timedelta(seconds=25))):
    with DAG(name, schedule=None, dagrun_timeout=timeout, tags=["bitrix24"]):
        Bitrix24AskOperator(
            task_id="ask",
            chat_id="{{ dag_run.conf['chat_id'] }}",
            question=f"{name} {{{{ run_id }}}}?",
            answers=["Yes", "No"],
            rule={"quorum": 3},
            poll_interval=3,
        )

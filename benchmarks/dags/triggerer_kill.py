"""Mapped sensors that wait in the triggerer, each for one poll."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, get_current_context, task

from airflow_provider_b24.sensors.polls import Bitrix24PollSensor

with DAG("triggerer_kill", schedule=None, tags=["bitrix24"]):

    @task
    def polls() -> list[int]:
        """Return the polls to wait for."""
        return list(get_current_context()["dag_run"].conf["polls"])

    @task
    def summary(decided: Any, asked: list[int]) -> dict[str, Any]:
        """Compare the sensors' results with the polls that they waited for."""
        found = list(decided)
        return {
            "decided": len(found),
            "right": sum(poll["message_id"] == number for poll, number in zip(found, asked, strict=True)),
            "finished": sum(poll["is_finished"] for poll in found),
        }

    asked = polls()
    wait = Bitrix24PollSensor.partial(
        task_id="wait", deferrable=True, poll_interval=5, timeout=timedelta(hours=1).total_seconds()
    ).expand(poll=asked)
    summary(wait.output, asked)

"""The ask of the pictures: a release that the team, or somebody in Airflow, approves."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

from airflow_provider_b24.operators.ask import Bitrix24AskBranchOperator


@task
def deploy() -> None:
    """Stand for the release."""


@task
def postpone() -> None:
    """Stand for what follows a no."""


with DAG("release", schedule=None, tags=["bitrix24"]):
    ask = Bitrix24AskBranchOperator(
        task_id="ask",
        chat_id="{{ dag_run.conf['chat_id'] }}",
        question="Release 4.2 tonight?",
        answers=["Yes, tonight", "No, wait"],
        options_mapping={"Yes, tonight": "deploy", "No, wait": "postpone"},
        rule={"quorum": 3},
        airflow_required_action=True,
        remind_every=timedelta(seconds=60),
        response_timeout=timedelta(hours=4),
        defaults="No, wait",
        poll_interval=2,
    )
    ask >> [deploy(), postpone()]

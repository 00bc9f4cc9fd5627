"""The ask of the pictures: a release whose day the team, or somebody in Airflow, chooses."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

from airflow_provider_b24.operators.ask import Bitrix24AskBranchOperator


@task
def deploy() -> None:
    """Stand for the release."""


@task
def postpone() -> None:
    """Stand for another answer."""


with DAG("release", schedule=None, tags=["bitrix24"]):
    ask = Bitrix24AskBranchOperator(
        task_id="ask",
        chat_id="{{ dag_run.conf['chat_id'] }}",
        question="When do we release 4.2?",
        answers=["Tonight", "Next week"],
        options_mapping={"Tonight": "deploy", "Next week": "postpone"},
        rule={"quorum": 3},
        airflow_required_action=True,
        remind_every=timedelta(seconds=90),
        response_timeout=timedelta(hours=4),
        defaults="Next week",
        poll_interval=2,
    )
    ask >> [deploy(), postpone()]

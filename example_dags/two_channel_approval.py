"""Every morning, somebody approves the price list: in the chat, or under Required Actions in Airflow.

The first answer wins and closes the other channel. It needs Airflow 3.3 or later.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_b24.operators.ask import Bitrix24ApprovalOperator


@task
def publish() -> str:
    """Replace this with the task that publishes the price list."""
    return "published"


with DAG(
    dag_id="bitrix24_two_channel_approval",
    schedule="0 7 * * MON-FRI",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    params={"chat_id": Param(1489, type="integer", description="The sales chat")},
    tags=["bitrix24", "poll", "approval"],
    doc_md=__doc__,
):
    approve = Bitrix24ApprovalOperator(
        task_id="approve",
        chat_id="{{ params.chat_id }}",
        question="Publish the prices of {{ dag_run.run_after | ds }}?",
        approve="Publish",
        reject="Not today",
        airflow_required_action=True,
        response_timeout=timedelta(hours=3),
        tie="Not today",
        defaults="Not today",
    )
    approve >> publish()

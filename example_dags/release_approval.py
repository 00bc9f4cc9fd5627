"""Before the nightly release, two of the team approve; silence for four hours is a rejection."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_b24.operators.ask import Bitrix24ApprovalOperator


@task
def release() -> str:
    """Replace this with the team's release task."""
    return "released"


with DAG(
    dag_id="bitrix24_release_approval",
    schedule="0 18 * * MON-FRI",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    params={
        "chat_id": Param(1489, type="integer", description="The release chat"),
        "quorum": Param(2, type="integer", minimum=1, description="Votes that decide"),
    },
    tags=["bitrix24", "poll", "approval"],
    doc_md=__doc__,
):
    approve = Bitrix24ApprovalOperator(
        task_id="approve",
        chat_id="{{ params.chat_id }}",
        question="Release tonight? ({{ dag_run.run_after | ds }})",
        rule={"quorum": "{{ params.quorum }}"},
        tie="Reject",
        response_timeout=timedelta(hours=4),
        defaults="Reject",
    )
    approve >> release()

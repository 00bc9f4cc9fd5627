"""Before the nightly release, a service account votes like the team; the poll ends at its quorum.

The service account is a member of the chat and has its own webhook, so its vote is counted separately.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_b24.operators.polls import Bitrix24CastVoteOperator, Bitrix24SendPollOperator
from airflow_provider_b24.sensors.polls import Bitrix24PollSensor

GO, WAIT = "Release", "Wait a day"


@task
def opinion(error_rate: float) -> str:
    """Return the answer that the error rate suggests."""
    return GO if float(error_rate) < 0.01 else WAIT


@task.branch
def next_step(poll: dict[str, Any]) -> str:
    """Choose the answer with the most votes; a tie means to wait."""
    votes = {answer["text"]: answer["votes"] for answer in poll["questions"][0]["answers"]}
    return "release" if votes[GO] > votes[WAIT] else "postpone"


@task
def release() -> str:
    """Replace this with the team's release task."""
    return "released"


@task
def postpone() -> str:
    """Replace this with the team's task for a postponed release."""
    return "postponed"


with DAG(
    dag_id="bitrix24_service_account_vote",
    schedule="0 18 * * MON-FRI",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    params={
        "chat_id": Param(1489, type="integer", description="The release chat"),
        "quorum": Param(3, type="integer", minimum=1, description="Votes that decide"),
        "error_rate": Param(0.002, type="number", description="The error rate that the check measured"),
        "service_conn_id": Param("bitrix24_service_account", type="string"),
    },
    tags=["bitrix24", "poll"],
    doc_md=__doc__,
):
    ask = Bitrix24SendPollOperator(
        task_id="ask",
        chat_id="{{ params.chat_id }}",
        question="Release tonight? ({{ dag_run.run_after | default(dag_run.logical_date) | ds }})",
        answers=[GO, WAIT],
        allow_revote=True,
    )
    vote = Bitrix24CastVoteOperator(
        task_id="vote",
        poll=ask.output,
        answers=opinion("{{ params.error_rate }}"),
        bitrix24_conn_id="{{ params.service_conn_id }}",
    )
    quorum = Bitrix24PollSensor(
        task_id="quorum",
        poll=ask.output,
        rule={"quorum": "{{ params.quorum }}"},
        stop_at_end=True,
        deferrable=True,
        timeout=timedelta(hours=4).total_seconds(),
    )
    vote >> quorum
    next_step(quorum.output) >> [release(), postpone()]

"""Every Monday, a team chooses where to meet: ask, wait without a worker, close, post the result."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_b24.operators.chats import Bitrix24SendMessageOperator
from airflow_provider_b24.operators.polls import Bitrix24SendPollOperator
from airflow_provider_b24.sensors.polls import Bitrix24PollSensor


@task
def announcement(poll: dict[str, Any]) -> str:
    """Return the result as a message."""
    answers = poll["questions"][0]["answers"]
    most = max(answer["votes"] for answer in answers)
    winners = [answer["text"] for answer in answers if answer["votes"] == most]
    lines = [f"{answer['text']}: {answer['votes']} ({answer['percent']:.0f} %)" for answer in answers]
    return "\n".join([f"[b]{' / '.join(winners)}[/b]", *lines, poll["result_url"]])


with DAG(
    dag_id="bitrix24_weekly_team_poll",
    schedule="0 9 * * MON",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    params={
        "chat_id": Param(1489, type="integer", description="The team's chat"),
        "quorum": Param(5, type="integer", minimum=1, description="Votes that decide"),
    },
    tags=["bitrix24", "poll"],
    doc_md=__doc__,
):
    ask = Bitrix24SendPollOperator(
        task_id="ask",
        chat_id="{{ params.chat_id }}",
        question="Where do we meet this week? ({{ dag_run.run_after | default(dag_run.logical_date) | ds }})",
        answers=["Office", "Online", "Café"],
    )
    decided = Bitrix24PollSensor(
        task_id="decided",
        poll=ask.output,
        rule={"quorum": "{{ params.quorum }}"},
        stop_at_end=True,
        deferrable=True,
        poll_interval=5,
        timeout=timedelta(days=2).total_seconds(),
    )
    Bitrix24SendMessageOperator(
        task_id="post", chat_id="{{ params.chat_id }}", message=announcement(decided.output)
    )

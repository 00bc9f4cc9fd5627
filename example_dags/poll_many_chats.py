"""Every month, send the same poll to each team and collect the answers in one table."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_b24.operators.polls import Bitrix24SendPollOperator
from airflow_provider_b24.sensors.polls import Bitrix24PollSensor

MOODS = ["Good", "So so", "Bad"]


@task
def chats(chat_ids: list[int]) -> list[int]:
    """Return the teams' chats. In production they may come from a table."""
    return chat_ids


@task
def table(sent: list[dict[str, int]], polls: list[dict[str, Any]]) -> list[list[Any]]:
    """Return a header, and for each chat a row with the votes for each answer."""
    rows = [
        [place["chat_id"], *(answer["votes"] for answer in poll["questions"][0]["answers"])]
        for place, poll in zip(sent, polls, strict=True)
    ]
    return [["chat", *MOODS], *rows]


with DAG(
    dag_id="bitrix24_poll_many_chats",
    schedule="0 10 1 * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    params={
        "chat_ids": Param([1489], type="array", description="The teams' chats"),
        "quorum": Param(2, type="integer", minimum=1, description="Votes that are enough in each chat"),
    },
    render_template_as_native_obj=True,
    tags=["bitrix24", "poll", "mapping"],
    doc_md=__doc__,
):
    ask = Bitrix24SendPollOperator.partial(
        task_id="ask",
        question="How was your month? ({{ dag_run.run_after | default(dag_run.logical_date) | ds }})",
        answers=MOODS,
        anonymous=True,
    ).expand(chat_id=chats("{{ params.chat_ids }}"))
    enough = Bitrix24PollSensor.partial(
        task_id="enough",
        rule={"quorum": "{{ params.quorum }}"},
        stop_at_end=True,
        deferrable=True,
        timeout=timedelta(days=5).total_seconds(),
    ).expand(poll=ask.output)
    table(ask.output, enough.output)

"""Every weekday morning, ask the team how it goes, remind who is silent, and post a summary.

The answers are in the order of urgency, so that a tie means the most urgent of them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_b24.operators.ask import Bitrix24AskOperator
from airflow_provider_b24.operators.chats import Bitrix24SendMessageOperator


@task(trigger_rule="none_failed")
def summary(standup: dict[str, Any]) -> str:
    """Return the votes and what people wrote below the poll; also when some stayed silent."""
    votes = [f"{answer}: {count}" for answer, count in standup["counted"].items()]
    comments = [f"{reply['name']}: {reply['text']}" for reply in standup["comments"]]
    return "\n".join(["[b]Stand-up[/b]", *votes, *comments])


with DAG(
    dag_id="bitrix24_daily_standup",
    schedule="0 9 * * MON-FRI",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    params={
        "chat_id": Param(1489, type="integer", description="The team's chat"),
        "people": Param(5, type="integer", minimum=1, description="How many people are to answer"),
    },
    tags=["bitrix24", "poll"],
    doc_md=__doc__,
):
    ask = Bitrix24AskOperator(
        task_id="ask",
        chat_id="{{ params.chat_id }}",
        question="How is it going? ({{ dag_run.run_after | ds }})",
        answers=["Blocked", "I need help", "On track"],
        rule={"quorum": "{{ params.people }}"},
        allow_revote=True,
        tie="first",
        remind_every=timedelta(minutes=30),
        response_timeout=timedelta(hours=2),
        skip_on_timeout=True,
    )
    Bitrix24SendMessageOperator(
        task_id="post",
        chat_id="{{ params.chat_id }}",
        message=summary(ask.output),
        trigger_rule="none_failed",
    )

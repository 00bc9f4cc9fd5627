"""A DAG with polls, chats, mapping, waiting and an application's tokens, for any version of Airflow."""

from __future__ import annotations

import os
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_b24.operators.ask import Bitrix24AskOperator
from airflow_provider_b24.operators.chats import Bitrix24SendMessageOperator
from airflow_provider_b24.operators.polls import (
    Bitrix24CastVoteOperator,
    Bitrix24DownloadPollReportOperator,
    Bitrix24GetPollResultsOperator,
    Bitrix24SendPollOperator,
    Bitrix24StopPollOperator,
)
from airflow_provider_b24.operators.rest import Bitrix24CallOperator
from airflow_provider_b24.sensors.polls import Bitrix24PollSensor

CHAT = 1489

with DAG("smoke", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    ask = Bitrix24SendPollOperator(task_id="ask", chat_id=CHAT, question="Q?", answers=["Yes", "No"])
    vote = Bitrix24CastVoteOperator(task_id="vote", poll=ask.output, answers="Yes")
    wait = Bitrix24PollSensor(
        task_id="wait", poll=ask.output, rule={"quorum": 3}, deferrable=True, poll_interval=1, timeout=60
    )
    poke = Bitrix24PollSensor(task_id="poke", poll=ask.output, rule="first_vote", timeout=60)
    stop = Bitrix24StopPollOperator(task_id="stop", poll=ask.output)
    report = Bitrix24DownloadPollReportOperator(
        task_id="report", poll=ask.output, path=f"{os.environ.get('AIRFLOW_HOME', '')}/report.xls"
    )
    many = Bitrix24SendPollOperator.partial(task_id="many", question="M?", answers=["a", "b"]).expand(
        chat_id=[CHAT, f"chat{CHAT}"]
    )
    application = Bitrix24CallOperator(task_id="app", method="profile", bitrix24_conn_id="bitrix24_app")
    say = Bitrix24SendMessageOperator(
        task_id="say", chat_id=CHAT, message="{{ ti.xcom_pull(task_ids='stop')['voters'] }} people voted"
    )
    decide = Bitrix24AskOperator(
        task_id="decide",
        chat_id=CHAT,
        question="D?",
        answers="{{ ['Yes', 'No'] }}",
        poll_interval=1,
        tie="first",
    )
    read = Bitrix24GetPollResultsOperator(
        task_id="read", poll=ask.output["message_id"], with_voters="{{ true }}"
    )
    ask >> vote >> wait >> poke >> stop >> report >> many >> application >> say >> decide >> read

"""Uses the connection that was entered into the form of the web UI."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_b24.operators.chats import Bitrix24SendMessageOperator
from airflow_provider_b24.operators.polls import Bitrix24SendPollOperator

with DAG("uses_form", schedule=None, start_date=datetime(2026, 1, 1)):
    say = Bitrix24SendMessageOperator(
        task_id="say", chat_id=1489, message="The form works.", bitrix24_conn_id="bitrix24_form"
    )
    ask = Bitrix24SendPollOperator(
        task_id="ask",
        chat_id=1489,
        question="Does it?",
        answers=["Yes", "No"],
        bitrix24_conn_id="bitrix24_form",
    )
    say >> ask

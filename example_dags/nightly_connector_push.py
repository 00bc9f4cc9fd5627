"""Every night, push the shop's customer messages into an open line and report failures to a chat.

The shop leaves a JSON file a night, whose path is in SHOP_OUTBOX. The connection is an OAuth application
that has registered the connector; webhooks can't push connector messages.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_b24.operators.chats import Bitrix24SendMessageOperator
from airflow_provider_b24.operators.open_lines import Bitrix24SendConnectorMessagesOperator


@task
def collect(outbox: str) -> list[dict[str, Any]]:
    """Read the shop's file: id, customer, text and time of each message."""
    rows = json.loads(Path(outbox).read_text(encoding="utf-8"))
    return [
        {
            "user": {"id": row["customer_id"], "name": row["customer"]},
            "message": {"id": row["id"], "date": row["sent_at"], "text": row["text"]},
            "chat": {"id": f"shop-{row['customer_id']}", "name": f"Shop: {row['customer']}"},
        }
        for row in rows
    ]


@task.short_circuit
def failures(report: dict[str, Any]) -> str | None:
    """Return the failures as text. Without failures, the downstream task is skipped."""
    failed = [item for item in report["items"] if item["status"] != "accepted"]
    if not failed:
        return None
    lines = [f"{item['message_id']}: {item['status']}: {'; '.join(item['errors'])}" for item in failed]
    return "\n".join([f"[b]{len(failed)} of {len(report['items'])} messages need attention[/b]", *lines])


with DAG(
    dag_id="bitrix24_nightly_connector_push",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "bitrix24_conn_id": "bitrix24_app"},
    params={
        "outbox": Param(os.environ.get("SHOP_OUTBOX", "/var/spool/shop/messages.json"), type="string"),
        "connector": Param("shop", type="string", description="The connector's id"),
        "line": Param(12, type="integer", description="The open line's number"),
        "report_chat_id": Param(1489, type="integer", description="Who hears of failures"),
    },
    tags=["bitrix24", "open lines"],
    doc_md=__doc__,
):
    push = Bitrix24SendConnectorMessagesOperator(
        task_id="push",
        connector="{{ params.connector }}",
        line="{{ params.line }}",
        messages=collect("{{ params.outbox }}"),
        if_undelivered="report",
    )
    Bitrix24SendMessageOperator(
        task_id="report", chat_id="{{ params.report_chat_id }}", message=failures(push.output)
    )

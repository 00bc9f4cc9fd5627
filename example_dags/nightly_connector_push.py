"""Every night, push the shop's customer messages into an open line and report failures to a chat.

The shop leaves a CSV file a night, whose path is in SHOP_OUTBOX: a local path or an object storage URL. It
may be of any size: it is read line by line. A row that breaks a rule is reported, and the others are sent.
What is delivered is noted next to the report, in the folder SHOP_REPORTS, so that a retry sends only the
rest. The connection is an OAuth application that has registered the connector; webhooks can't push connector
messages.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_b24.operators.chats import Bitrix24SendMessageOperator
from airflow_provider_b24.operators.open_lines import Bitrix24SendConnectorMessagesOperator

COLUMNS = {
    "user.id": "customer_id",
    "user.name": "customer",
    "message.id": "id",
    "message.date": "sent_at",
    "message.text": "text",
    "chat.id": "customer_id",
    "chat.name": "customer",
}


@task.short_circuit
def failures(report: dict[str, Any]) -> str | None:
    """Return the first failures as text. Without failures, the downstream task is skipped."""
    failed = [item for item in report["items"] if item["status"] != "accepted"]
    undelivered = report["rejected"] + report["unknown"]
    if not undelivered:
        return None
    lines = [f"{item['message_id']}: {item['status']}: {'; '.join(item['errors'])}" for item in failed[:20]]
    head = f"[b]{undelivered} of {undelivered + report['accepted']} messages need attention[/b]"
    return "\n".join([head, *lines, f"All are in {report['report_path']}"])


with DAG(
    dag_id="bitrix24_nightly_connector_push",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "bitrix24_conn_id": "bitrix24_app"},
    params={
        "outbox": Param(os.environ.get("SHOP_OUTBOX", "/var/spool/shop/messages.csv"), type="string"),
        "reports": Param(
            os.environ.get("SHOP_REPORTS", "/var/spool/shop/reports"),
            type="string",
            description="The folder of the reports",
        ),
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
        path="{{ params.outbox }}",
        mapping=COLUMNS,
        report_path="{{ params.reports }}/{{ run_id | replace(':', '-') }}.jsonl",
        if_undelivered="report",
    )
    Bitrix24SendMessageOperator(
        task_id="report", chat_id="{{ params.report_chat_id }}", message=failures(push.output)
    )

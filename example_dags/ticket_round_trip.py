"""Tickets go into an open line, and operators' replies come back into the ticket system.

The first DAG pushes new tickets of a folder into the line. The second one is started by each reply: an
asset watcher reads the queue of the application's events. It stores the reply beside the ticket and marks it
as delivered. It needs Airflow 3.0 or later, the connector on the line, and once
``hook.events.bind(event="ONIMCONNECTORMESSAGEADD")``.
"""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, Param, get_current_context, task
from airflow.sdk import AssetWatcher

from airflow_provider_b24.operators.open_lines import Bitrix24SendConnectorMessagesOperator
from airflow_provider_b24.triggers.events import Bitrix24OfflineEventTrigger

CONNECTION = "bitrix24_app"
TICKETS = os.environ.get("TICKETS", "/var/spool/tickets")
COMMON: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1),
    "catchup": False,
    "default_args": {"retries": 3, "retry_delay": timedelta(seconds=30)},
    "tags": ["bitrix24", "open lines"],
    "doc_md": __doc__,
}

replies = Asset(
    "bitrix24_operators_replies",
    watchers=[
        AssetWatcher(name="bitrix24", trigger=Bitrix24OfflineEventTrigger(bitrix24_conn_id=CONNECTION))
    ],
)


@task.short_circuit
def new_tickets(folder: str) -> list[dict[str, Any]]:
    """Read the tickets that were not pushed yet (``<number>.ticket.json``); without any, skip the rest."""
    tickets = [json.loads(path.read_text(encoding="utf-8")) for path in Path(folder).glob("*.ticket.json")]
    return [
        {
            "user": {"id": ticket["customer_id"], "name": ticket["customer"]},
            "message": {"id": f"ticket-{ticket['number']}", "text": ticket["text"]},
            "chat": {"id": f"ticket-{ticket['number']}", "name": f"Ticket {ticket['number']}"},
        }
        for ticket in sorted(tickets, key=lambda ticket: int(ticket["number"]))
    ]


@task
def archive(folder: str, report: dict[str, Any]) -> list[str]:
    """Rename the accepted tickets, so that the next run does not push them again."""
    accepted = [item["message_id"] for item in report["items"] if item["status"] == "accepted"]
    for ticket in accepted:
        path = Path(folder) / f"{ticket.removeprefix('ticket-')}.ticket.json"
        path.rename(path.with_suffix(".pushed"))
    return accepted


@task
def operators_replies() -> list[dict[str, Any]]:
    """Return the replies that started this run, each once."""
    context = get_current_context()
    events = [event for found in context["triggering_asset_events"].values() for event in found]
    told = [event.extra["payload"] for event in events] + context["params"]["replies"]
    return list({reply["id"]: reply for reply in told}.values())


@task
def store(folder: str, reply: dict[str, Any]) -> dict[str, Any]:
    """Put the reply beside its ticket; a reply that comes twice has the same id, and is stored once."""
    path = Path(folder) / f"{reply['id']}.reply.json"
    path.write_text(json.dumps({"ticket": reply["chat"]["id"], "text": reply["text"]}), encoding="utf-8")
    return {**reply, "stored_as": path.name}


@task
def mark_delivered(reply: dict[str, Any]) -> None:
    """Show the operator that the reply has arrived."""
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

    message = {
        "im": reply["im"],
        "message": {"id": [reply["stored_as"]], "date": int(time.time())},
        "chat": reply["chat"],
    }
    place = {"CONNECTOR": reply["connector"], "LINE": reply["line"], "MESSAGES": [message]}
    Bitrix24Hook(CONNECTION).call("imconnector.send.status.delivery", place)


with DAG(
    dag_id="bitrix24_push_tickets",
    schedule="*/5 * * * *",
    # Two runs at a time would push the same tickets twice.
    max_active_runs=1,
    params={
        "folder": Param(TICKETS, type="string"),
        "connector": Param("shop", type="string", description="The connector's id"),
        "line": Param(12, type="integer", description="The open line's number"),
    },
    **COMMON,
):
    push = Bitrix24SendConnectorMessagesOperator(
        task_id="push",
        bitrix24_conn_id=CONNECTION,
        connector="{{ params.connector }}",
        line="{{ params.line }}",
        messages=new_tickets("{{ params.folder }}"),
        if_undelivered="report",
    )
    archive("{{ params.folder }}", push.output)

with DAG(
    dag_id="bitrix24_ticket_replies",
    schedule=[replies],
    params={
        "folder": Param(TICKETS, type="string"),
        "replies": Param([], type="array", description="Replies to handle, when you start it by hand"),
    },
    **COMMON,
):
    stored = store.partial(folder="{{ params.folder }}").expand(reply=operators_replies())
    mark_delivered.expand(reply=stored)

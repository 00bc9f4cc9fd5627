"""A DAG that operators' replies start, and that says which replies it was started by."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, get_current_context, task

from airflow_provider_b24.triggers.events import Bitrix24OfflineEventTrigger

replies = Asset(
    "operators_replies",
    watchers=[
        AssetWatcher(
            name="bitrix24",
            trigger=Bitrix24OfflineEventTrigger(bitrix24_conn_id="bitrix24_app", poll_interval=2),
        )
    ],
)

with DAG("replies", schedule=[replies], tags=["bitrix24"]):
    # A busy machine may end a task for its silence.
    @task(retries=5, retry_delay=timedelta(seconds=5))
    def handle() -> list[dict[str, Any]]:
        """Return the id and the text of each reply."""
        events = get_current_context()["triggering_asset_events"]
        told = [event.extra["payload"] for found in events.values() for event in found]
        return [{name: reply[name] for name in ("id", "text", "redelivered")} for reply in told]

    handle()

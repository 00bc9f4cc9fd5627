"""Keep an OAuth application authorised while no other DAG uses it, so that its refresh token never expires.

It looks once a day and refreshes a pair of tokens that is older than two weeks. An application that other
DAGs use has younger tokens, so this DAG then does nothing. When it fails, a person must log in again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook


@task
def keep_authorised(conn_id: str, days: int) -> dict[str, Any]:
    """Refresh the application's tokens when they are older than this many days."""
    return Bitrix24Hook(conn_id).keep_authorised(older_than=timedelta(days=int(days)))


with DAG(
    dag_id="bitrix24_keep_application_authorised",
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10)},
    params={
        "conn_id": Param("bitrix24_app", type="string", description="The application's connection"),
        "days": Param(14, type="integer", minimum=1, description="Older tokens are refreshed"),
    },
    tags=["bitrix24", "maintenance"],
    doc_md=__doc__,
):
    keep_authorised("{{ params.conn_id }}", "{{ params.days }}")

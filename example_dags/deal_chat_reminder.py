"""Every weekday morning, remind the customers of unpaid deals in their open-line chats."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_b24.operators.open_lines import Bitrix24SendCrmChatMessageOperator


@task
def unpaid(deal_ids: list[int]) -> list[dict[str, int | str]]:
    """Return a reminder for each deal. In production the ids come from your accounts."""
    return [
        {"entity_id": deal, "message": f"Your invoice for order {deal} is due today."} for deal in deal_ids
    ]


with DAG(
    dag_id="bitrix24_deal_chat_reminder",
    schedule="0 8 * * MON-FRI",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    params={
        "deal_ids": Param([288], type="array", description="Deals with an open-line conversation"),
        "user_id": Param(1, type="integer", description="The author: a member of the chats"),
    },
    render_template_as_native_obj=True,
    tags=["bitrix24", "open lines", "crm"],
    doc_md=__doc__,
):
    Bitrix24SendCrmChatMessageOperator.partial(
        task_id="remind", entity_type="deal", user_id="{{ params.user_id }}"
    ).expand_kwargs(unpaid("{{ params.deal_ids }}"))

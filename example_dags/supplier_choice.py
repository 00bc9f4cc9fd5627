"""Every month, the office chooses a supplier, and the DAG follows the answer to its order."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_b24.operators.ask import Bitrix24AskBranchOperator

SUPPLIERS = {"North Paper": "order_north", "City Office": "order_city", "Green Pulp": "order_green"}


@task
def order(supplier: str) -> str:
    """Replace this with the order at the supplier."""
    return f"ordered from {supplier}"


with DAG(
    dag_id="bitrix24_supplier_choice",
    schedule="0 9 1 * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    params={
        "chat_id": Param(1489, type="integer", description="The office's chat"),
        "votes": Param(2, type="integer", minimum=1, description="Votes with which a supplier wins"),
    },
    tags=["bitrix24", "poll", "branch"],
    doc_md=__doc__,
):
    choose = Bitrix24AskBranchOperator(
        task_id="choose",
        chat_id="{{ params.chat_id }}",
        question="Who delivers our paper? ({{ dag_run.run_after | ds }})",
        answers=list(SUPPLIERS),
        options_mapping=SUPPLIERS,
        rule={"first_to": "{{ params.votes }}"},
        tie="first",
        response_timeout=timedelta(days=2),
        defaults="North Paper",
        poll_interval=5,
    )
    choose >> [order.override(task_id=task_id)(supplier) for supplier, task_id in SUPPLIERS.items()]

"""The same question among Airflow's Required Actions, from Airflow 3.3 on.

Older versions know Required Actions, too, but an answer there does not resume a deferred task.

Airflow's functions for it are not public: they are imported where they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID


def check_required_actions() -> None:
    """Refuse an Airflow without Required Actions, before anybody is asked.

    :raises Bitrix24ConfigurationError: before Airflow 3.3.
    """
    if tuple(map(int, _airflow_version().split(".")[:2])) < (3, 3):
        raise Bitrix24ConfigurationError(
            "airflow_required_action needs Airflow 3.3 or later", field="airflow_required_action"
        )


def open_required_action(
    task_instance_id: UUID, *, question: str, body: str, answers: Sequence[str], multiple: bool
) -> None:
    """Show the question under Required Actions.

    :param task_instance_id: the asking task instance.
    :param question: the subject.
    :param body: what stands below it, in Markdown.
    :param answers: the options.
    :param multiple: whether several may be chosen.
    """
    from airflow.sdk.execution_time.hitl import upsert_hitl_detail

    upsert_hitl_detail(
        ti_id=task_instance_id,
        options=list(answers),
        subject=question,
        body=body,
        multiple=multiple,
        params={},
    )


def is_answer_of_airflow(event: dict[str, Any]) -> bool:
    """Say whether an event is Airflow's, for an answer under Required Actions.

    :param event: what resumed the task.
    """
    return "status" not in event and "chosen_options" in event


def _airflow_version() -> str:
    from airflow import __version__

    return str(__version__)

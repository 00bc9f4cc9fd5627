"""The runs of the tests' DAGs: their task instances, their XCom, and clearing tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.sdk import DAG


def instance(run: DagRun, task_id: str, map_index: int = -1) -> TaskInstance:
    """Return a task instance from the database."""
    found = run.get_task_instance(task_id, map_index=map_index)
    assert found is not None, f"the run has no task {task_id}[{map_index}]"
    return found


def xcom(run: DagRun, task_id: str, map_index: int = -1, *, key: str = "return_value") -> Any:
    """Return an XCom value of a task."""
    return instance(run, task_id, map_index).xcom_pull(task_id, key=key, map_indexes=map_index)


def clear_and_run(dag: DAG, run: DagRun, task_id: str, map_index: int = -1) -> TaskInstance:
    """Clear a task like Airflow's UI does, and run it again."""
    from airflow.models.taskinstance import clear_task_instances
    from airflow.sdk.definitions.dag import _run_task
    from airflow.utils.session import create_session

    with create_session() as session:
        cleared = instance(run, task_id, map_index)
        clear_task_instances([session.merge(cleared)], session)
    with create_session() as session:
        fresh = session.merge(instance(run, task_id, map_index))
        fresh.try_number += 1
    _run_task(ti=instance(run, task_id, map_index), task=dag.get_task(task_id), run_triggerer=True)
    return instance(run, task_id, map_index)


def set_rendered(task: Any, fields: dict[str, Any]) -> None:
    """Set fields of a task as rendering its templates does.

    :param task: an operator or sensor.
    :param fields: templated fields and what they are rendered to.
    """
    assert set(fields) <= set(task.template_fields)
    for name, value in fields.items():
        setattr(task, name, value)

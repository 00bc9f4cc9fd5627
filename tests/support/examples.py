"""The example DAGs, read as Airflow's dag processor reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "example_dags"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


def load(name: str) -> Any:
    """Return the DAG of an example file, with tasks that need not wait for people."""
    (dag,) = load_all(name)
    return dag


def load_all(name: str) -> list[Any]:
    """Return the DAGs of an example file, with tasks that need not wait for people."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(FOLDER / f"{name}.py"))
    assert bag.import_errors == {}
    for dag in bag.dags.values():
        hurry(dag)
    return list(bag.dags.values())


def hurry(dag: Any) -> None:
    """Let tasks look at polls often."""
    for task in dag.tasks:
        if task.task_type == "Bitrix24PollSensor":
            quicken(task)
        elif hasattr(task, "response_timeout"):
            task.poll_interval = 0.1


def quicken(task: Any) -> None:
    """Look at polls ten times a second."""
    if task.is_mapped:
        task.partial_kwargs["poke_interval"] = 0.1
    else:
        task.poke_interval = 0.1

"""Running whole DAGs in a test's own process, on any Airflow from 2.11 on."""

from __future__ import annotations

import os
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

# Nothing of Airflow is imported before a DAG runs: pytest loads this in every project.


class DagFileError(Exception):
    """A file is no DAG file, or Airflow can't import it."""


def make_tables() -> None:
    """Make the tables of Airflow's database if it has none."""
    from airflow import settings
    from airflow.configuration import AIRFLOW_HOME
    from airflow.utils import db
    from sqlalchemy import inspect

    # Airflow 3.0 doesn't make it by itself.
    Path(AIRFLOW_HOME).mkdir(parents=True, exist_ok=True)
    if not inspect(settings.engine).has_table("dag_run"):
        db.initdb()


def run(dag: Any, **options: Any) -> Any:
    """Run a DAG to its end, deferrals included.

    :param dag: a DAG, or the path of a file with one.
    :param options: what ``dag.test()`` takes, for example ``run_conf``.
    :returns: the DagRun.
    :raises DagFileError: the file can't be imported, or has another number of DAGs than one.
    """
    if isinstance(dag, str | Path):
        dag = _read(Path(dag))
    _store(dag)
    return dag.test(**options)


def _read(path: Path) -> Any:
    if not path.is_file():
        raise DagFileError(f"There is no file {path.absolute()}.")
    bag = _new_bag(path)
    if bag.import_errors:
        raise DagFileError("\n".join(bag.import_errors.values()))
    if len(bag.dags) != 1:
        names = ", ".join(sorted(bag.dags)) or "none"
        raise DagFileError(f"{path} must have one DAG, but has {names}. Pass a DAG object instead.")
    return next(iter(bag.dags.values()))


def _store(dag: Any) -> None:
    """Write the DAG to the database, where ``dag.test()`` looks for it from Airflow 3.1 on."""
    module = _dagbag_module()
    if not hasattr(module, "sync_bag_to_db"):
        return
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    bag = _new_bag(Path(os.devnull))
    bag.bag_dag(dag)
    module.sync_bag_to_db(bag, next(iter(manager.get_all_dag_bundles())).name, None)


def _new_bag(path: Path) -> Any:
    """Return what a file holds; without the examples, which Airflow before 3.2 adds."""
    kind = _dagbag_module().DagBag
    options = {"include_examples": False} if "include_examples" in signature(kind).parameters else {}
    return kind(dag_folder=str(path), safe_mode=False, **options)


def _dagbag_module() -> ModuleType:
    from importlib import import_module

    try:
        return import_module("airflow.dag_processing.dagbag")
    except ImportError:
        return import_module("airflow.models.dagbag")

"""Fixtures for tests of DAGs against an emulated Bitrix24; pytest loads them by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.emulator.emulator import Emulator


@pytest.fixture
def bitrix24_emulator() -> Iterator[Emulator]:
    """A fresh portal on loopback, stopped after the test.

    Its limit of requests is off, so that a test need not wait; a test of the limit
    switches it on with ``bitrix24_emulator.limits.bucket.set_plan("standard")``.
    """
    from airflow_provider_b24.emulator import Emulator

    with Emulator(plan="none") as emulator:
        yield emulator


@pytest.fixture
def bitrix24_connection(bitrix24_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The portal of ``bitrix24_emulator``, with the connection ``bitrix24_default`` pointing at it.

    The connection is the environment variable AIRFLOW_CONN_BITRIX24_DEFAULT and
    uses the portal's webhook.
    """
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(bitrix24_emulator.connection()))
    return bitrix24_emulator


@pytest.fixture(scope="session")
def bitrix24_airflow_database() -> None:
    """Airflow's tables in the database of AIRFLOW_HOME, made if there are none."""
    from airflow_provider_b24.emulator import dag_runs

    dag_runs.make_tables()


@pytest.fixture
def bitrix24_run_dag(bitrix24_airflow_database: None) -> Callable[..., Any]:  # noqa: ARG001
    """A function that runs a whole DAG in this process, deferrals included, and returns its DagRun.

    ``bitrix24_run_dag(dag, run_conf={...})`` takes a DAG or the path of a file with one DAG;
    the rest goes to ``dag.test()``.
    """
    from airflow_provider_b24.emulator import dag_runs

    return dag_runs.run

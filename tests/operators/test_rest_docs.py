"""The page on calls of any method, run."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.operators.rest import Bitrix24BatchOperator, Bitrix24CallOperator
from tests.support.dag_runs import xcom
from tests.support.snippets import run_snippets

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

PAGE = Path(__file__).parents[2].joinpath("docs", "rest.md").read_text(encoding="utf-8")


def test_the_page_s_snippets_run(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    left = run_snippets("rest.md")

    run = run_dag(left["dag"])

    assert run.state == "success"
    assert len(xcom(run, "people")) == len(left["active"])
    assert xcom(run, "chats")["results"]["me"]["ID"] == left["me"]["ID"]


def test_the_page_names_each_parameter_of_the_operators() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    parameters = {
        name
        for operator in (Bitrix24CallOperator, Bitrix24BatchOperator)
        for name in inspect.signature(operator.__init__).parameters
    }

    assert named == parameters - {"self", "kwargs"}

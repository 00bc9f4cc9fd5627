"""A user's DAG, checked by ``mypy --strict`` as the user would check it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_b24.get_provider_info import get_provider_info

ROOT = Path(__file__).parents[2]
HEAD = """
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_b24.operators.polls import Bitrix24SendPollOperator
from airflow_provider_b24.sensors.polls import Bitrix24PollSensor
{imports}

@task
def found() -> list[str]:
    return ["a", "b"]


with DAG("typed", schedule=None, start_date=datetime(2026, 1, 1)):
    values = found()
    ask = Bitrix24SendPollOperator(task_id="ask", chat_id=1, question="?", answers=["a", "b"])
    wait = Bitrix24PollSensor(task_id="wait", poll=ask.output["message_id"], rule="{{{{ params.rule }}}}")
"""
MIXED = (
    "Bitrix24SendPollOperator(task_id='a', chat_id='chat1', question='?', answers=['a', values, '{{ b }}'])",
    "Bitrix24CallOperator(task_id='b', method='user.get', parameters={'ID': ask.output['chat_id']})",
    "Bitrix24BatchOperator(task_id='c', commands={'a': ['user.get', {'ID': values}], 'b': 'profile'})",
    "Bitrix24SendConnectorMessagesOperator(task_id='d', connector='c', line=1, messages=[values, {'a': 1}])",
)
WRONG = (
    "Bitrix24SendPollOperator(task_id='e', chat_id=1, question='?', answers=['a', 'b'], anonymous=2)",
    "Bitrix24SendPollOperator(task_id='f', chat_id=1, question='?', answers=5)",
    "Bitrix24SendPollOperator(task_id='g', chat_id=None, question='?', answers=['a', 'b'])",
    "Bitrix24SendMessageOperator(task_id='h', chat_id=1, message=['a'])",
    "Bitrix24CallOperator(task_id='i', method='user.get', parameters=['ID'])",
    "Bitrix24BatchOperator(task_id='j', commands={}, if_errors=True)",
)
#: The ways to pass what is known only when the task runs.
FORMS = ("values", "ask.output", 'ask.output["message_id"]', 'wait.output["voters"]', '"{{ params.x }}"')


def public_operators() -> list[type[Any]]:
    """Return every operator and sensor that the provider info names the module of."""
    info = get_provider_info()
    modules = [
        name for kind in ("operators", "sensors") for part in info[kind] for name in part["python-modules"]
    ]
    return [
        value
        for name in modules
        for value in vars(import_module(name)).values()
        if isinstance(value, type) and value.__module__ == name and not value.__name__.startswith("_")
        if hasattr(value, "template_fields")
    ]


def every_field() -> list[str]:
    """Return a task a form and operator, with all templated fields in this form."""
    return [
        f"{kind.__name__}(task_id='t', {', '.join(f'{field}={form}' for field in kind.template_fields)})"
        for kind in public_operators()
        for form in FORMS
    ]


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Check all tasks in one DAG file, and return the errors of each."""
    imports = "\n".join(f"from {kind.__module__} import {kind.__name__}" for kind in public_operators())
    tasks = [*every_field(), *MIXED, *WRONG]
    head = HEAD.format(imports=imports).splitlines()
    path = tmp_path_factory.mktemp("dags") / "user_dag.py"
    path.write_text("\n".join([*head, *(f"    {task}" for task in tasks)]), encoding="utf-8")
    found = re.findall(rf"{re.escape(path.name)}:(\d+): error: (.*)", mypy(path))
    assert {int(line) for line, _ in found} <= set(range(len(head) + 1, len(head) + len(tasks) + 1)), found
    return {
        task: [text for line, text in found if int(line) == number]
        for number, task in enumerate(tasks, len(head) + 1)
    }


def mypy(path: Path) -> str:
    """Return what mypy says of a file, without this project's settings."""
    words = ["--strict", "--config-file=", "--cache-dir", str(ROOT / ".mypy_cache" / "user_dag"), str(path)]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *words], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return done.stdout


def test_every_templated_field_takes_an_output_and_a_template(errors: dict[str, list[str]]) -> None:
    tasks = every_field()

    assert len(tasks) >= 15 * len(FORMS)
    assert {task: errors[task] for task in tasks if errors[task]} == {}


def test_lists_and_mappings_may_mix_outputs_and_texts(errors: dict[str, list[str]]) -> None:
    assert {task: errors[task] for task in MIXED if errors[task]} == {}


@pytest.mark.parametrize("task", WRONG)
def test_what_a_field_does_not_take_is_an_error(errors: dict[str, list[str]], task: str) -> None:
    (error,) = errors[task]

    assert "incompatible type" in error

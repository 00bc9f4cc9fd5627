"""The pytest fixture that runs a DAG: what it takes, and the documented example in an empty Airflow."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.emulator.dag_runs import DagFileError

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow


PAGE = Path(__file__).parents[2] / "docs" / "emulator.md"
ONE_TASK = """
from datetime import datetime
from airflow.sdk import dag, task

@dag(schedule=None, start_date=datetime(2026, 1, 1))
def {name}():
    @task
    def double(number):
        return 2 * int(number)

    double("{{{{ params.number }}}}")

{name}()
"""


def test_a_dag_file_is_run_with_its_configuration(
    bitrix24_run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "one_file.py"
    file.write_text(
        ONE_TASK.format(name="one_file").replace("schedule=None", 'schedule=None, params={"number": 1}')
    )

    run = bitrix24_run_dag(file, run_conf={"number": 21})

    (instance,) = run.get_task_instances()
    assert (run.state, instance.xcom_pull(task_ids="double")) == ("success", 42)


def test_a_file_that_fails_to_import_says_why(bitrix24_run_dag: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("from airflow.sdk import nothing_like_that")

    with pytest.raises(DagFileError, match="nothing_like_that"):
        bitrix24_run_dag(str(file))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("from airflow.sdk import DAG", "has none"),
        (ONE_TASK.format(name="first") + ONE_TASK.format(name="second"), "has first, second"),
        (None, "There is no file"),
    ],
)
def test_a_file_with_another_number_of_dags_than_one_is_refused(
    bitrix24_run_dag: Callable[..., Any], tmp_path: Path, text: str | None, reason: str
) -> None:
    file = tmp_path / "dags.py"
    if text is not None:
        file.write_text(text)

    with pytest.raises(DagFileError, match=reason):
        bitrix24_run_dag(file)


def test_the_documented_example_runs_in_an_empty_airflow_home(tmp_path: Path) -> None:
    example = re.search(r"^```python\n# test_\w+\.py\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert example is not None
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    (project / "test_example.py").write_text(example[1])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))}
    env = kept | {"HOME": str(home), "AIRFLOW_HOME": str(home / "airflow"), "BITRIX24_STATE_DIR": str(home)}
    home.mkdir()

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        timeout=180,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout

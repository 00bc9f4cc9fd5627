"""The README says what is so: its snippets run, its links lead somewhere, its commands exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.polls.rules import parse_rule
from tests.support.examples import load
from tests.support.snippets import claimed_blocks, run_snippets

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from tests.support.crowd import Crowd

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture
def readme(portal: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the README's snippets leave, run against an emulated portal."""
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_APP", json.dumps(portal.connection(auth="oauth")))
    return run_snippets("../README.md")


def test_the_polls_dag_asks_waits_and_branches(
    readme: dict[str, Any], crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    readme["ask"].poll_interval = 0.1
    crowd.when_asked(lambda: [crowd.vote(person, "Yes") for person in range(3)])
    run = run_dag(readme["dag"])
    states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    assert (states["release"], states["wait"]) == ("success", "skipped")


def test_an_ask_is_at_most_twelve_lines_of_dag() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = [
        found for found in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "AskBranch" in found
    ]
    lines = [line for line in block.splitlines() if line.strip() and not line.startswith(("from", "import"))]
    assert len(lines) <= 12


def test_the_connector_snippet_delivers_its_message(
    readme: dict[str, Any], portal: Emulator, run_dag: Callable[..., Any]
) -> None:
    from datetime import datetime

    from airflow.sdk import DAG

    line = portal.lines.add("Shop")
    portal.lines.install_connector("shop", line)
    dag = DAG("push", schedule=None, start_date=datetime(2026, 1, 1))
    dag.add_task(readme["push"])
    readme["push"].line = line
    assert run_dag(dag).state == "success"
    assert [message.text for message in portal.lines.messages(line)] == ["Where is my parcel?"]


def test_the_batch_takes_four_requests_and_names_each_outcome(
    readme: dict[str, Any], portal: Emulator
) -> None:
    assert portal.requests.count("batch") == 4
    assert len(readme["done"]) == 200
    assert readme["done"].results[1][0]["ID"] == "1"


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted((ROOT / "example_dags").glob("*.py"))], ids=lambda page: page.name
)
def test_documented_dags_import_airflow_as_every_version_has_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    imports = re.findall(r"^\s*((?:from|import) (airflow\.[\w.]+).*)$", text, re.MULTILINE)

    # Only Airflow 3 has it, and compat.sdk does not offer it.
    newer = {"from airflow.sdk import AssetWatcher"} if "triggers.events" in text else set()
    assert {module for line, module in imports if line not in newer} <= {
        "airflow.providers.common.compat.sdk"
    }


def test_what_users_of_airflow_3_0_install_is_what_is_tried() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"^\$ pip install \S+ apache-airflow==(.+) (\S+)$", text, re.MULTILINE)
    matrix = (ROOT / "tests" / "versions" / "matrix").read_text(encoding="utf-8")
    (tried,) = [line.split() for line in matrix.splitlines() if line.startswith("3.0")]

    assert told == (tried[0], tried[-1])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_demos_output_is_what_the_demo_prints() -> None:
    from demo.transcript import ask_lines, poll_lines, report_lines

    (shown,) = claimed_blocks("../README.md", "text")
    _, poll, ask, report = (part.splitlines() for part in shown.strip().split("\n\n"))
    votes = [re.match(r"  (\S+) +│.*│ +(\d+) ", line) for line in poll[1:-1]]
    answers = [{"text": found[1], "votes": int(found[2])} for found in votes if found]
    total = sum(answer["votes"] for answer in answers)
    for answer in answers:
        answer["percent"] = 100 * answer["votes"] / total
    assert poll == list(poll_lines(_poll_of(poll[0]) | {"questions": [_question(poll[0], answers)]}))
    audit = re.match(r"  Decided: (.+) by (.+) \(rule: (.+)\)$", ask[1])
    assert audit is not None
    told = {
        "poll": _poll_of(ask[0]) | {"questions": [_question(ask[0], [])]},
        "chosen_options": [audit[1]],
        "voters": {audit[1]: [{"name": name} for name in audit[2].split(", ")]},
        "rule": str(parse_rule({"first_to": int(re.findall(r"\d+", audit[3])[0])})),
    }
    branches = dict(pair.split() for pair in ask[2].removeprefix("  Branch: ").split(", "))
    assert set(branches) < set(load("supplier_choice").task_ids)
    assert ask == list(ask_lines(told, branches))
    items = [
        {"message_id": words[1], "status": words[2], "chat_id": None, "errors": [" ".join(words[3:])]}
        | ({"chat_id": words[-1]} if words[0] == "✓" else {})
        for words in (line.split() for line in report[1:])
    ]
    counts = {name: sum(item["status"] == name for item in items) for name in STATUSES}
    assert report == list(report_lines({"items": items, **counts}))


STATUSES = ("accepted", "rejected", "unknown")


def _poll_of(head: str) -> dict[str, Any]:
    number = re.match(r"\w+ (\d+): ", head)
    voters = re.search(r"\((\d+) people voted, closed\)", head)
    assert number is not None
    return {
        "message_id": int(number[1]),
        "voters": int(voters[1]) if voters else None,
        "is_finished": True,
    }


def _question(head: str, answers: list[dict[str, Any]]) -> dict[str, Any]:
    return {"text": head.partition(": ")[2].partition("  (")[0], "answers": answers}


def test_every_make_command_is_a_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert {"demo", "test"} <= named
    assert [target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_installing_comes_first_and_from_no_index() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = text + (ROOT / "docs" / "emulator.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)", text, re.MULTILINE)[0] == "Install"
    assert re.findall(r"pip install [^\n`]*airflow-provider-b24", pages) == []
    assert "pip install .\n" in text


def test_the_wheels_name_is_the_one_that_the_commands_make(tmp_path: Path) -> None:
    commands = re.findall(r"^\$ (pip .*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    make, install, *_ = (command for command in commands if "dist" in command)
    options = [*make.removeprefix("pip ").removesuffix("dist .").split(), str(tmp_path), str(ROOT)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *options, "--no-build-isolation", "--quiet"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob(install.rpartition("/")[2]))) == 1

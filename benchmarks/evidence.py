"""Collects what an audit compares: Airflow's database, the portal, the reports and the logs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from benchmarks.audit import Evidence, Poll, Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from benchmarks.load import Load

_XCOMS = "select dag_id, map_index, value from xcom where key = 'return_value' and task_id in ('ask', 'call')"
_TASKS = "select dag_id, task_id, map_index, state, try_number from task_instance"


def collect(load: Load, *, seen_tokens: Iterable[str] = ()) -> Evidence:
    """Return the evidence of a load that has ended.

    :param load: the load.
    :param seen_tokens: the application's earlier tokens.
    """
    portal = load.portal.evidence()
    values = {(dag_id, index): _value(value) for dag_id, index, value in load.cluster.rows(_XCOMS)}
    tokens = {*seen_tokens, *portal["tokens"]}
    secrets = load.cluster.secrets() | {
        "webhook code": load.portal.webhook["password"],
        "client secret": load.portal.oauth["password"],
        **{f"token {number}": token for number, token in enumerate(sorted(tokens))},
    }
    return Evidence(
        expected=load.expected(),
        polls=[Poll(poll["text"], poll["is_finished"]) for poll in portal["polls"]],
        decisions=_decisions(values),
        calls=load.replies(),
        replies=_replies(values),
        messages=load.messages(),
        delivered=Counter(portal["delivered"]),
        told=_told(load.reports()),
        tasks=_task_rows(load),
        leaks=leaks((load.cluster.logs, load.cluster.folder / "home" / "logs"), secrets),
        refused=portal["refused"],
        requests=portal["requests"],
    )


def leaks(folders: Iterable[Path], secrets: Mapping[str, str]) -> list[str]:
    """Return the files below some folders that hold a secret, and which one.

    :param folders: where the logs are.
    :param secrets: the secrets, by what they are.
    """
    found = []
    for path in (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()):
        text = path.read_text(errors="replace")
        found += [f"{name} in {path.name}" for name, secret in secrets.items() if secret in text]
    return found


def _value(stored: Any) -> Any:
    return json.loads(stored) if isinstance(stored, str) else stored


def _decisions(values: Mapping[tuple[str, int], Any]) -> dict[str, str | None]:
    audits = [value for (dag_id, _), value in values.items() if dag_id == "load_asks"]
    return {
        value["poll"]["questions"][0]["text"]: next(iter(value["chosen_options"]), None) for value in audits
    }


def _replies(values: Mapping[tuple[str, int], Any]) -> dict[int, str]:
    return {index: str(value[0]["ID"]) for (dag_id, index), value in values.items() if dag_id == "load_calls"}


def _told(reports: Iterable[Path]) -> dict[str, str]:
    rows = [
        json.loads(line)
        for report in reports
        if report.exists()
        for line in report.read_text(encoding="utf-8").splitlines()
    ]
    return {row["message_id"]: row["status"] for row in rows}


def _task_rows(load: Load) -> list[Task]:
    return [
        Task(f"{dag_id}.{task_id}", state, tries)
        for dag_id, task_id, _, state, tries in load.cluster.rows(_TASKS)
    ]

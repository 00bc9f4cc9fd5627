"""Airflow's four components on loopback, with their own home directory."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.processes import Processes

_HEALTHY_WITHIN = 300.0
#: A busy machine lets the API server wait; it has one worker.
_ANSWER_WITHIN = 60.0
#: Reads are sent again when no answer comes. Nothing else is: a second run would be started.
_READS = Retry(total=3, connect=0, read=3, status_forcelist=(502, 503, 504), allowed_methods={"GET"})
_PAGE = 50
_COMPONENTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
}


def free_port() -> int:
    """Return a free port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def airflow_environment(*, home: Path, dags: Path, port: int) -> dict[str, str]:
    """Return the environment of an Airflow that uses loopback only."""
    url = f"http://127.0.0.1:{port}"
    settings = {
        "CORE__DAGS_FOLDER": str(dags),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__PARALLELISM": "4",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__TEST_CONNECTION": "Enabled",
        "CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        # Runs that the examples' schedules would create shall not start, only the demo's own.
        "SCHEDULER__USE_JOB_SCHEDULE": "False",
        "SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "5",
        # With the default of 5 s a short deferral can race the worker's heartbeat in 3.3.
        "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # A busy machine imports Airflow slowly, in the workers, too.
        "CORE__DAGBAG_IMPORT_TIMEOUT": "300",
        "DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "300",
        # For so long workers wait for the API server; a task whose start it answers later fails at once.
        "WORKERS__EXECUTION_API_TIMEOUT": str(_ANSWER_WITHIN),
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": url,
        "API__WORKERS": "1",
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    own = {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "AIRFLOW_HOME": str(home)}
    own |= {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    own["BITRIX24_STATE_DIR"] = str(home / "bitrix24-state")
    return own | {f"AIRFLOW__{name}": value for name, value in settings.items()}


class Airflow:
    """A running Airflow, used through its REST API.

    :param patience: seconds within which it must be healthy.
    """

    def __init__(self, *, url: str, processes: Processes, patience: float = _HEALTHY_WITHIN) -> None:
        self.url = url
        self._patience = patience
        self._processes = processes
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount(url, HTTPAdapter(max_retries=_READS))

    def start(self) -> None:
        """Create the database, start the components, and wait until they are healthy."""
        command = str(Path(sys.executable).with_name("airflow"))
        self._processes.run("migrate", command, "db", "migrate")
        for name in _COMPONENTS:
            self.start_component(name)
        self._wait_until_healthy()
        self.log_in()

    def log_in(self) -> None:
        """Get the token of the REST API."""
        token = self._session.get(f"{self.url}/auth/token", timeout=_ANSWER_WITHIN).json()["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def start_component(self, name: str) -> None:
        """Start one of the four components."""
        command = str(Path(sys.executable).with_name("airflow"))
        self._processes.start(name, command, *_COMPONENTS[name])

    def add_connection(self, conn_id: str, fields: Mapping[str, Any]) -> None:
        """Store a connection in Airflow's database, where all hosts find it."""
        extra = json.dumps(fields.get("extra") or {})
        body = {**fields, "connection_id": conn_id, "extra": extra}
        self._session.post(
            f"{self.url}/api/v2/connections", json=body, timeout=_ANSWER_WITHIN
        ).raise_for_status()

    def wait_for_dag(self, dag_id: str) -> None:
        """Wait until the dag processor has parsed a DAG."""
        self._until(lambda: self._get(f"/dags/{dag_id}").ok, f"DAG {dag_id}")

    def run_dag(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run and return its id."""
        body = {"logical_date": None, "conf": dict(conf)}
        reply = self._session.post(
            f"{self.url}/api/v2/dags/{dag_id}/dagRuns", json=body, timeout=_ANSWER_WITHIN
        )
        reply.raise_for_status()
        return str(reply.json()["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run."""
        return str(self._get(f"/dags/{dag_id}/dagRuns/{run_id}").json()["state"])

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Return the state of each task of a run."""
        rows = self._get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances").json()["task_instances"]
        return {row["task_id"]: str(row["state"]) for row in rows}

    def mapped_tasks(self, dag_id: str, run_id: str, task_id: str) -> list[dict[str, Any]]:
        """Return all instances of a mapped task."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/listMapped"
        rows: list[dict[str, Any]] = []
        while True:
            page = self._get(f"{path}?limit={_PAGE}&offset={len(rows)}").json()
            rows += page["task_instances"]
            if len(rows) >= page["total_entries"]:
                return rows

    def all(self, path: str, key: str, *, page: int = _PAGE) -> list[dict[str, Any]]:
        """Return all rows of a list, whose key in the reply is given."""
        rows: list[dict[str, Any]] = []
        while True:
            joint = "&" if "?" in path else "?"
            answer = self._get(f"{path}{joint}limit={page}&offset={len(rows)}")
            answer.raise_for_status()
            reply = answer.json()
            rows += reply[key]
            if not reply[key] or len(rows) >= reply["total_entries"]:
                return rows

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear a task, as a person does in the web UI."""
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task_id], "only_failed": False}
        self._session.post(
            f"{self.url}/api/v2/dags/{dag_id}/clearTaskInstances", json=body, timeout=_ANSWER_WITHIN
        ).raise_for_status()

    def mark(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task, as a person does in the web UI."""
        path = f"{self.url}/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        self._session.patch(path, json={"new_state": state}, timeout=_ANSWER_WITHIN).raise_for_status()

    def answer(self, dag_id: str, run_id: str, task_id: str, chosen: list[str]) -> None:
        """Answer a Required Action, as a person does in the web UI."""
        body = {"chosen_options": chosen, "params_input": {}}
        self._session.patch(
            self._required_action_url(dag_id, run_id, task_id), json=body, timeout=_ANSWER_WITHIN
        ).raise_for_status()

    def required_action(self, dag_id: str, run_id: str, task_id: str) -> list[str] | None:
        """Return the answer of a Required Action."""
        reply = self._session.get(self._required_action_url(dag_id, run_id, task_id), timeout=_ANSWER_WITHIN)
        found: list[str] | None = reply.json()["chosen_options"]
        return found

    def _required_action_url(self, dag_id: str, run_id: str, task_id: str) -> str:
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        return f"{self.url}{path}"

    def result(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> Any:
        """Return the return value of a task, or None."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        reply = self._get(f"{path}?map_index={map_index}")
        return reply.json()["value"] if reply.ok else None

    def _wait_until_healthy(self) -> None:
        def healthy() -> bool:
            parts = self._get("/monitor/health").json()
            return all(parts[name]["status"] == "healthy" for name in ("scheduler", "triggerer"))

        self._until(healthy, "Airflow")

    def _until(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            self._processes.check()
            try:
                if condition():
                    return
            except (requests.RequestException, KeyError):
                pass
            time.sleep(0.3)
        raise RuntimeError(f"{what} was not ready within {self._patience:.0f} s")

    def _get(self, path: str) -> requests.Response:
        return self._session.get(f"{self.url}/api/v2{path}", timeout=_ANSWER_WITHIN)

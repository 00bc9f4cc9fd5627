"""A real Airflow runs three of the examples against an emulated portal.

``python demo`` prints a transcript and ends; ``python demo --ui`` keeps Airflow's web UI and the
portal's page open until Ctrl-C. All processes listen on loopback only and are stopped at the end.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from demo.processes import Processes  # noqa: E402
from demo.stack import Airflow, airflow_environment, free_port  # noqa: E402
from demo.terminal import own_terminal  # noqa: E402
from demo.transcript import ask_lines, chat_lines, poll_lines, report_lines  # noqa: E402
from demo.world import Portal  # noqa: E402

POLL, PUSH = "bitrix24_weekly_team_poll", "bitrix24_nightly_connector_push"
ASK = "bitrix24_supplier_choice"
_RUNS_WITHIN = 300.0
_STARTED = time.monotonic()


def main() -> int:
    """Run the demo and return the exit status."""
    parser = argparse.ArgumentParser(prog="python demo", description=__doc__)
    parser.add_argument("--ui", action="store_true", help="keep the web UI and the portal's page open")
    ui = parser.parse_args().ui
    signal.signal(signal.SIGTERM, _interrupt)
    with own_terminal():
        try:
            return 0 if run(ui=ui) else 1
        except KeyboardInterrupt:
            # With the UI it is how the demo ends.
            return 0 if ui else 130
        except (RuntimeError, requests.RequestException) as error:
            print(f"The demo failed: {error}", file=sys.stderr)
            return 1


def run(*, ui: bool) -> bool:
    """Start everything, show the examples, stop everything, and say whether they succeeded."""
    folder = ROOT / ".demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    port = free_port()
    env = airflow_environment(home=folder, dags=ROOT / "example_dags", port=port)
    portal_processes = Processes(logs=folder, env=env)
    airflow_processes = Processes(logs=folder, env=env)
    try:
        portal = Portal(folder=folder, processes=portal_processes)
        portal.start(port=free_port(), vote_every=5.0 if ui else 1.0)
        say(f"The emulated portal: {portal.url}")
        # The processes read their environment when they start: only now the connections are known.
        airflow_processes = Processes(logs=folder, env=env | portal.prepare())
        airflow = Airflow(url=f"http://127.0.0.1:{port}", processes=airflow_processes)
        say("Starting Airflow: api-server, scheduler, triggerer, dag-processor")
        airflow.start()
        succeeded = show(airflow, portal)
        if ui:
            stay(airflow, portal)
        return succeeded
    finally:
        # A second Ctrl-C must not leave processes behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say("Stopping everything")
        airflow_processes.stop()
        portal_processes.stop()


def show(airflow: Airflow, portal: Portal) -> bool:
    """Run the examples, print their results, and return whether they are as expected."""
    runs = {}
    for dag_id in (POLL, PUSH, ASK):
        airflow.wait_for_dag(dag_id)
        runs[dag_id] = airflow.run_dag(dag_id, {})
        say(f"Running {dag_id}")
    states = follow(airflow, runs)
    poll = airflow.result(POLL, runs[POLL], "decided")
    report = airflow.result(PUSH, runs[PUSH], "push")
    ask = airflow.result(ASK, runs[ASK], "choose")
    transcript(portal.state(), poll, report, ask, airflow.task_states(ASK, runs[ASK]))
    for dag_id, state in states.items():
        print(f"{dag_id}: {state}")
    return all(state == "success" for state in states.values()) and _as_expected(poll, report, ask)


def follow(airflow: Airflow, runs: dict[str, str]) -> dict[str, str]:
    """Wait until the runs have ended; report each task that waits without a worker."""
    deadline = time.monotonic() + _RUNS_WITHIN
    reported: set[tuple[str, str]] = set()
    while True:
        states = {dag_id: airflow.run_state(dag_id, run_id) for dag_id, run_id in runs.items()}
        for dag_id, run_id in runs.items():
            for task_id, state in airflow.task_states(dag_id, run_id).items():
                if state == "deferred" and (dag_id, task_id) not in reported:
                    reported.add((dag_id, task_id))
                    say(f"{dag_id}.{task_id} waits in the triggerer; its worker is free")
        if all(state in {"success", "failed"} for state in states.values()):
            return states
        if time.monotonic() > deadline:
            raise RuntimeError(f"The runs did not end within {_RUNS_WITHIN:.0f} s: {states}")
        time.sleep(0.5)


def transcript(state: dict[str, Any], poll: Any, report: Any, ask: Any, branches: dict[str, str]) -> None:
    """Print the poll, the question and what followed, the report and the chat."""
    names = {user["id"]: user["name"] for user in state["users"]}
    print()
    for lines in (
        poll_lines(poll) if poll else iter(["No poll was closed"]),
        ask_lines(ask, branches) if ask else iter(["No question was decided"]),
        report_lines(report) if report else iter(["No messages were pushed"]),
        chat_lines(state["chats"][0], names=names),
    ):
        print(*lines, sep="\n")
        print()


def stay(airflow: Airflow, portal: Portal) -> None:
    """Keep everything running until Ctrl-C."""
    print(f"\nAirflow's web UI   {airflow.url}  (no login)")
    print(f"The portal's page  {portal.url}  (vote, stop polls, read the open line)")
    print("All DAGs can be triggered as they are.")
    print("Ctrl-C stops all.", flush=True)
    while True:
        signal.pause()


def say(text: str) -> None:
    """Print a step with the seconds since the start."""
    print(f"[{time.monotonic() - _STARTED:5.1f} s] {text}", flush=True)


def _as_expected(poll: Any, report: Any, ask: Any) -> bool:
    """Return whether both polls were decided and three of four messages were delivered."""
    return (
        bool(poll and report and ask)
        and poll["is_finished"]
        and ask["decided_by"] == "votes"
        and (report["accepted"], report["rejected"]) == (3, 1)
    )


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

"""``python -m benchmarks.triggerer_kill``: a triggerer is killed while hundreds of sensors wait in it.

Airflow's four components and an emulated portal with the cloud's limit run on loopback. A third of the
polls are stopped while the first triggerer runs, a third while no triggerer runs, and a third under the
second triggerer. It measures nothing: the transcript shows whether every sensor succeeded, and once.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.portal import Portal
from demo.processes import Processes
from demo.stack import Airflow, airflow_environment, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

_DAG = "triggerer_kill"
_DAGS = Path(__file__).resolve().parent / "dags"
_STARTED = time.monotonic()


class Scenario:
    """One run of the DAG; prints its steps.

    :param limit: seconds for each step.
    """

    def __init__(self, airflow: Airflow, processes: Processes, portal: Portal, limit: float) -> None:
        self._airflow = airflow
        self._processes = processes
        self._portal = portal
        self._limit = limit
        self._run = ""

    def run(self, count: int) -> bool:
        """Run the scenario and return whether all sensors succeeded."""
        polls = self._portal.make_polls(count)
        first, second, third = polls[::3], polls[1::3], polls[2::3]
        self._run = self._airflow.run_dag(_DAG, {"polls": polls})
        self._until(lambda: self._states()["deferred"] == count, f"all {count} sensors wait in the triggerer")
        self._requests("while the waits started")
        time.sleep(30)
        self._requests("in the 30 s since then")
        self._stop(first)
        self._until(lambda: self._states()["success"] >= len(first) // 2, "half of their sensors resumed")
        say(f"kill -9 of the triggerer, pid {self._processes.kill('triggerer')}")
        self._stop(second)
        time.sleep(5)
        self._airflow.start_component("triggerer")
        say("A second triggerer is started")
        self._until(
            lambda: self._states()["success"] >= len(first) + len(second), "the first two thirds are done"
        )
        self._stop(third)
        self._until(lambda: self._states()["success"] == count, "all are done")
        self._until(lambda: self._airflow.run_state(_DAG, self._run) != "running", "the run has ended")
        self._requests("since the kill")
        return self._judge(count)

    def _judge(self, count: int) -> bool:
        summary = self._airflow.result(_DAG, self._run, "summary")
        tries = Counter(row["try_number"] for row in self._tasks())
        polls = len(self._portal.polls())
        print(f"\nThe run:             {self._airflow.run_state(_DAG, self._run)}")
        print(f"Sensors' results:    {summary}")
        print(f"Tries of a sensor:   {dict(tries)}")
        print(f"Polls on the portal: {polls}")
        print(f"Refused with a 503:  {self._portal.counts()['refused']}")
        right = {"decided": count, "right": count, "finished": count}
        return summary == right and dict(tries) == {1: count} and polls == count

    def _stop(self, polls: list[int]) -> None:
        for poll in polls:
            self._portal.control("POST", "stop", {"message_id": poll})
        say(f"{len(polls)} polls are stopped")

    def _tasks(self) -> list[dict[str, Any]]:
        return self._airflow.mapped_tasks(_DAG, self._run, "wait")

    def _states(self) -> Counter[str]:
        states = Counter(str(row["state"]) for row in self._tasks())
        if states["failed"] or states["upstream_failed"]:
            raise RuntimeError(f"A sensor failed: {dict(states)}")
        return states

    def _requests(self, when: str) -> None:
        counts = self._portal.counts()
        before, self._counts = getattr(self, "_counts", Counter()), Counter(counts)
        new = {name: number - before[name] for name, number in counts.items()}
        say(f"Requests {when}: {new['requests']}, of them {new['refused']} refused")

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self._limit
        while not condition():
            self._processes.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"Not within {self._limit:.0f} s: {what}; {dict(self._states())}")
            time.sleep(1.0)
        say(what[0].upper() + what[1:])


def main() -> int:
    """Run the scenario and return the exit status."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="bitrix24-triggerer-kill-"))
    port = free_port()
    env = airflow_environment(home=folder, dags=_DAGS, port=port)
    processes = Processes(logs=folder, env=env)
    try:
        with Portal() as portal:
            env["AIRFLOW_CONN_BITRIX24_DEFAULT"] = json.dumps(portal.webhook)
            processes = Processes(logs=folder, env=env)
            airflow = Airflow(url=f"http://127.0.0.1:{port}", processes=processes)
            airflow.start()
            say("Airflow is up: api-server, scheduler, triggerer, dag-processor")
            airflow.wait_for_dag(_DAG)
            succeeded = Scenario(airflow, processes, portal, options.limit).run(options.count)
    except RuntimeError as error:
        print(f"The scenario failed: {error}", file=sys.stderr)
        return 1
    finally:
        processes.stop()
        say(f"Everything is stopped{f'; the logs are in {folder}' if options.keep else ''}")
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if succeeded else 1


def say(text: str) -> None:
    """Print a step with the seconds since the start."""
    print(f"[{time.monotonic() - _STARTED:6.1f} s] {text}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.triggerer_kill", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="sensors (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for each step (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep Airflow's home with its logs")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

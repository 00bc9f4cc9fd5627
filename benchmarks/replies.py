"""``python -m benchmarks.replies``: operators reply while the triggerer is killed three times.

Airflow's four components and an emulated portal with the cloud's limit run on loopback. Operators reply at a
steady pace; at a quarter, a half and three quarters of the replies the triggerer is killed with SIGKILL
and another one started. Each reply must become an asset event and reach a DAG run. Airflow makes one run of
all asset events that it finds at a time, so there are fewer runs than replies; repeats are counted.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.connector import Connector
from benchmarks.portal import Portal
from benchmarks.triggerer_kill import say
from demo.processes import Processes
from demo.stack import Airflow, airflow_environment, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

_DAG = "replies"
_DAGS = Path(__file__).resolve().parent / "dags"
_PAGE = 100
_KILLS = (0.25, 0.5, 0.75)
_AGAIN = re.compile(r"(\d+) events of connection .{1,40} are handed on again|Event \S+ is handed on again")


class Scenario:
    """Replies, kills the triggerer, and judges what became of the replies.

    :param limit: seconds for each step.
    :param pace: replies a second.
    """

    def __init__(
        self,
        airflow: Airflow,
        processes: Processes,
        portal: Portal,
        logs: Path,
        *,
        limit: float,
        pace: float,
    ) -> None:
        self._airflow = airflow
        self._processes = processes
        self._portal = portal
        self._log = logs / "triggerer.log"
        self._limit = limit
        self._pace = pace
        self._connector = Connector(portal)
        self._sent = 0
        self._told = 0
        self._results: dict[str, list[str]] = {}

    def run(self, count: int) -> bool:
        """Run the scenario and return whether no reply was lost."""
        self._connector.set_up()
        chats = [self._connector.write(f"ticket-{number}") for number in range(5)]
        self._until(lambda: self._portal.requests("event.offline.get"), "the watcher reads the queue")
        operators = threading.Thread(target=self._reply, args=(chats, count), daemon=True)
        operators.start()
        for share in _KILLS:
            self._until(
                lambda share=share: self._sent >= count * share, f"{share:.0%} of the replies are sent"
            )
            self._kill()
        operators.join()
        say(f"All {count} replies are sent")
        self._until(lambda: not self._connector.queue(), "the portal's queue is empty")
        self._until(lambda: len(self._handled()) >= count, "each reply has reached a DAG run")
        self._until(lambda: not self._runs("queued") + self._runs("running"), "all runs have ended")
        return self._judge(count)

    def _reply(self, chats: list[int], count: int) -> None:
        started = time.monotonic()
        for number in range(count):
            time.sleep(max(started + number / self._pace - time.monotonic(), 0))
            reply = {"chat_id": chats[number % len(chats)], "text": f"Reply {number}", "user_id": 2}
            self._portal.control("POST", "reply", reply)
            self._sent = number + 1

    def _kill(self) -> None:
        held = sum(row["reserved"] for row in self._connector.queue())
        say(f"kill -9 of the triggerer, pid {self._processes.kill('triggerer')}; {held} events are reserved")
        self._note_repeats()
        self._airflow.start_component("triggerer")
        # Each reader looks once at the subscriptions.
        readers = len(self._portal.requests("event.get"))
        self._until(lambda: len(self._portal.requests("event.get")) > readers, "another triggerer reads")

    def _note_repeats(self) -> None:
        """Keep what the triggerer has logged of repeats: its successor writes the log anew."""
        found = _AGAIN.findall(self._log.read_text(errors="replace"))
        self._told += sum(int(count or 1) for count in found)

    def _judge(self, count: int) -> bool:
        self._note_repeats()
        told = Counter(event["extra"]["payload"]["id"] for event in self._asset_events())
        runs, handled = self._runs("success"), self._handled()
        wanted = {f"Reply {number}" for number in range(count)}
        lost, repeats = wanted - set(handled), told.total() - len(told)
        print(f"\nReplies:                        {count}")
        print(f"Asset events:                   {told.total()}, of {len(told)} replies")
        print(f"DAG runs that they started:     {len(runs)}")
        print(f"Replies that reached a DAG run: {len(set(handled) & wanted)}, lost: {len(lost)}")
        print(f"Repeats among the asset events: {repeats}; the log tells of {self._told}")
        print(f"Refused with a 503:             {self._portal.counts()['refused']}")
        print(f"Left in the portal's queue:     {len(self._connector.queue())}")
        return not lost and len(told) == count and repeats <= self._told

    def _handled(self) -> Counter[str]:
        """Return the texts that successful runs have handled, with how often."""
        texts: Counter[str] = Counter()
        for run in self._runs("success"):
            if run not in self._results:
                self._results[run] = [row["text"] for row in self._airflow.result(_DAG, run, "handle")]
            texts.update(self._results[run])
        return texts

    def _runs(self, state: str) -> list[str]:
        rows = self._airflow.all(f"/dags/{_DAG}/dagRuns?state={state}", "dag_runs", page=_PAGE)
        return [str(row["dag_run_id"]) for row in rows]

    def _asset_events(self) -> list[dict[str, Any]]:
        return self._airflow.all("/assets/events?order_by=timestamp", "asset_events", page=_PAGE)

    def _until(self, condition: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + self._limit
        while not condition():
            self._processes.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"Not within {self._limit:.0f} s: {what}")
            time.sleep(1.0)
        say(what[0].upper() + what[1:])


def main() -> int:
    """Run the scenario and return the exit status."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="bitrix24-replies-"))
    port = free_port()
    env = airflow_environment(home=folder, dags=_DAGS, port=port)
    env["AIRFLOW__API__MAXIMUM_PAGE_LIMIT"] = str(_PAGE)
    # Without it the scheduler starts no run of an asset event either.
    env["AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"] = "True"
    processes = Processes(logs=folder, env=env)
    try:
        with Portal() as portal:
            env["AIRFLOW_CONN_BITRIX24_APP"] = json.dumps(portal.oauth)
            env["AIRFLOW_CONN_BITRIX24_DEFAULT"] = json.dumps(portal.webhook)
            processes = Processes(logs=folder, env=env)
            url = f"http://127.0.0.1:{port}"
            airflow = Airflow(url=url, processes=processes, patience=options.limit)
            airflow.start()
            say("Airflow is up: api-server, scheduler, triggerer, dag-processor")
            airflow.wait_for_dag(_DAG)
            scenario = Scenario(airflow, processes, portal, folder, limit=options.limit, pace=options.pace)
            succeeded = scenario.run(options.count)
    except RuntimeError as error:
        print(f"The scenario failed: {error}", file=sys.stderr)
        return 1
    finally:
        processes.stop()
        say(f"Everything is stopped{f'; the logs are in {folder}' if options.keep else ''}")
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if succeeded else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replies", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="replies (default: %(default)s)")
    parser.add_argument("--pace", type=float, default=5.0, help="replies a second (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for each step (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep Airflow's home with its logs")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

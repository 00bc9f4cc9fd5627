"""``python -m benchmarks.asks_under_kills``: triggerer and worker are killed while people are asked.

Airflow's four components and an emulated portal with the cloud's limit run on loopback. Mapped asks with
different rules wait while the triggerer is restarted and killed and the workers are killed; scripted
people vote in between. Then one ask is cleared, one is marked failed, one marked success, and one ended by
the timeout of its run. It measures nothing: the transcript shows whether every decision is right, every
question was asked once, and no poll is open in the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.portal import Portal
from benchmarks.triggerer_kill import say
from demo.processes import Processes
from demo.stack import Airflow, airflow_environment, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

_DAGS = Path(__file__).resolve().parent / "dags"
_DAG = "asks_under_kills"
_NAMES = ("Ann", "Bob", "Cid", "Dan")
#: Votes that decide by each rule, for the answer that is to win.
_RULES: tuple[tuple[Any, int], ...] = (
    ("first_vote", 1),
    ({"quorum": 3}, 3),
    ("everybody", 4),
    ({"first_to": 2}, 2),
    ({"majority": 4}, 3),
)


class Scenario:
    """Asks people, kills processes, and judges the decisions.

    :param airflow: the running Airflow.
    :param processes: its processes.
    :param portal: the emulated portal.
    :param limit: seconds for each step.
    """

    def __init__(self, airflow: Airflow, processes: Processes, portal: Portal, limit: float) -> None:
        self._airflow = airflow
        self._processes = processes
        self._portal = portal
        self._limit = limit
        self._people = [portal.control("POST", "users", {"name": name})["id"] for name in _NAMES]
        members = [1, *self._people]
        self._chat = portal.control("POST", "chats", {"title": "Team", "members": members})["id"]

    def run(self, count: int) -> bool:
        """Run both parts and return whether all is right."""
        return self._decide(count) & self._end() & self._two_channels()

    def _decide(self, count: int) -> bool:
        expected = {f"Question {number:02}?": "Yes" if number % 2 else "No" for number in range(count)}
        questions = [
            {"question": text, "rule": _RULES[number % len(_RULES)][0]}
            for number, text in enumerate(expected)
        ]
        run = self._airflow.run_dag(_DAG, {"questions": questions, "chat_id": self._chat})
        self._until(lambda: self._states(run)["deferred"] == count, f"all {count} asks wait")
        self._processes.terminate("triggerer")
        self._airflow.start_component("triggerer")
        say("The triggerer is restarted")
        self._vote(expected, range(0, count, 3))
        self._until(lambda: self._states(run)["success"] >= 1, "the first asks are decided")
        say(f"kill -9 of the triggerer, pid {self._processes.kill('triggerer')}")
        self._vote(expected, range(1, count, 3))
        self._airflow.start_component("triggerer")
        say("Another triggerer is started")
        self._until(lambda: self._states(run)["success"] >= count // 3, "a third is decided")
        self._vote(expected, range(2, count, 3))
        self._kill_workers(run)
        self._until(lambda: self._states(run)["success"] == count, "all are decided")
        return self._judge(run, expected)

    def _vote(self, expected: dict[str, str], numbers: range) -> None:
        polls = {poll["questions"][0]["text"]: poll["message_id"] for poll in self._portal.polls()}
        for number in numbers:
            text = f"Question {number:02}?"
            for person in self._people[: _RULES[number % len(_RULES)][1]]:
                vote = {"message_id": polls[text], "user_id": person, "answers": [expected[text]]}
                self._portal.control("POST", "vote", vote)
        say(f"People have voted in {len(numbers)} polls")

    def _kill_workers(self, run: str) -> None:
        """Kill the processes that run a task, once some do."""
        deadline = time.monotonic() + 60
        killed: list[int] = []
        while not killed and time.monotonic() < deadline:
            for pid in self._processes.children("scheduler"):
                if any(_children(pid)):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
            time.sleep(0.05)
        say(f"kill -9 of {len(killed)} workers while they ran a task; {dict(self._states(run))}")

    def _judge(self, run: str, expected: dict[str, str]) -> bool:
        polls = self._portal.polls()
        asked = Counter(poll["questions"][0]["text"] for poll in polls)
        audits = [
            self._airflow.result(_DAG, run, "ask", row["map_index"])
            for row in self._airflow.mapped_tasks(_DAG, run, "ask")
        ]
        right = sum(
            expected[audit["poll"]["questions"][0]["text"]] == audit["chosen_options"][0] for audit in audits
        )
        decisions = Counter(text for text in self._portal.messages() if text.startswith("[b]Decision"))
        tries = Counter(row["try_number"] for row in self._airflow.mapped_tasks(_DAG, run, "ask"))
        finished = sum(poll["is_finished"] for poll in polls)
        print(f"\nPolls: {len(polls)}, asked twice: {sum(number > 1 for number in asked.values())}")
        print(f"Decisions right: {right} of {len(expected)}; polls stopped: {finished}")
        print(f"Decisions in the chat: {sum(decisions.values())}; tries of a task: {dict(tries)}")
        print(f"Refused with a 503: {self._portal.counts()['refused']}\n")
        audited = all(audit["voters"] and audit["counted"] and audit["rule"] for audit in audits)
        count = len(expected)
        return audited and (len(polls), right, finished, sum(decisions.values())) == (count,) * 4

    def _end(self) -> bool:
        """End waiting asks in the four ways in which a person, or a timeout, ends them."""
        before = len(self._portal.polls())
        runs = {name: self._airflow.run_dag("ended_ask", {"chat_id": self._chat}) for name in "cfs"}
        timed_out = self._airflow.run_dag("timed_out_ask", {"chat_id": self._chat})
        self._until(lambda: len(self._portal.polls()) == before + 4, "four more are asked")
        waiting = [("ended_ask", run) for run in runs.values()]
        self._until(
            lambda: all(self._airflow.task_states(*run)["ask"] == "deferred" for run in waiting), "they wait"
        )
        time.sleep(5)
        self._airflow.clear("ended_ask", runs["c"], "ask")
        self._airflow.mark("ended_ask", runs["f"], "ask", "failed")
        self._airflow.mark("ended_ask", runs["s"], "ask", "success")
        say("One ask is cleared, one marked failed, one marked success, one runs into the run's timeout")
        self._until(lambda: len(self._portal.polls()) == before + 5, "the cleared one is asked again")
        self._until(
            lambda: self._airflow.run_state("timed_out_ask", timed_out) == "failed", "the run has timed out"
        )
        self._until(lambda: len(self._open()) == 1, "only the new poll of the cleared ask is open")
        for poll in self._open():
            for person in self._people[:3]:
                vote = {"message_id": poll["message_id"], "user_id": person, "answers": ["Yes"]}
                self._portal.control("POST", "vote", vote)
        self._until(
            lambda: self._airflow.run_state("ended_ask", runs["c"]) == "success", "the cleared one is decided"
        )
        print(f"\nOpen polls in the chat: {len(self._open())}\n")
        return not self._open()

    def _two_channels(self) -> bool:
        """Answer one ask in the chat and one in Airflow; the other channel must be closed each time."""
        dag, before = "two_channel_ask", len(self._portal.polls())
        in_chat, in_airflow = (self._airflow.run_dag(dag, {"chat_id": self._chat}) for _ in range(2))
        self._until(lambda: len(self._portal.polls()) == before + 2, "two are asked in both channels")
        self._until(
            lambda: all(
                self._airflow.task_states(dag, run)["ask"] == "deferred" for run in (in_chat, in_airflow)
            ),
            "they wait",
        )
        time.sleep(5)
        poll = next(poll for poll in self._open() if in_chat in poll["questions"][0]["text"])
        vote = {"message_id": poll["message_id"], "user_id": self._people[0], "answers": ["Yes"]}
        self._portal.control("POST", "vote", vote)
        self._airflow.answer(dag, in_airflow, "ask", ["No"])
        self._until(
            lambda: all(self._airflow.run_state(dag, run) == "success" for run in (in_chat, in_airflow)),
            "both are decided",
        )
        audits = [self._airflow.result(dag, run, "ask") for run in (in_chat, in_airflow)]
        decided = [(audit["decided_by"], audit["chosen_options"]) for audit in audits]
        answered = self._airflow.required_action(dag, in_chat, "ask")
        told = [text for text in self._portal.messages() if "Answered in Airflow" in text]
        print(f"\nDecided by: {decided}; the Required Action of the first: {answered}")
        print(f"The chat of the second: {told}; open polls: {len(self._open())}\n")
        right = decided == [("votes", ["Yes"]), ("airflow", ["No"])] and answered == ["Yes"]
        return right and len(told) == 1 and not self._open()

    def _open(self) -> list[dict[str, Any]]:
        return [poll for poll in self._portal.polls() if not poll["is_finished"]]

    def _states(self, run: str) -> Counter[str]:
        return Counter(str(row["state"]) for row in self._airflow.mapped_tasks(_DAG, run, "ask"))

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self._limit
        while not condition():
            self._processes.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"Not within {self._limit:.0f} s: {what}")
            time.sleep(1.0)
        say(what[0].upper() + what[1:])


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(number) for number in found.stdout.split()]


def main() -> int:
    """Run the scenario and return the exit status."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="bitrix24-asks-"))
    port = free_port()
    env = airflow_environment(home=folder, dags=_DAGS, port=port)
    # A killed worker's task is noticed after this many seconds; Airflow's default is 300.
    env["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"] = "20"
    env["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL"] = "5"
    processes = Processes(logs=folder, env=env)
    succeeded = False
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
    finally:
        processes.stop()
        say(f"Everything is stopped{f'; the logs are in {folder}' if options.keep else ''}")
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if succeeded else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.asks_under_kills", description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="asks (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for each step (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep Airflow's home with its logs")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

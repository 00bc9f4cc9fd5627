"""``python -m benchmarks.push_runs``: pushes are killed and lose replies; no message is lost or doubled.

Each run pushes a file of messages into an emulated portal with the operator. Its process is killed with
SIGKILL at a random moment and its replies are dropped at random; then comes the next try, as Airflow's retries
do: a new process that runs ``operator.execute`` with the same task instance. Half of the runs note what they
deliver next to the report, half in a task state store, which is a file here with the interface of Airflow's. In
the end the portal's messages are compared with the report.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.portal import Portal

_ROOT = Path(__file__).resolve().parent.parent
_TRIES = 40
#: The share of tries that are killed, and the requests after which the kill comes at most.
_KILLED = 0.75
_DROPPED = 0.02
_LIMIT = 300.0


def main() -> int:
    """Run and compare; the exit status is 1 when a message is lost, doubled or not told."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="bitrix24-push-"))
    os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
    started = time.monotonic()
    with ThreadPoolExecutor(options.lanes) as pool:
        results = list(pool.map(lambda number: _Run(folder, number, options).run(), range(options.runs)))
    totals: Counter[str] = Counter()
    for result in results:
        totals.update(result)
    totals["seconds"] = round(time.monotonic() - started)
    print(json.dumps({"runs": options.runs, "messages a run": options.messages, **totals}, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    bad = ("lost", "silent", "twice", "accepted but not there", "unfinished", "out of order")
    return 1 if any(totals[name] for name in bad) else 0


class _Run:
    """One push over its tries.

    :param folder: where its files are.
    :param number: the run's number, which makes its faults the same each time.
    """

    def __init__(self, folder: Path, number: int, options: argparse.Namespace) -> None:
        self._folder = folder / f"run{number}"
        self._folder.mkdir()
        self._options = options
        self._random = random.Random(number)
        self._memory = "report" if number % 2 else "store"
        self.counts: Counter[str] = Counter()

    def run(self) -> Counter[str]:
        """Push until a try succeeds, and compare."""
        self._write_messages()
        with Portal(plan="none") as portal:
            self._line = self._prepare(portal)
            for number in range(1, _TRIES + 1):
                if self._try(portal, number):
                    break
            else:
                self.counts["unfinished"] += 1
            portal.control("DELETE", "faults")
            self._compare(portal)
        return self.counts

    def _write_messages(self) -> None:
        people = self._options.messages // 10
        with (self._folder / "messages.jsonl").open("w", encoding="utf-8") as file:
            for number in range(self._options.messages):
                person = self._random.randrange(people)
                # One person in five has no name, so that no search finds the conversation.
                name = {} if person % 5 == 0 else {"name": f"Person{person}"}
                row = {
                    "user": {"id": f"u{person}", **name},
                    "message": {"id": f"m{number}", "date": 1_760_000_000, "text": f"Message {number}"},
                    "chat": {"id": f"c{person}"},
                }
                file.write(json.dumps(row) + "\n")

    def _prepare(self, portal: Portal) -> int:
        line = portal.install_connector("shop")
        (self._folder / "connection.json").write_text(json.dumps(portal.oauth))
        portal.add_fault(
            "drop_after", method="imconnector.send.messages", times=None, probability=_DROPPED, seed=1
        )
        portal.add_fault(
            "drop_before", method="imconnector.send.messages", times=None, probability=_DROPPED, seed=2
        )
        return line

    def _try(self, portal: Portal, number: int) -> bool:
        """Run one try; return whether it succeeded."""
        settings = {
            "folder": str(self._folder),
            "try_number": number,
            "line": self._line,
            "memory": self._memory,
        }
        environment = {
            **os.environ,
            "BITRIX24_STATE_DIR": str(portal.state),
            "AIRFLOW_CONN_BITRIX24_APP": (self._folder / "connection.json").read_text(),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.push_try", json.dumps(settings)],
            cwd=_ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if process.stdout is None:
            raise RuntimeError("the try has no pipe")
        # It prints a line when it begins: what is before that is Airflow's import.
        process.stdout.readline()
        if self._random.random() < _KILLED:
            return self._kill(process)
        self.counts["tries"] += 1
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_LIMIT) == 0
        process.kill()
        return False

    def _kill(self, process: subprocess.Popen[str]) -> bool:
        self.counts["tries"] += 1
        try:
            return process.wait(self._random.uniform(0.0, self._options.kill_within)) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self.counts["kills"] += 1
            return False

    def _compare(self, portal: Portal) -> None:
        told = {}
        with suppress(FileNotFoundError):
            told = {row["message_id"]: row["status"] for row in self._told()}
        chats = [chat["messages"] for chat in portal.control("GET", "chats") if chat["kind"] == "lines"]
        there: Counter[str] = Counter(
            message["params"]["CONNECTOR_MID"][0] for messages in chats for message in messages
        )
        self.counts["drops"] += sum(1 for row in portal.requests() if row["fault"])
        for number in range(self._options.messages):
            self._judge(told.get(f"m{number}"), there[f"m{number}"])
        for messages in chats:
            numbers = [int(message["params"]["CONNECTOR_MID"][0][1:]) for message in messages]
            self.counts["out of order"] += sum(a > b for a, b in zip(numbers, numbers[1:], strict=False))

    def _told(self) -> list[dict[str, Any]]:
        """Return what the task said: in the report, or in the XCom that has all of so few messages."""
        if self._memory == "store":
            items: list[dict[str, Any]] = json.loads((self._folder / "result.json").read_text())["items"]
            return items
        return [json.loads(line) for line in (self._folder / "report.jsonl").read_text().splitlines()]

    def _judge(self, status: str | None, there: int) -> None:
        self.counts[status or "silent"] += 1
        self.counts["twice"] += there > 1
        self.counts["lost"] += status is None and there == 0
        self.counts["accepted but not there"] += status == "accepted" and there == 0
        self.counts["unknown and there"] += status == "unknown" and there > 0
        self.counts["rejected but there"] += status == "rejected" and there > 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.push_runs", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--messages", type=int, default=1_000)
    parser.add_argument("--lanes", type=int, default=2, help="runs at a time")
    parser.add_argument("--kill-within", type=float, default=4.0, help="seconds of a try until its kill")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

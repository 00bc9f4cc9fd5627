"""``python -m benchmarks.push_runs``: pushes are killed and lose replies; no message is lost or doubled.

Each run pushes a file of messages into an emulated portal with the operator. Its process is killed with
SIGKILL at a random moment, and connections break at random; then comes the next try, as Airflow's retries do
it: a new process, forked here, that runs ``operator.execute`` with the same task instance. Half of the runs
note what they deliver next to the report, half in a task state store, which is a file here with the interface
of Airflow's. In the end the portal's messages are compared with what the task said.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from benchmarks.portal import Portal
from benchmarks.workers import FORK

if TYPE_CHECKING:
    from datetime import timedelta

_TRIES = 40
#: The share of tries that are killed.
_KILLED = 0.75
#: The share of requests whose connection breaks, before or after they are executed.
_DROPPED = 0.02
_LIMIT = 300.0
#: The emulator ends a request within so many seconds also on a busy machine; a portal may take sixty.
_REQUEST_SECONDS = 3.0
_SEND = "imconnector.send.messages"


class FileStore:
    """Airflow's task state store, in a file: each set is whole or not at all, as in a database."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value."""
        return self._values().get(key, default)

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:  # noqa: ARG002
        """Replace a value."""
        draft = self._path.with_suffix(".part")
        draft.write_text(json.dumps({**self._values(), key: value}))
        draft.replace(self._path)

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self._path.read_text()) if self._path.exists() else {}
        return values


class Run:
    """One push over its tries.

    :param folder: where its files are.
    :param number: the run's number, which makes its faults the same each time.
    """

    def __init__(self, folder: Path, number: int, options: argparse.Namespace) -> None:
        self._folder = folder / f"run{number}"
        self._folder.mkdir()
        self._options = options
        self._random = random.Random(number)
        self._has_report = number % 2 == 1
        self.counts: Counter[str] = Counter(runs=1)

    def run(self) -> Counter[str]:
        """Push until a try succeeds, and compare."""
        self._write_messages()
        with Portal(plan="none") as portal:
            self._prepare(portal)
            is_finished = any(self._try(number) for number in range(1, _TRIES + 1))
            self.counts["drops"] += sum(1 for row in portal.requests() if row["fault"])
            if is_finished:
                self._compare(portal)
            else:
                # A first try that is killed before it begins leaves no record: its retries refuse to send.
                self.counts["unfinished" if any(self._orders(portal)) else _REFUSED] += 1
        shutil.rmtree(self._folder)
        return self.counts

    def _write_messages(self) -> None:
        people = max(self._options.messages // 10, 1)
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

    def _prepare(self, portal: Portal) -> None:
        self._line = portal.install_connector("shop")
        os.environ["BITRIX24_STATE_DIR"] = str(portal.state)
        os.environ["AIRFLOW_CONN_BITRIX24_APP"] = json.dumps(
            {**portal.oauth, "extra": {**portal.oauth["extra"], "plan": "self_hosted"}}
        )
        for kind in ("drop_after", "drop_before", "status_502"):
            details = {"executed": True} if kind == "status_502" else {}
            seed = self._random.randrange(10**6)
            portal.add_fault(kind, method=_SEND, times=None, probability=_DROPPED, seed=seed, **details)

    def _try(self, number: int) -> bool:
        """Run one try in a process of its own; return whether it succeeded."""
        process = FORK.Process(target=self._execute, args=(number,))
        process.start()
        self.counts["tries"] += 1
        is_killed = self._random.random() < _KILLED
        process.join(self._random.uniform(0.0, self._options.kill_within) if is_killed else _LIMIT)
        if process.is_alive():
            process.kill()
            process.join()
            self.counts["kills"] += 1
        return process.exitcode == 0

    def _execute(self, number: int) -> None:
        from airflow_provider_b24.operators.open_lines import Bitrix24SendConnectorMessagesOperator

        instance = SimpleNamespace(
            dag_id="night", task_id="push", run_id="r", map_index=-1, max_tries=_TRIES, try_number=number
        )
        instance.xcom_push = lambda **_: None
        context: Any = {"ti": instance}
        if not self._has_report:
            context["task_state_store"] = FileStore(self._folder / "store.json")
        operator = Bitrix24SendConnectorMessagesOperator(
            task_id="push",
            bitrix24_conn_id="bitrix24_app",
            connector="shop",
            line=self._line,
            path=str(self._folder / "messages.jsonl"),
            report_path=str(self._folder / "report.jsonl") if self._has_report else None,
            if_undelivered="report",
        )
        result = operator.execute(context)
        (self._folder / "result.json").write_text(json.dumps(result))

    def _compare(self, portal: Portal) -> None:
        told = {row["message_id"]: row["status"] for row in self._told()}
        orders = self._orders(portal)
        there = Counter(number for numbers in orders for number in numbers)
        for number in range(self._options.messages):
            self._judge(told.get(f"m{number}"), there[number])
        self.counts[_LATE] += sum(a > b for numbers in orders for a, b in pairwise(numbers))

    def _orders(self, portal: Portal) -> list[list[int]]:
        """Return the numbers of the messages in each conversation, in their order."""
        chats = [chat["messages"] for chat in portal.control("GET", "chats") if chat["kind"] == "lines"]
        return [
            [int(message["params"]["CONNECTOR_MID"][0][1:]) for message in messages] for messages in chats
        ]

    def _told(self) -> list[dict[str, Any]]:
        """Return what the task said: in the report, or in the XCom, which has all of so few messages."""
        if self._has_report:
            lines = (self._folder / "report.jsonl").read_text(encoding="utf-8").splitlines()
            return [json.loads(line) for line in lines]
        items: list[dict[str, Any]] = json.loads((self._folder / "result.json").read_text())["items"]
        return items

    def _judge(self, status: str | None, there: int) -> None:
        self.counts[status or "silent"] += 1
        self.counts["twice"] += there > 1
        self.counts["lost"] += status is None and there == 0
        self.counts["accepted but not there"] += status == "accepted" and there == 0
        self.counts["unknown and there"] += status == "unknown" and there > 0
        self.counts["rejected but there"] += status == "rejected" and there > 0


_BAD = (
    "lost",
    "silent",
    "twice",
    "accepted but not there",
    "rejected but there",
    "unfinished",
)
#: A message that was told as unknown is sent late, when a later try sees that it did not arrive.
_LATE = "out of order"
#: Nothing was sent and the task failed, because nothing is known of its first try.
_REFUSED = "refused, nothing sent"


def main() -> int:
    """Run and compare; the exit status is 1 when a message is lost, doubled or not told."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="bitrix24-push-"))
    os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
    logging.disable(logging.CRITICAL)
    # Imported once, before the tries are forked.
    import airflow_provider_b24.open_lines.api
    import airflow_provider_b24.operators.open_lines  # noqa: F401
    from airflow_provider_b24.open_lines.pushing import verification

    verification.REQUEST_SECONDS = _REQUEST_SECONDS
    started = time.monotonic()
    totals: Counter[str] = Counter(dict.fromkeys((*_BAD, _LATE, _REFUSED), 0))
    for number in range(options.first, options.first + options.runs):
        totals.update(Run(folder, number, options).run())
        print(json.dumps({**totals, "seconds": round(time.monotonic() - started)}), flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if any(totals[name] for name in _BAD) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.push_runs", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the number of the first run")
    parser.add_argument("--messages", type=int, default=1_000)
    parser.add_argument("--kill-within", type=float, default=3.0, help="seconds of a try until its kill")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

"""``python -m benchmarks.waiting``: the cost of waiting for ten thousand polls.

The portal is an emulator with the cloud's limits in its own process. Another process runs the triggers of
the deferrable sensor on one event loop, like Airflow's triggerer.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from benchmarks.portal import Portal
from benchmarks.table import OURS, Figure, Row, markdown

NAIVE = "naive"
_ROOT = Path(__file__).resolve().parent.parent
_MANY = 10_000
_POLLS_A_REQUEST = 2_500
_INTERVAL = 10.0


class Waiting:
    """A process that waits for polls of one portal; a context manager."""

    def __init__(
        self,
        portal: Portal,
        polls: list[int],
        *,
        kind: str = "polls",
        rule: Any = "stopped",
        interval: float = _INTERVAL,
        voters: list[int] | None = None,
    ) -> None:
        self._portal = portal
        given = {"rule": rule, "voters": voters}
        self._settings = {"kind": kind, "polls": polls, "interval": interval, **given}
        self.seen: dict[int, float] = {}
        self._states: queue.Queue[dict[str, Any]] = queue.Queue()

    def __enter__(self) -> Self:
        extra = {"plan": "self_hosted" if self._portal.plan == "none" else self._portal.plan}
        connection = json.dumps({**self._portal.webhook, "extra": extra})
        self._home = tempfile.TemporaryDirectory(prefix="bitrix24-waiting-")
        own = {"AIRFLOW_HOME": self._home.name, "AIRFLOW_CONN_BITRIX24_DEFAULT": connection}
        own["BITRIX24_STATE_DIR"] = str(self._portal.state)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.triggerer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=_ROOT,
            env={**os.environ, **own},
        )
        self._write(json.dumps(self._settings))
        self.before = json.loads(self._output().readline())["rss_before"]
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._input().close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._home.cleanup()

    def state(self) -> dict[str, Any]:
        """Return CPU time, memory, and the longest blocking of the event loop since the last call."""
        self._write("state")
        return self._states.get(timeout=60)

    def _listen(self) -> None:
        for line in self._output():
            message = json.loads(line)
            if "poll" in message:
                self.seen[message["poll"]] = message["at"]
            else:
                self._states.put(message)

    def _write(self, line: str) -> None:
        self._input().write(line + "\n")
        self._input().flush()

    def _input(self) -> Any:
        return self._process.stdin

    def _output(self) -> Any:
        return self._process.stdout


class Measurement:
    """Requests, CPU time and memory between two moments."""

    def __init__(self, portal: Portal, waiting: Waiting) -> None:
        self._portal, self._waiting = portal, waiting
        self._before, self._counts = waiting.state(), portal.counts()

    def end(self) -> dict[str, float]:
        after, counts = self._waiting.state(), self._portal.counts()
        seconds = after["clock"] - self._before["clock"]
        return {
            "seconds": seconds,
            "cpu": (after["cpu"] - self._before["cpu"]) / seconds,
            "requests": counts["requests"] - self._counts["requests"],
            "singles": counts["singles"] - self._counts["singles"],
            "refused": counts["refused"] - self._counts["refused"],
            "rss": after["rss"],
            "blocked": after["blocked"],
        }


def main() -> int:
    """Measure and print the table."""
    options = _options()
    os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    rows = [
        *_growth(options),
        _long_run(options),
        _one_deleted_poll(),
    ]
    print(f"\n{markdown(rows, [NAIVE])}\n")
    print(
        f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; portal and waiting in separate processes"
    )
    return 0 if all(row.met is not False for row in rows) else 1


def _growth(options: argparse.Namespace) -> list[Row]:
    """Wait for 100, 1,000 and 10,000 polls, and run 10,000 idle triggers."""
    figures = {}
    for count in (100, 1_000, _MANY):
        with Portal() as portal, Waiting(portal, portal.make_polls(count)) as waiting:
            # In the first rounds the watcher still collects the waits into full requests.
            time.sleep(3 * _INTERVAL)
            measurement = Measurement(portal, waiting)
            time.sleep(options.rounds * _INTERVAL)
            figures[count] = measurement.end() | {"before": waiting.before}
            print(f"{count} waiting: {figures[count]}", flush=True)
    with Portal() as portal, Waiting(portal, portal.make_polls(_MANY), kind="idle") as idle:
        time.sleep(5)
        own = (idle.state()["rss"] - idle.before) / _MANY
    return _growth_rows(figures, own, options.rounds)


def _growth_rows(figures: dict[int, dict[str, float]], own: float, rounds: int) -> list[Row]:
    each = {count: figure["requests"] / rounds for count, figure in figures.items()}
    wanted = {count: -(-count // _POLLS_A_REQUEST) for count in figures}
    cpu = {count: figure["cpu"] for count, figure in figures.items()}
    most = figures[_MANY]
    # Memory that the process needs for 100 waits is not counted as a waiter's.
    memory = (most["rss"] - figures[100]["rss"]) / (_MANY - 100) - own
    steady = max(cpu[_MANY] - cpu[100], 0.0) / (_MANY - 100)
    linear = cpu[1_000] <= cpu[100] + 2 * steady * 900 + 0.02
    return [
        Row(
            f"requests a round of {_INTERVAL:.0f} s for {_MANY} waiting polls",
            "4",
            {OURS: Figure(f"{each[_MANY]:.2f}", each[_MANY] <= 4.2), NAIVE: Figure(f"{_MANY}")},
        ),
        Row(
            "CPU of one core at 10,000 waiters",
            "<= 25 %",
            {OURS: Figure(f"{most['cpu']:.1%}", most["cpu"] <= 0.25)},
        ),
        Row(
            "memory a waiter beyond Airflow's own",
            "<= 4 KB",
            {OURS: Figure(f"{memory / 1024:.1f} KB (Airflow's: {own / 1024:.1f} KB)", memory <= 4096)},
        ),
        Row(
            "longest blocking of the event loop",
            "< 0.1 s, or Airflow warns",
            {OURS: Figure(f"{most['blocked'] * 1000:.0f} ms", most["blocked"] < 0.1)},
        ),
        Row(
            "growth from 100 over 1,000 to 10,000: requests a round",
            "n / 2,500",
            {
                OURS: Figure(
                    ", ".join(f"{value:.2f}" for value in each.values()),
                    all(each[count] <= wanted[count] * 1.1 for count in each),
                )
            },
        ),
        Row(
            "growth from 100 over 1,000 to 10,000: CPU",
            "linear in n",
            {OURS: Figure(", ".join(f"{value:.2%}" for value in cpu.values()), linear)},
        ),
    ]


def _long_run(options: argparse.Namespace) -> Row:
    """Wait under the cloud's limit while people vote; then read the polls one by one, like a naive sensor."""
    row = Row(
        f"{_MANY} waiters, {_INTERVAL:.0f} s, standard plan, {options.minutes:g} min",
        f"0 x 503, decisions seen within {1.5 * _INTERVAL:.0f} s",
    )
    with Portal() as portal:
        polls = portal.make_polls(_MANY)
        with Waiting(portal, polls, rule="first_vote") as waiting:
            time.sleep(2 * _INTERVAL)
            measurement = Measurement(portal, waiting)
            decided = _decide(portal, polls, until=time.monotonic() + 60 * options.minutes)
            time.sleep(2 * _INTERVAL)
            figures = measurement.end()
        late = sorted(waiting.seen.get(poll, float("inf")) - at for poll, at in decided.items())
    text = (
        f"{figures['refused']:.0f} x 503; {len(late)} decisions, median {statistics.median(late):.1f} s, "
        f"last {late[-1]:.1f} s; {figures['requests'] / figures['seconds']:.2f} requests/s"
    )
    row.figures[OURS] = Figure(text, figures["refused"] == 0 and late[-1] <= 1.5 * _INTERVAL)
    row.figures[NAIVE] = _naive(options.naive_seconds)
    return row


def _decide(portal: Portal, polls: list[int], *, until: float) -> dict[int, float]:
    """Vote in random polls, several a second; return the times of the votes."""
    left, decided = list(polls), {}
    random.Random(24).shuffle(left)
    while time.monotonic() < until:
        poll = left.pop()
        portal.control("POST", "vote", {"message_id": poll, "user_id": 2, "answers": ["No"]})
        decided[poll] = time.time()
        time.sleep(random.uniform(0.0, 0.6))
    return decided


def _naive(seconds: float) -> Figure:
    """Read each poll with its own call, as fast as possible."""
    import requests

    with Portal() as portal:
        polls = portal.make_polls(_MANY)
        entity = {"moduleId": "im", "entityType": "Bitrix\\Vote\\Attachment\\ImMessageConnector"}
        session, began = requests.Session(), time.monotonic()
        refused: list[float] = []

        def look(poll: int) -> None:
            if time.monotonic() - began > seconds:
                return
            params = {**entity, "entityId": poll}
            reply = session.post(f"{portal.webhook_url}vote.AttachedVote.get", json=params, timeout=30)
            if reply.status_code == 503:
                refused.append(time.monotonic() - began)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(look, polls))
        total = portal.counts()["requests"]
    return Figure(
        f"{len(refused)} x 503 of {total} requests in {seconds:.0f} s, the first after {min(refused):.1f} s"
        if refused
        else f"none refused of {total} requests in {seconds:.0f} s"
    )


def _one_deleted_poll() -> Row:
    """Delete one of 2,500 polls that are waited for."""
    with Portal() as portal:
        polls = portal.make_polls(_POLLS_A_REQUEST)
        with Waiting(portal, polls) as waiting:
            time.sleep(2 * _INTERVAL + 1)
            measurement = Measurement(portal, waiting)
            deleted = polls[1234]
            began = time.time()
            portal.delete(deleted)
            time.sleep(3 * _INTERVAL)
            once = measurement.end()
            measurement = Measurement(portal, waiting)
            time.sleep(3 * _INTERVAL)
            later = measurement.end()
        seconds = waiting.seen.get(deleted, float("inf")) - began
        others = len(waiting.seen) - 1
    extra, after = once["requests"] - 3, later["requests"] - 3
    text = (
        f"{extra:.0f} extra once, {after:.0f} afterwards; failed after {seconds:.1f} s, {others} others too"
    )
    met = extra <= 10 and after <= 0 and later["singles"] == 0 and others == 0
    return Row(
        "1 deleted poll among 2,500", "<= 10 extra requests once, 0 afterwards", {OURS: Figure(text, met)}
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waiting", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="of the long run (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=6, help="that are measured (default: %(default)s)")
    parser.add_argument("--naive-seconds", type=float, default=20.0, help="(default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

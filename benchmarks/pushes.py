"""``python -m benchmarks.pushes``: the cost, the rate and the memory of a push of many messages.

Three rows: our own processor time a message over bare ``requests`` with the same chunks, the rate that the
bucket allows, and the memory for a thousand lines against a million. Each push runs in a process of its own.
The portal of the first and the last row answers at once and keeps nothing (:mod:`benchmarks.stub_portal`); in
the second it is the emulator, with a bucket that drains faster on both sides.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from benchmarks.portal import Portal
from benchmarks.table import OURS, Figure, Row, markdown
from benchmarks.workers import run_together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROOT = Path(__file__).resolve().parent.parent
_CHUNK = 10
_GOAL_COST, _GOAL_RATE, _GOAL_MEMORY = 1.2, 0.95, 20.0
_PEOPLE = 500
#: The standard plan.
_DRAIN, _BURST = 2.0, 50
_LIMIT = 7200.0


def main() -> int:
    """Measure the rows and print them."""
    options = _options()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="bitrix24-pushes-") as folder:
        os.environ["AIRFLOW_HOME"] = str(Path(folder) / "airflow")
        os.environ["BITRIX24_STATE_DIR"] = str(Path(folder) / "state")
        import airflow_provider_b24.operators.open_lines  # noqa: F401 - once, before the workers are forked

        rows = [ROWS[name](Path(folder), options) for name in options.only or ROWS]
    print(markdown(rows, ["bare requests"]))
    return 0 if all(row.met is not False for row in rows) else 1


# The rows


def cost(folder: Path, options: argparse.Namespace) -> Row:
    """Push in turns with the operator and with a bare session, and compare the processor time."""
    row = Row(
        f"{options.messages:,} messages, limit off: processor time a message after the first request, "
        "ours over bare requests",
        f"<= {_GOAL_COST} x",
    )
    path, warm = write_messages(folder / "cost.jsonl", options.messages), folder / "warm.jsonl"
    write_messages(warm, _CHUNK)
    ours: list[float] = []
    bare: list[float] = []
    walls: list[float] = []
    starts: list[float] = []
    with StubPortal() as portal:
        # In turns, so that a busy machine slows both down.
        for number in range(options.rounds):
            first = _measured(lambda: push_bare(portal, path), warm=lambda: push_bare(portal, warm))
            report = folder / f"cost{number}.report"
            second = _measured(
                lambda at=report: push_ours(portal, path, at),
                warm=lambda at=report: push_ours(portal, warm, at.with_suffix(".warm")),
            )
            bare.append(first["cpu"])
            ours.append(second["cpu"])
            walls.append(second["wall"] / first["wall"])
            starts.append(second["start"])
    ratio = min(ours) / min(bare)
    micro = 1e6 / options.messages
    wall = sorted(walls)[len(walls) // 2]
    start = f"first request {min(starts):.1f} s"
    text = f"{ratio:.2f} x ({min(ours) * micro:.0f} us; wall {wall:.2f} x; {start})"
    row.figures[OURS] = Figure(text, ratio <= _GOAL_COST)
    row.figures["bare requests"] = Figure(f"{min(bare) * micro:.0f} us")
    return row


def rate(folder: Path, options: argparse.Namespace) -> Row:
    """Push under the standard plan, scaled, and compare with what the bucket allows."""
    scale, messages = options.scale, options.rate_messages
    requests = -(-messages // _CHUNK)
    ideal = (requests - _BURST) / (_DRAIN * scale)
    row = Row(
        f"{messages:,} messages, standard plan x {scale}: share of what the bucket allows",
        f">= {_GOAL_RATE:.0%}, 0 x 503",
    )
    path = write_messages(folder / "rate.jsonl", messages)
    with Portal(plan="standard") as portal:
        line = portal.install_connector("shop")
        portal.scale_bucket(scale)
        measured = _measured(lambda: push_scaled(portal, line, path, folder / "rate.report", scale))
        counts = portal.counts()
    share = ideal / measured["wall"]
    text = f"{share:.1%} ({measured['wall']:.1f} s of {ideal:.1f} s), {counts['refused']} x 503"
    row.figures[OURS] = Figure(text, share >= _GOAL_RATE and counts["refused"] == 0)
    return row


def memory(folder: Path, options: argparse.Namespace) -> Row:
    """Push a short and a long file, and compare the peaks of memory."""
    row = Row(f"peak memory, 1,000 against {options.lines:,} lines", f"within {_GOAL_MEMORY:.0f} MB")
    peaks = []
    with StubPortal() as portal:
        for lines in (1_000, options.lines):
            path = write_messages(folder / f"memory{lines}.jsonl", lines, people=lines // 2)
            report = folder / f"memory{lines}.report"
            peaks.append(_measured(lambda p=path, r=report: push_ours(portal, p, r))["peak"])
    text = f"{peaks[0]:.0f} MB, {peaks[1]:.0f} MB: {peaks[1] - peaks[0]:+.1f} MB"
    row.figures[OURS] = Figure(text, peaks[1] - peaks[0] <= _GOAL_MEMORY)
    return row


ROWS: dict[str, Callable[[Path, argparse.Namespace], Row]] = {"cost": cost, "rate": rate, "memory": memory}


# What is measured


def push_bare(portal: StubPortal, path: Path) -> int:
    """Read the file, post its chunks with a bare session, and count what the replies say."""
    import requests

    session = requests.Session()
    delivered = 0
    with path.open("rb") as file:
        for chunk in _chunks(map(json.loads, file)):
            body = {"CONNECTOR": "shop", "LINE": 12, "MESSAGES": chunk, "auth": portal.token}
            reply = session.post(f"{portal.url}/rest/imconnector.send.messages", json=body, timeout=70)
            rows = reply.json()["result"]["DATA"]["RESULT"]
            delivered += sum(row["SUCCESS"] for row in rows)
    return delivered


def push_ours(portal: StubPortal, path: Path, report: Path) -> int:
    """Push the file with the operator."""
    os.environ["AIRFLOW_CONN_BITRIX24_APP"] = json.dumps(portal.connection)
    return _push(12, path, report)


def push_scaled(portal: Portal, line: int, path: Path, report: Path, scale: int) -> int:
    """Push the file with the operator while the bucket of this host drains faster, too."""
    from airflow_provider_b24.rest import rate_limit

    rate_limit.PLANS["standard"] = rate_limit.Plan(drain=_DRAIN * scale, burst=_BURST)
    os.environ["AIRFLOW_CONN_BITRIX24_APP"] = json.dumps(portal.oauth)
    return _push(line, path, report)


def _push(line: int, path: Path, report: Path) -> int:
    from types import SimpleNamespace

    from airflow_provider_b24.operators.open_lines import Bitrix24SendConnectorMessagesOperator

    instance = SimpleNamespace(
        dag_id="night", task_id="push", run_id="r", map_index=-1, max_tries=0, try_number=1
    )
    operator = Bitrix24SendConnectorMessagesOperator(
        task_id="push",
        bitrix24_conn_id="bitrix24_app",
        connector="shop",
        line=line,
        path=str(path),
        report_path=str(report),
    )
    context: Any = {"ti": instance}
    result: int = operator.execute(context)["accepted"]
    return result


def _measured(push: Callable[[], int], *, warm: Callable[[], int] = lambda: 0) -> dict[str, float]:
    """Run a push in a process of its own; return its seconds, processor seconds and peak of memory in MB.

    A process pays once for its imports and for reading the connection: ``warm`` makes a request before, whose
    processor seconds are ``start``.
    """

    def work(number: int, begin: Callable[[], None]) -> dict[str, float]:  # noqa: ARG001
        begin()
        at_first = _processor_seconds()
        warm()
        started, before = time.perf_counter(), _processor_seconds()
        delivered = push()
        return {
            "start": before - at_first,
            "cpu": _processor_seconds() - before,
            "wall": time.perf_counter() - started,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "delivered": delivered,
        }

    worker = run_together(1, work, limit=_LIMIT).workers[0]
    if worker.error:
        raise RuntimeError(f"the push failed: {worker.error}")
    measured: dict[str, float] = worker.value
    return measured


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# What it is measured with


class StubPortal:
    """A portal that accepts everything at once, in another process; a context manager."""

    token = "a-token-of-the-usual-length-0123456789abcdef0123456789"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stub_portal"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )
        if self._process.stdout is None:
            raise RuntimeError("the portal has no pipe")
        self.url = f"http://127.0.0.1:{self._process.stdout.readline().strip()}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    @property
    def connection(self) -> dict[str, Any]:
        """The fields of an Airflow connection."""
        extra = {"access_token": self.token, "plan": "self_hosted"}
        return {
            "conn_type": "bitrix24",
            "host": self.url,
            "login": "app.1",
            "password": "client-secret-of-the-application",
            "extra": extra,
        }


def write_messages(path: Path, count: int, *, people: int = _PEOPLE) -> Path:
    """Write a file of messages."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            person = number % people
            row = {
                "user": {"id": f"u{person}", "name": "Ann", "last_name": "Lee", "email": "ann@shop.example"},
                "message": {
                    "id": f"m{number}",
                    "date": 1_760_000_000,
                    "text": f"Where is my order number {number}?",
                },
                "chat": {"id": f"order-{person}", "name": f"Order {person}"},
            }
            file.write(json.dumps(row) + "\n")
    return path


def _chunks(rows: Iterator[Any]) -> Iterator[list[Any]]:
    chunk = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pushes", description=__doc__)
    parser.add_argument("--only", action="append", choices=ROWS)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3, help="pushes of each kind in the row cost")
    parser.add_argument("--rate-messages", type=int, default=100_000)
    parser.add_argument("--scale", type=int, default=10, help="how much faster the bucket drains")
    parser.add_argument("--lines", type=int, default=1_000_000)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

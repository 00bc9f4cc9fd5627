"""Rows about the portal's rate limit: single calls, batches, and other clients at the same address."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import CONTENDERS, Answers, Contender
from benchmarks.portal import refused
from benchmarks.table import Figure, Row
from benchmarks.workers import FORK, run_together

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.bench import Bench
    from benchmarks.portal import Portal

PROCESSES = 8
COMMANDS = 50
OTHER_CLIENTS = 4
#: The burst and the requests a second of the standard plan's leaky bucket.
_BURST, _DRAIN = 50, 2.0
_SLACK = 1.05
#: Seconds that the other clients have to fill the bucket.
_PATIENCE = 30.0


def physical_limit(requests: int) -> float:
    """Return the least seconds that the bucket makes so many requests take."""
    return max(requests - _BURST, 0) / _DRAIN


def single_calls(bench: Bench) -> Row:
    """Send single calls from eight processes, like eight Airflow workers."""
    calls = bench.size(120, 64)
    fastest = physical_limit(calls)
    row = Row(
        f"{calls} single calls from {PROCESSES} processes, standard plan",
        f"0 failed, <= 1 x 503, <= {_SLACK * fastest:.2f} s ({_SLACK} x {fastest:.0f} s)",
    )
    for contender in CONTENDERS:
        row.figures[contender.name] = _single_calls(bench, contender, calls, _SLACK * fastest)
    return row


def _single_calls(bench: Bench, contender: Contender, calls: int, goal: float) -> Figure:
    with bench.portal() as portal:

        def work(number: int, begin: Callable[[], None]) -> int:  # noqa: ARG001
            client = contender.open(portal)
            begin()
            return sum(_fails(client, "user.current") for _ in range(calls // PROCESSES))

        done = run_together(PROCESSES, work, limit=bench.limit)
        rows = portal.requests()
    failed = sum(calls // PROCESSES if worker.error else worker.value for worker in done.workers)
    text = f"{failed} failed, {refused(rows)} x 503, {len(rows)} requests, {done.wall:.2f} s"
    met = failed == 0 and refused(rows) <= 1 and done.wall <= goal
    return Figure(text, _verdict(bench, met))


def _fails(client: Any, method: str) -> bool:
    try:
        client.call(method, {})
    except Exception:  # noqa: BLE001
        return True
    return False


def many_messages(bench: Bench) -> Row:
    """Send messages in batches while no other client sends."""
    messages = bench.size(5000, 3000)
    requests = messages // COMMANDS
    goal = _SLACK * physical_limit(requests)
    row = Row(
        f"{messages} messages in batches, standard plan",
        f"{requests} requests, 0 x 503, all results, <= {goal:.2f} s "
        f"({_SLACK} x {physical_limit(requests):.0f} s)",
    )
    for contender in CONTENDERS:
        sent = _Messages(bench, contender, messages)
        sent.run()
        whole = sent.requests == requests and sent.refused == 0 and sent.results == messages
        met = _verdict(bench, whole and sent.complete and sent.wall <= goal)
        text = f"{sent.requests} requests, {sent.refused} x 503, {sent.results} results, {sent.wall:.2f} s"
        row.figures[contender.name] = Figure(f"{text}{sent.errors}", met)
    return row


def messages_from_a_shared_address(bench: Bench) -> Row:
    """Send messages in batches while other clients exhaust the limit of the same address."""
    messages = bench.size(5000, 500)
    row = Row(
        f"{messages} messages while {OTHER_CLIENTS} other clients exhaust the limit of the same address",
        "all delivered, 0 duplicates",
    )
    for contender in CONTENDERS:
        sent = _Messages(bench, contender, messages, other_clients=OTHER_CLIENTS)
        sent.run()
        text = f"{sent.delivered} delivered, {sent.duplicates} duplicates, {sent.results} results"
        effort = f"{sent.requests} requests, {sent.refused} x 503, {sent.wall:.0f} s"
        met = _verdict(bench, sent.complete and sent.results == messages)
        row.figures[contender.name] = Figure(f"{text}, {effort}{sent.errors}", met)
    return row


class _Messages:
    """One contender's run, and what the portal counted."""

    def __init__(self, bench: Bench, contender: Contender, messages: int, *, other_clients: int = 0) -> None:
        self._bench = bench
        self._contender = contender
        self._messages = messages
        self._other_clients = other_clients

    @property
    def complete(self) -> bool:
        """Whether every message is in the chat exactly once."""
        return self.delivered == self._messages and self.duplicates == 0

    def run(self) -> None:
        """Send the messages and read the portal's counts."""
        with self._bench.portal() as portal:
            others = [
                FORK.Process(target=exhaust_limit, args=(portal,), daemon=True)
                for _ in range(self._other_clients)
            ]
            for other in others:
                other.start()
            self._send(portal)
            for other in others:
                other.kill()
                other.join()
            self._count(portal)

    def _send(self, portal: Portal) -> None:
        def work(number: int, begin: Callable[[], None]) -> int:  # noqa: ARG001
            client = self._contender.open(portal)
            items = [{"DIALOG_ID": dialog, "MESSAGE": f"Message {item}"} for item in range(self._messages)]
            begin()
            answers: Answers = client.batch("im.message.add", items)
            return len(answers.results)

        dialog = f"chat{portal.chat_id}"
        if self._other_clients:
            _wait_until_full(portal)
        # A client that waits for its slot gets only a fraction of the rate beside clients that do not.
        done = run_together(1, work, limit=self._bench.limit * (3 if self._other_clients else 1))
        self.wall = done.wall
        self.results: int = done.workers[0].value or 0
        self.errors = "".join(f", {error}" for error in done.errors)

    def _count(self, portal: Portal) -> None:
        rows = portal.requests("batch")
        texts = Counter(text for text in portal.messages() if text.startswith("Message "))
        self.requests = len(rows)
        self.refused = refused(rows)
        self.delivered = len(texts)
        self.duplicates = sum(count - 1 for count in texts.values())


def exhaust_limit(portal: Portal) -> None:
    """Send requests in a loop: at once after an answer, a second after a refusal, like b24pysdk."""
    import requests

    session = requests.Session()
    while True:
        try:
            refusal = session.post(f"{portal.webhook_url}profile", timeout=10).status_code != 200
        except requests.RequestException:
            refusal = True
        time.sleep(1.0 if refusal else 0.0)


def _wait_until_full(portal: Portal) -> None:
    until = time.monotonic() + _PATIENCE
    while not refused(portal.requests("profile")):
        if time.monotonic() > until:
            raise RuntimeError("the other clients do not fill the bucket")
        time.sleep(0.1)


def _verdict(bench: Bench, met: bool) -> bool | None:
    return None if bench.quick else met

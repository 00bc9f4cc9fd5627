"""Rows about the portal's leaky bucket: single calls, batches, and strangers at the same address."""

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
STRANGERS = 4
#: What the standard plan's bucket holds, and how many leave it a second.
_BURST, _DRAIN = 50, 2.0
_SLACK = 1.05
#: Seconds for the strangers to fill the bucket.
_PATIENCE = 30.0


def physical_limit(requests: int) -> float:
    """Return the seconds that a full bucket makes so many requests take, whoever sends them."""
    return max(requests - _BURST, 0) / _DRAIN


def single_calls(bench: Bench) -> Row:
    """Send single calls from eight processes, as eight workers of Airflow do."""
    calls = bench.size(120, 64)
    least = physical_limit(calls)
    row = Row(
        f"{calls} single calls from {PROCESSES} processes, standard plan",
        f"0 failed, <= 1 x 503, <= {_SLACK * least:.2f} s ({_SLACK} x {least:.0f} s)",
    )
    for contender in CONTENDERS:
        row.figures[contender.name] = _single_calls(bench, contender, calls, _SLACK * least)
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
    """Send messages in batches, alone."""
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
        row.figures[contender.name] = Figure(f"{text}{sent.trouble}", met)
    return row


def messages_among_strangers(bench: Bench) -> Row:
    """Send messages in batches while others use the same address up."""
    messages = bench.size(5000, 500)
    row = Row(
        f"{messages} messages while {STRANGERS} strangers hammer the portal from the same address",
        "all delivered, none twice",
    )
    for contender in CONTENDERS:
        sent = _Messages(bench, contender, messages, strangers=STRANGERS)
        sent.run()
        text = f"{sent.delivered} delivered, {sent.twice} twice, {sent.results} results"
        effort = f"{sent.requests} requests, {sent.refused} x 503, {sent.wall:.0f} s"
        met = _verdict(bench, sent.complete and sent.results == messages)
        row.figures[contender.name] = Figure(f"{text}, {effort}{sent.trouble}", met)
    return row


class _Messages:
    """One contender's attempt to send messages, and what the portal says of it."""

    def __init__(self, bench: Bench, contender: Contender, messages: int, *, strangers: int = 0) -> None:
        self._bench = bench
        self._contender = contender
        self._messages = messages
        self._strangers = strangers

    @property
    def complete(self) -> bool:
        """Whether every message is in the chat, once."""
        return self.delivered == self._messages and self.twice == 0

    def run(self) -> None:
        """Send them and read the portal."""
        with self._bench.portal() as portal:
            strangers = [
                FORK.Process(target=be_a_stranger, args=(portal,), daemon=True)
                for _ in range(self._strangers)
            ]
            for stranger in strangers:
                stranger.start()
            self._send(portal)
            for stranger in strangers:
                stranger.kill()
                stranger.join()
            self._count(portal)

    def _send(self, portal: Portal) -> None:
        def work(number: int, begin: Callable[[], None]) -> int:  # noqa: ARG001
            client = self._contender.open(portal)
            items = [{"DIALOG_ID": dialog, "MESSAGE": f"Message {item}"} for item in range(self._messages)]
            begin()
            answers: Answers = client.batch("im.message.add", items)
            return len(answers.results)

        dialog = f"chat{portal.chat_id}"
        if self._strangers:
            _wait_until_full(portal)
        # Strangers leave a client that waits its turn a fraction of the bucket.
        done = run_together(1, work, limit=self._bench.limit * (3 if self._strangers else 1))
        self.wall = done.wall
        self.results: int = done.workers[0].value or 0
        self.trouble = "".join(f", {error}" for error in done.errors)

    def _count(self, portal: Portal) -> None:
        rows = portal.requests("batch")
        texts = Counter(text for text in portal.messages() if text.startswith("Message "))
        self.requests = len(rows)
        self.refused = refused(rows)
        self.delivered = len(texts)
        self.twice = sum(count - 1 for count in texts.values())


def be_a_stranger(portal: Portal) -> None:
    """Call without end: at once after an answer, and after a second when refused, as b24pysdk does."""
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
            raise RuntimeError("the strangers do not fill the bucket")
        time.sleep(0.1)


def _verdict(bench: Bench, met: bool) -> bool | None:
    return None if bench.quick else met

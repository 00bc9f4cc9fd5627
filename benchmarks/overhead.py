"""The row about the time that a call takes beyond the bare request."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import CONTENDERS
from benchmarks.table import OURS, Figure, Row
from benchmarks.workers import run_together

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.bench import Bench
    from benchmarks.portal import Portal

GOAL = 1.15
_WARM_UP = 20


def overhead(bench: Bench) -> Row:
    """Call one method by each contender and by a bare session, in turns, and compare the medians."""
    rounds = bench.size(2000, 100)
    row = Row(
        f"overhead of a call over a bare requests.Session.post, median of {rounds} in turns",
        f"<= {GOAL} x",
    )
    with bench.portal("none") as portal:

        def work(number: int, begin: Callable[[], None]) -> dict[str, float]:  # noqa: ARG001
            calls = {contender.name: _caller(contender.open(portal)) for contender in CONTENDERS}
            calls["bare"] = _bare(portal)
            begin()
            return _medians(calls, rounds)

        done = run_together(1, work, limit=bench.limit).workers[0]
    if done.error:
        row.figures[OURS] = Figure(done.error, met=False)
        return row
    bare = done.value.pop("bare")
    for name, median in done.value.items():
        text = f"{median / bare:.2f} x ({median * 1000:.2f} ms to {bare * 1000:.2f} ms)"
        row.figures[name] = Figure(text, None if bench.quick else median / bare <= GOAL)
    return row


def _caller(client: Any) -> Callable[[], Any]:
    return lambda: client.call("user.current", {})


def _bare(portal: Portal) -> Callable[[], Any]:
    import requests

    session, url = requests.Session(), f"{portal.webhook_url}user.current"
    return lambda: session.post(url, json={}, timeout=10)


def _medians(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for round_ in range(rounds + _WARM_UP):
        # Rotate, so that each position in a round is used equally often.
        for name in names[round_ % len(names) :] + names[: round_ % len(names)]:
            began = time.perf_counter()
            calls[name]()
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values[_WARM_UP:]) for name, values in times.items()}

"""``python -m benchmarks.asking``: ten thousand asks wait beside ten thousand sensors.

Portal and triggers run as in ``benchmarks.waiting``. The asks name nobody, so that who voted matters to none
of them. Then asks with ``voters`` wait while people vote, and the reads of who voted are counted.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

from benchmarks.portal import Portal
from benchmarks.table import OURS, Figure, Row, markdown
from benchmarks.waiting import Measurement, Waiting

SENSORS = "sensors"
_INTERVAL = 10.0
_FEW = 100
_VOTED = "vote.AttachedVote.getWithVoted"
_KINDS = ("asks", "polls")
#: Two colleagues and their answers, which differ: two of three would decide.
_VOTES = {2: "No", 3: "Next week"}


def main() -> int:
    """Measure and print the table."""
    options = _options()
    os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    found = {kind: _waiting(kind, options) for kind in _KINDS}
    rows = [*_cost_rows(found, options), _voters_row(options.voted)]
    print(f"\n{markdown(rows, [SENSORS])}\n")
    print(f"{options.count} waiters, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    return 0 if all(row.met is not False for row in rows) else 1


def _waiting(kind: str, options: argparse.Namespace) -> dict[str, float]:
    """Wait for few polls and for many; return what the many cost beyond the few."""
    rss, figures = {}, {}
    for count in (_FEW, options.count):
        with Portal() as portal, Waiting(portal, portal.make_polls(count), kind=kind) as waiting:
            started = waiting.state()
            time.sleep(3 * _INTERVAL)
            start_cpu = waiting.state()["cpu"] - started["cpu"]
            measurement = Measurement(portal, waiting)
            time.sleep(options.rounds * _INTERVAL)
            figures = measurement.end() | {"start_cpu": start_cpu}
            rss[count] = figures["rss"]
    figures["memory"] = (rss[options.count] - rss[_FEW]) / (options.count - _FEW)
    print(f"{kind}: {figures}", flush=True)
    return figures


def _cost_rows(found: dict[str, dict[str, float]], options: argparse.Namespace) -> list[Row]:
    asks, sensors = found["asks"], found["polls"]
    each = {kind: figures["requests"] / options.rounds for kind, figures in found.items()}
    return [
        Row(
            f"requests a round of {_INTERVAL:.0f} s",
            "as many",
            {
                OURS: Figure(f"{each['asks']:.2f}", each["asks"] <= each["polls"] * 1.1 + 0.1),
                SENSORS: Figure(f"{each['polls']:.2f}"),
            },
        ),
        Row(
            "CPU of one core while they wait",
            "<= twice",
            {
                OURS: Figure(f"{asks['cpu']:.1%}", asks["cpu"] <= 2 * sensors["cpu"] + 0.01),
                SENSORS: Figure(f"{sensors['cpu']:.1%}"),
            },
        ),
        Row(
            "CPU of the first three rounds, in which all of them start",
            "-",
            {OURS: Figure(f"{asks['start_cpu']:.1f} s"), SENSORS: Figure(f"{sensors['start_cpu']:.1f} s")},
        ),
        Row(
            "memory a waiter, Airflow's own included",
            "<= 5 KB more",
            {
                OURS: Figure(f"{asks['memory'] / 1024:.1f} KB", asks["memory"] <= sensors["memory"] + 5120),
                SENSORS: Figure(f"{sensors['memory'] / 1024:.1f} KB"),
            },
        ),
        Row(
            "longest blocking of the event loop",
            "< 0.1 s, or Airflow warns",
            {
                OURS: Figure(f"{asks['blocked'] * 1000:.0f} ms", asks["blocked"] < 0.1),
                SENSORS: Figure(f"{sensors['blocked'] * 1000:.0f} ms"),
            },
        ),
    ]


def _voters_row(count: int) -> Row:
    """Let two of three people vote in asks in which only they count; the quorum of three is never met."""
    people = [*_VOTES, 4]
    with Portal(plan="none") as portal:
        polls = portal.make_polls(count)
        settings: dict[str, Any] = {"rule": {"quorum": 3}, "voters": people}
        with Waiting(portal, polls, kind="asks", interval=1.0, **settings) as waiting:
            time.sleep(5)
            read = [_reads(portal)]
            for person, answer in _VOTES.items():
                for poll in polls:
                    body = {"message_id": poll, "user_id": person, "answers": [answer]}
                    portal.control("POST", "vote", body)
                time.sleep(5)
                read.append(_reads(portal))
            ended = len(waiting.seen)
    first, second = read[1] - read[0], read[2] - read[1]
    text = f"{read[0]} before a vote, {first} after the first votes, {second} after the second"
    met = (read[0], first, second, ended) == (0, 0, count, 0)
    return Row(
        f"reads of who voted: {count} asks with `voters`, quorum of 3, one vote each, then another",
        f"0, 0, {count}: one a vote, from half of the quorum on",
        {OURS: Figure(text, met), SENSORS: Figure("-")},
    )


def _reads(portal: Portal) -> int:
    return len(portal.requests(_VOTED))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.asking", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="waiters (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=6, help="that are measured (default: %(default)s)")
    parser.add_argument("--voted", type=int, default=100, help="asks with voters (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

"""``python -m benchmarks.scaling``: what waits and calls cost by the number of polls, portals and triggerers.

A model of a few lines with the measured costs of one poll and of one request, and a simulation that runs the
provider's own scheduler of reads in virtual time. Tests hold both to what is measured.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
from dataclasses import dataclass
from itertools import count

from airflow_provider_b24.polls.reference import PollReference, ReferenceKind
from airflow_provider_b24.polls.request import MAX_LIST_POLLS
from airflow_provider_b24.rest.batch import MAX_BATCH_COMMANDS
from airflow_provider_b24.rest.rate_limit import PLANS, Plan
from airflow_provider_b24.triggers.poll_watcher.options import WatcherOptions
from airflow_provider_b24.triggers.poll_watcher.scheduler import Scheduler

POLLS_A_REQUEST = MAX_LIST_POLLS * MAX_BATCH_COMMANDS
#: Measured with benchmarks.waiting: 10,000 polls read every 10 s by 4 requests take 4 % of one core.
_MEASURED_CORE, _MEASURED_POLLS, _MEASURED_SECONDS, _MEASURED_REQUESTS = 0.04, 10_000, 10.0, 4
#: CPU seconds of a request whatever it reads: `python -m benchmarks.scaling --measure`.
CPU_A_REQUEST = 0.002
CPU_A_POLL = (_MEASURED_CORE * _MEASURED_SECONDS - _MEASURED_REQUESTS * CPU_A_REQUEST) / _MEASURED_POLLS
#: Beyond Airflow's own; measured with benchmarks.waiting.
BYTES_A_WAIT = 2_000
_ROUND = 10.0


def standard() -> Plan:
    """Return the limit of the plan standard."""
    plan = PLANS["standard"]
    if plan is None:
        raise RuntimeError("the standard plan has a limit")
    return plan


@dataclass(frozen=True)
class Scale:
    """How much is waited for, and by how many.

    :param polls: all polls that are waited for.
    :param portals: the portals over which they are spread evenly; each has a connection.
    :param triggerers: the triggerers over which Airflow spreads the waits.
    :param interval: seconds between two reads of a poll.
    """

    polls: int
    portals: int = 1
    triggerers: int = 1
    interval: float = _ROUND


@dataclass(frozen=True)
class Cost:
    """What it costs.

    :param requests_a_round: requests to one portal in one interval, by all triggerers.
    :param read_every: seconds between two reads of a poll; longer than asked for when the share is used up.
    :param limit_used: the part of one portal's limit that the reads take.
    :param cores: the part of a core that one triggerer takes.
    :param megabytes: what the waits of one triggerer take beyond Airflow's own.
    :param post_seconds: how long the portal's limit makes posting all the polls take, one request each.
    """

    requests_a_round: int
    read_every: float
    limit_used: float
    cores: float
    megabytes: float
    post_seconds: float


def cost(scale: Scale, *, plan: Plan | None = None, share: float = WatcherOptions.share) -> Cost:
    """Return what a scale costs by the model.

    :param scale: how much.
    :param plan: the portals' limit; None is that of the plan standard.
    :param share: the part of the limit that one triggerer's reads may take.
    """
    plan = plan or standard()
    # A triggerer reads the polls of each portal by requests of their own.
    polls = math.ceil(scale.polls / scale.portals / scale.triggerers)
    requests = math.ceil(polls / POLLS_A_REQUEST)
    # Together they can't have more than the portal gives.
    allowed = plan.drain * min(share, 1.0 / scale.triggerers)
    read_every = max(scale.interval, requests / allowed)
    one = scale.portals * (requests * CPU_A_REQUEST + polls * CPU_A_POLL) / read_every
    return Cost(
        requests_a_round=requests * scale.triggerers,
        read_every=read_every,
        limit_used=requests * scale.triggerers / read_every / plan.drain,
        cores=one,
        megabytes=scale.portals * polls * BYTES_A_WAIT / 1e6,
        post_seconds=queue_seconds(math.ceil(scale.polls / scale.portals), plan),
    )


def queue_seconds(calls: int, plan: Plan | None = None) -> float:
    """Return how long the limit of one portal makes single calls take, from however many hosts.

    :param calls: how many calls begin together.
    :param plan: the limit; None is that of the plan standard.
    """
    plan = plan or standard()
    return max(0.0, (calls - plan.burst) / plan.drain)


@dataclass(frozen=True)
class Reads:
    """What the simulation counted for one triggerer and one portal.

    :param requests_a_round: requests in 10 s, after the first round.
    :param longest: the longest time between two reads of one poll, in seconds.
    """

    requests_a_round: float
    longest: float


def simulate(
    polls: int, *, interval: float = _ROUND, share: float = WatcherOptions.share, seconds: float = 300.0
) -> Reads:
    """Run the provider's scheduler for the polls of one triggerer and one portal, in virtual time.

    :param polls: how many, which begin to wait within one interval.
    :param interval: seconds between two reads.
    :param share: the part of the plan standard that the reads may take.
    :param seconds: how long.
    """
    scheduler, chance = Scheduler(), random.Random(polls)
    scheduler.set_rate(standard(), share)
    begins = [(chance.uniform(0.0, interval), number) for number in range(1, polls + 1)]
    heapq.heapify(begins)
    read: dict[PollReference, float] = {}
    now, requests, longest = 0.0, 0, 0.0
    warm = seconds / 2
    for _ in count():
        while begins and begins[0][0] <= now:
            scheduler.add(PollReference(ReferenceKind.MESSAGE, heapq.heappop(begins)[1]), interval, now)
        at = scheduler.next_at(now)
        if begins and (at is None or begins[0][0] < at):
            now = max(now, begins[0][0])
            continue
        if at is None or at > seconds:
            break
        now = max(now, at)
        references = list(scheduler.take(now))
        if now > warm:
            requests += 1
            longest = max([longest, *(now - read[one] for one in references if one in read)])
        read |= dict.fromkeys(references, now)
        scheduler.reschedule(references, now)
    return Reads(requests * _ROUND / (seconds - warm), longest)


SCALES = (
    Scale(1_000),
    Scale(10_000),
    Scale(10_000, triggerers=2),
    Scale(100_000),
    Scale(100_000, interval=60.0, triggerers=4),
    Scale(100_000, portals=10, triggerers=4),
    Scale(100_000, portals=1_000, triggerers=4),
    Scale(100_000, portals=1_000, interval=60.0, triggerers=8),
)


def main() -> None:
    """Print the table of the model, and that of the simulation."""
    options = _options()
    if options.measure:
        print(f"{1000 * measured_request():.1f} ms of CPU a request")
        return
    for line in table():
        print(line)
    print()
    for polls in (1_000, 10_000, 25_000):
        reads = simulate(polls)
        print(
            f"simulated: {polls} polls of one portal and triggerer, {reads.requests_a_round:.1f} requests in "
            f"10 s, the longest time between two reads {reads.longest:.1f} s"
        )


def table() -> list[str]:
    """Return the model's table."""
    head = "| polls | portals | triggerers | interval | requests a round and portal | a poll is read every "
    head += "| of a portal's limit | a triggerer's CPU | its memory | posting takes |"
    return [head, "|---" * 10 + "|", *(_row(scale) for scale in SCALES)]


def _row(scale: Scale) -> str:
    one = cost(scale)
    cells = [
        f"{scale.polls:,}",
        f"{scale.portals:,}",
        f"{scale.triggerers}",
        f"{scale.interval:.0f} s",
        f"{one.requests_a_round}",
        f"{one.read_every:.0f} s",
        f"{one.limit_used:.0%}",
        f"{one.cores:.1%} of a core",
        f"{one.megabytes:.0f} MB",
        _duration(one.post_seconds),
    ]
    return f"| {' | '.join(cells)} |"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 3600:.1f} h"


def measured_request() -> float:
    """Return the CPU seconds of one small request, on a connection that is kept open."""
    import time

    from benchmarks.contenders import Ours
    from benchmarks.portal import Portal

    calls = 500
    with Portal(plan="none") as portal:
        client = Ours().open(portal)
        client.call("user.current", {})
        began = time.process_time()
        for _ in range(calls):
            client.call("user.current", {})
        return (time.process_time() - began) / calls


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure the CPU of a request, and end")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""``python -m demo.distributed``: two hosts behind one address lose a worker and a triggerer, nothing else.

PostgreSQL, Redis, Airflow with CeleryExecutor, two workers and two triggerers run on loopback, with an
emulated portal and the cloud's limit. People are asked and vote, single calls and pushed messages go out,
and meanwhile one worker and one triggerer are killed with SIGKILL. In the end Airflow's database is compared
with what the portal got.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import Any

import requests

from benchmarks.audit import audit, is_right, lines
from benchmarks.evidence import collect
from benchmarks.load import Follower, Load, Size, Voters
from benchmarks.portal import Portal
from demo.distributed.cluster import Cluster
from demo.terminal import own_terminal

ROOT = Path(__file__).resolve().parents[2]
DAGS = Path(__file__).resolve().parent / "dags"
#: Seconds until a lost component is started again.
_ABSENT = 15.0
_STARTED = time.monotonic()


def main() -> int:
    """Run the demo and return the exit status."""
    options = _options()
    signal.signal(signal.SIGTERM, _interrupt)
    with own_terminal():
        try:
            return 0 if run(Size(options.asks, options.calls, options.messages), options.limit) else 1
        except KeyboardInterrupt:
            return 130
        except (RuntimeError, OSError, requests.RequestException) as error:
            print(f"The demo failed: {error}", file=sys.stderr)
            return 1


def run(size: Size, limit: float) -> bool:
    """Start everything, lose a worker and a triggerer, stop everything, and say whether all is right."""
    folder = ROOT / ".demo" / "distributed"
    say("Starting PostgreSQL, Redis, Airflow, 2 workers and 2 triggerers; it takes a minute or two")
    with Portal() as portal, Cluster(folder=folder, dags=DAGS) as cluster:
        say(f"All are healthy. The emulated portal: {portal.url}; Airflow: {cluster.airflow.url}")
        load = Load(cluster, portal, folder / "volume", size)
        load.prepare()
        load.start()
        say(f"Running: {size.asks} asks, {size.calls} single calls, {size.messages} messages")
        voters = Voters(load, portal)
        voters.start()
        follower = Follower(load, limit=limit)
        lose(cluster, follower)
        ended = follower.wait()
        voters.stop()
        say("All runs have ended" if ended else f"Not ended within {limit:.0f} s: {follower.states()}")
        findings = audit(collect(load, seen_tokens=tokens(portal)))
        say("Stopping everything")
    print("", *lines(findings), "", sep="\n")
    return is_right(findings)


def lose(cluster: Cluster, follower: Follower) -> None:
    """Kill one worker and one triggerer while they have something to lose, and start them again later."""
    for name, state in (("worker-1", "running"), ("triggerer-1", "deferred")):
        follower.wait_for(state)
        say(f"kill -9 of {name}, pid {cluster.kill(name)}; {follower.states()}")
        follower.wait(_ABSENT)
    for name in ("worker-1", "triggerer-1"):
        cluster.start(name)
    say(f"Both are started again; {follower.states()}")


def tokens(portal: Portal) -> list[str]:
    """Return the tokens that the portal began with."""
    return [portal.oauth["extra"][name] for name in ("access_token", "refresh_token")]


def say(text: str) -> None:
    """Print a step with the seconds since the start."""
    print(f"[{time.monotonic() - _STARTED:5.1f} s] {text}", flush=True)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.distributed", description=__doc__)
    parser.add_argument("--asks", type=int, default=20, help="mapped asks (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=40, help="mapped single calls (%(default)s)")
    parser.add_argument("--messages", type=int, default=400, help="connector messages (%(default)s)")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for all runs (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

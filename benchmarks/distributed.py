"""``python -m benchmarks.distributed``: a load on a distributed Airflow in which everything is lost once.

The cluster is the one of ``make demo-distributed``. Asks, single calls and pushed messages run at once,
people vote, and replies are dropped all the time. Meanwhile each worker, each triggerer, the scheduler and
the broker are killed with SIGKILL, PostgreSQL is restarted, the portal is down for a minute, and the
application's token expires twice. In the end an audit compares Airflow's database and the reports with
what the portal got.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from benchmarks.audit import audit, is_right, lines
from benchmarks.evidence import collect
from benchmarks.load import Follower, Load, Size, Voters
from benchmarks.portal import Portal
from demo.distributed.cluster import TRIGGERERS, WORKERS, Cluster
from demo.stack import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DAGS = Path(__file__).resolve().parents[1] / "demo" / "distributed" / "dags"
#: Seconds until a lost component is started again.
_ABSENT = 5.0
_STARTED = time.monotonic()


@dataclass
class Faults:
    """What is broken, one after the other.

    :param cluster: the running Airflow.
    :param portal: the emulated portal.
    :param follower: waits in between.
    :param pause: seconds between two faults.
    :param down: seconds for which the portal is down.
    """

    cluster: Cluster
    portal: Portal
    follower: Follower
    pause: float
    down: float

    def __post_init__(self) -> None:
        self.tokens: set[str] = set()
        self.done: list[str] = []

    def run(self) -> None:
        """Break everything once, until the load has ended."""
        for what, fault in self._faults():
            self.follower.wait(self.pause)
            self._note_tokens()
            states = self.follower.states()
            fault()
            self.done.append(what)
            say(f"{what}; before it: {states}")
        self._note_tokens()

    def drop_replies(self, share: float) -> None:
        """Drop replies all the time, after the portal has done what was asked.

        A dropped reply of the OAuth server loses the refresh token for good, so those are left alone.
        """
        self.portal.add_fault("drop_after", method="[!o]*", times=None, probability=share)

    def _faults(self) -> Iterator[tuple[str, Callable[[], None]]]:
        yield "the token expires", self.portal.expire_token
        for name in (*WORKERS, *TRIGGERERS, "scheduler", "redis"):
            yield f"kill -9 of {name}", self._lose(name)
        yield "PostgreSQL is restarted", self.cluster.restart_database
        yield "the token expires again", self.portal.expire_token
        yield f"the portal was down for {self.down:.0f} s", self._take_portal_down

    def _lose(self, name: str) -> Callable[[], None]:
        def lose() -> None:
            # It may have ended by itself a moment ago; then it is started again anyway.
            with contextlib.suppress(KeyError):
                self.cluster.kill(name)
            time.sleep(_ABSENT)
            self.cluster.start(name)

        return lose

    def _take_portal_down(self) -> None:
        self.portal.go_down()
        self.follower.wait(self.down)
        self.portal.come_up()

    def _note_tokens(self) -> None:
        self.tokens |= set(self.portal.evidence()["tokens"])


def main() -> int:
    """Run the load and return the exit status."""
    options = _options()
    signal.signal(signal.SIGTERM, _interrupt)
    folder = Path(tempfile.mkdtemp(prefix="bitrix24-distributed-"))
    succeeded = False
    try:
        succeeded = run(options, folder)
    except KeyboardInterrupt:
        return 130
    except (RuntimeError, OSError, requests.RequestException) as error:
        print(f"The load failed: {error}", file=sys.stderr)
    finally:
        if options.keep:
            say(f"The logs are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if succeeded else 1


def run(options: argparse.Namespace, folder: Path) -> bool:
    """Run the load with its faults, and return whether the audit finds nothing."""
    size = Size(options.asks, options.calls, options.messages)
    with Portal(port=free_port()) as portal, Cluster(folder=folder / "cluster", dags=_DAGS) as cluster:
        say("The cluster is healthy")
        load = Load(cluster, portal, folder / "volume", size)
        load.prepare()
        follower = Follower(load, limit=options.limit)
        faults = Faults(cluster, portal, follower, options.pause, options.down)
        faults.drop_replies(options.dropped)
        load.start()
        voters = Voters(load, portal)
        voters.start()
        say(f"Running: {size.asks} asks, {size.calls} single calls, {size.messages} messages")
        faults.run()
        ended = follower.wait()
        voters.stop()
        say("All runs have ended" if ended else f"Not ended within {options.limit:.0f} s")
        say(f"Task instances: {follower.states()}; ended by themselves and restarted: {cluster.revived}")
        findings = audit(collect(load, seen_tokens=faults.tokens))
    print("", *lines(findings), "", f"faults: {', '.join(faults.done)}", sep="\n")
    return is_right(findings)


def say(text: str) -> None:
    """Print a step with the seconds since the start."""
    print(f"[{time.monotonic() - _STARTED:6.1f} s] {text}", flush=True)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distributed", description=__doc__)
    parser.add_argument("--asks", type=int, default=300, help="mapped asks (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=1000, help="mapped single calls (%(default)s)")
    parser.add_argument("--messages", type=int, default=20_000, help="connector messages (%(default)s)")
    parser.add_argument("--dropped", type=float, default=0.02, help="share of dropped replies (%(default)s)")
    parser.add_argument("--pause", type=float, default=20.0, help="seconds between two faults (%(default)s)")
    parser.add_argument("--down", type=float, default=60.0, help="seconds without a portal (%(default)s)")
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds for all runs (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the logs of all components")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

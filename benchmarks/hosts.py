"""``python -m benchmarks.hosts``: several hosts behind one address, with Redis and without.

A host is a process with a state directory of its own. All of them start together.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import shutil
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks.portal import Portal, refused
from benchmarks.redis_server import RedisServer
from benchmarks.table import OURS, Figure, Row, markdown
from benchmarks.token_refresh import FileTokenStore
from benchmarks.workers import FORK, run_together

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.client import Bitrix24Client
    from airflow_provider_b24.rest.shared_state import SharedState

_BURST, _DRAIN = 50, 2.0
#: Everything that takes seconds at the OAuth server takes a tenth of them here.
SCALE = 0.1
_LIMIT = 900.0

#: When a call was asked for and when it ended, in Unix seconds; None when it failed.
Timing: TypeAlias = tuple[float, float | None]


def main() -> int:
    """Measure the rows and print them."""
    options = _options()
    logging.disable(logging.CRITICAL)
    _load()
    gc.collect()
    gc.freeze()
    rows = []
    for name in options.only or ROWS:
        began = time.monotonic()
        rows.append(ROWS[name](options.quick))
        sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    print(f"\n{markdown(rows, [])}\n")
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    return 1 if any(row.met is False for row in rows) else 0


def four_with_redis(quick: bool) -> Row:
    """Call from four hosts that share a Redis."""
    run = _Calls(4, 20 if quick else 60, redis=True)
    row = Row(f"4 hosts x {run.each} calls, Redis", "0 x 503, wall <= 1.02 x ideal, longest call <= 3 s")
    met = run.refused == 0 and run.failed == 0 and run.ratio <= 1.02 and run.longest <= 3
    row.figures[OURS] = Figure(f"{run.text}, longest call {run.longest:.1f} s", None if quick else met)
    return row


def eight_alone(quick: bool) -> Row:
    """Call from eight hosts that share nothing."""
    run = _Calls(8, 12 if quick else 50, redis=False)
    row = Row(f"8 hosts x {run.each} calls, without Redis", "<= 20 x 503, wall <= 1.1 x ideal, 0 failed")
    met = run.refused <= 20 and run.failed == 0 and run.ratio <= 1.1
    row.figures[OURS] = Figure(f"{run.text}, longest call {run.longest:.1f} s", None if quick else met)
    return row


def forty_with_redis(quick: bool) -> Row:
    """Call from forty hosts that share a Redis."""
    run = _Calls(40, 3 if quick else 10, redis=True)
    row = Row(f"40 hosts x {run.each} calls, Redis", "0 x 503, longest call <= 1.1 x its place in the queue")
    met = run.refused == 0 and run.failed == 0 and run.place_ratio <= 1.1
    text = f"{run.text}, longest call {run.longest:.1f} s, {run.place_ratio:.2f} x its place"
    row.figures[OURS] = Figure(text, None if quick else met)
    return row


def hundred_alone(quick: bool) -> Row:
    """Call from a hundred hosts that share nothing."""
    run = _Calls(100, 2 if quick else 4, redis=False)
    row = Row(f"100 hosts x {run.each} calls, without Redis", "0 failed")
    row.figures[OURS] = Figure(
        f"{run.text}, longest call {run.longest:.1f} s", None if quick else run.failed == 0
    )
    return row


def refresh_with_redis(quick: bool) -> Row:
    """Expire the token under three hosts that share a Redis and have a slow OAuth server."""
    run = _Refreshes(4 if quick else 20, redis=True)
    row = Row(f"refresh, 3 hosts, {run.rounds} rounds, Redis, {_slow()}", "1 refresh a round, 0 failed")
    met = run.asked == run.refreshed == run.rounds and run.failed == 0
    row.figures[OURS] = Figure(run.text, met)
    return row


def refresh_alone(quick: bool) -> Row:
    """Expire the token under three hosts that share nothing and have a slow OAuth server."""
    run = _Refreshes(4 if quick else 20, redis=False)
    row = Row(
        f"refresh, 3 hosts, {run.rounds} rounds, without Redis, {_slow()}", "1 new pair a round, 0 failed"
    )
    row.figures[OURS] = Figure(run.text, run.refreshed == run.rounds and run.failed == 0)
    return row


ROWS: dict[str, Callable[[bool], Row]] = {
    "four-redis": four_with_redis,
    "eight": eight_alone,
    "forty-redis": forty_with_redis,
    "refresh-redis": refresh_with_redis,
    "refresh": refresh_alone,
    "hundred": hundred_alone,
}


class _Calls:
    """Single calls from several hosts that start together."""

    def __init__(self, hosts: int, each: int, *, redis: bool) -> None:
        self.each = each
        with Portal() as portal, _folder() as folder, _redis(redis) as url:

            def work(number: int, begin: Callable[[], None]) -> list[Timing]:
                client = _client(portal, _state(folder, number, url))
                begin()
                return [_timed(client) for _ in range(each)]

            done = run_together(hosts, work, limit=_LIMIT)
            self.refused = refused(portal.requests())
        timings = [timing for worker in done.workers for timing in worker.value or []]
        ended = [(begun, end) for begun, end in timings if end is not None]
        self.failed = hosts * each - len(ended)
        self.ratio = done.wall / ((hosts * each - _BURST) / _DRAIN)
        self.longest = max(end - begun for begun, end in ended)
        self.place_ratio = _place_ratio(ended)
        self.text = f"{self.refused} x 503, {self.failed} failed, wall {self.ratio:.2f} x ideal"


def _place_ratio(calls: list[tuple[float, float]]) -> float:
    """Return how much longer the longest call took than its place in the queue says."""
    worst, empty_at = (0.0, 0.0), 0.0
    for begun, end in sorted(calls):
        empty_at = max(empty_at, begun) + 1 / _DRAIN
        place = empty_at - _BURST / _DRAIN - begun
        worst = max(worst, (end - begun, place))
    longest, place = worst
    return longest / max(place, 0.001)


def _timed(client: Bitrix24Client) -> Timing:
    begun = time.time()
    try:
        client.call("profile", {})
    except Exception:  # noqa: BLE001
        return begun, None
    return begun, time.time()


class _Refreshes:
    """Rounds in which the token expires and three hosts call at once."""

    HOSTS = 3

    def __init__(self, rounds: int, *, redis: bool) -> None:
        self.rounds = rounds
        with Portal(plan="none") as portal, _folder() as folder, _redis(redis) as url:
            gate = FORK.Barrier(self.HOSTS + 1, timeout=_LIMIT)

            def work(number: int, begin: Callable[[], None]) -> int:
                client = _application(portal, folder, _state(folder, number, url))
                begin()
                return sum(_fails_after(gate, client) for _ in range(rounds))

            def meanwhile() -> None:
                for number in range(rounds):
                    portal.expire_token()
                    # From at once to thirty seconds, scaled.
                    seconds = 30.0 * SCALE * number / max(rounds - 1, 1)
                    portal.add_fault("slow", method="oauth.token", seconds=seconds, times=1, executed=True)
                    gate.wait()
                    gate.wait()

            done = run_together(self.HOSTS, work, limit=_LIMIT, meanwhile=meanwhile)
            rows = portal.requests("oauth.token")
        self.failed = sum(rounds if worker.error else worker.value for worker in done.workers)
        self.asked = len(rows)
        self.refreshed = sum(row["status"] == 200 for row in rows)
        calls = rounds * self.HOSTS
        refusals = self.asked - self.refreshed
        self.text = f"{self.refreshed} refreshes, {refusals} refused, {self.failed} of {calls} calls failed"


def _fails_after(gate: Any, client: Bitrix24Client) -> bool:
    gate.wait()
    failed = _timed(client)[1] is None
    gate.wait()
    return failed


def _application(portal: Portal, folder: Path, state: SharedState) -> Bitrix24Client:
    from airflow_provider_b24.rest.auth import OAuthCredentials
    from airflow_provider_b24.rest.client import Bitrix24Client
    from airflow_provider_b24.rest.oauth_server import Application
    from airflow_provider_b24.rest.redaction import Secret
    from airflow_provider_b24.rest.token_store import TokenPair
    from airflow_provider_b24.rest.transport import RequestsTransport, TransportOptions

    exchange = 70.0 * SCALE
    transport = RequestsTransport(TransportOptions(timeout=(exchange, exchange)))
    fields, tokens = portal.oauth, portal.oauth["extra"]
    credentials = OAuthCredentials(
        portal=portal.url,
        application=Application(fields["login"], Secret(fields["password"]), portal.url),
        start=TokenPair.from_connection(
            access_token=tokens["access_token"], refresh_token=tokens["refresh_token"]
        ),
        store=FileTokenStore(folder / "token.json"),
        transport=transport,
        conn_id="bench",
        state=state,
        exchange_seconds=exchange,
    )
    return Bitrix24Client(credentials=credentials, transport=transport)


def _client(portal: Portal, state: SharedState) -> Bitrix24Client:
    from airflow_provider_b24.rest.auth import WebhookCredentials
    from airflow_provider_b24.rest.client import Bitrix24Client
    from airflow_provider_b24.rest.limiter import BucketLimiter
    from airflow_provider_b24.rest.rate_limit import PLANS
    from airflow_provider_b24.rest.redaction import Secret
    from airflow_provider_b24.rest.transport import RequestsTransport

    plan = PLANS["standard"]
    if plan is None:
        raise RuntimeError("the standard plan has a limit")
    fields = portal.webhook
    webhook = WebhookCredentials(portal=portal.url, user_id=fields["login"], code=Secret(fields["password"]))
    return Bitrix24Client(
        credentials=webhook,
        transport=RequestsTransport(),
        limiter=BucketLimiter(portal=portal.url, plan=plan, state=state),
    )


def _state(folder: Path, number: int, url: str | None) -> SharedState:
    """Return the state of one host, which has a directory of its own in either case."""
    from airflow_provider_b24.rest import redis_lock
    from airflow_provider_b24.rest.file_state import FileState
    from airflow_provider_b24.rest.redaction import Secret
    from airflow_provider_b24.rest.redis_state import RedisState

    os.environ["BITRIX24_STATE_DIR"] = str(folder / f"host-{number}")
    if url is None:
        return FileState()
    redis_lock.LEASE_SECONDS *= SCALE
    return RedisState(Secret(url))


def _redis(wanted: bool) -> AbstractContextManager[Any]:
    return _url_of_redis() if wanted else nullcontext()


class _url_of_redis(RedisServer):  # noqa: N801
    def __enter__(self) -> str:  # type: ignore[override]
        return super().__enter__().url


class _folder(tempfile.TemporaryDirectory[str]):  # noqa: N801
    def __enter__(self) -> Path:  # type: ignore[override]
        return Path(super().__enter__())


def _load() -> None:
    """Import what the workers use, before they are forked."""
    os.environ["AIRFLOW_HOME"] = home = tempfile.mkdtemp(prefix="bitrix24-bench-")
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    import redis  # noqa: F401
    import requests  # noqa: F401

    import airflow_provider_b24.rest.auth
    import airflow_provider_b24.rest.client
    import airflow_provider_b24.rest.redis_state  # noqa: F401

    shutil.rmtree(home, ignore_errors=True)


def _slow() -> str:
    return f"OAuth server up to {30 * SCALE:.0f} s slow (times x {SCALE})"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hosts", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, whose goals are not judged")
    parser.add_argument("--only", nargs="*", choices=[*ROWS], help="these rows")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

"""The row about an access token that expires while many threads and processes call."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import B24PySdk, FastBitrix24
from benchmarks.table import OURS, Figure, Row
from benchmarks.workers import FORK, run_together

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_b24.rest.client import Bitrix24Client
    from airflow_provider_b24.rest.token_store import TokenPair
    from benchmarks.bench import Bench
    from benchmarks.portal import Portal

PROCESSES = 4
THREADS = 20
CALLS = 3
#: Enough for all calls; a peer's threads may wait forever for a token.
_LIMIT = 30.0


class FileTokenStore:
    """A token store in a file, in place of the Airflow Variable."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> TokenPair | None:
        """Return the newest pair."""
        from airflow_provider_b24.rest.redaction import Secret
        from airflow_provider_b24.rest.token_store import TokenPair

        try:
            access, refresh, seed = json.loads(self._path.read_text())
        except FileNotFoundError:
            return None
        return TokenPair(Secret(access), Secret(refresh), seed)

    def save(self, pair: TokenPair) -> None:
        """Replace the pair atomically."""
        partial = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        secrets = [secret.reveal() if secret else "" for secret in (pair.access, pair.refresh)]
        partial.write_text(json.dumps([*secrets, pair.seed]))
        partial.replace(self._path)


def one_refresh(bench: Bench) -> Row:
    """Expire the token while every thread of every process calls."""
    row = Row(
        f"token expires under {THREADS} threads x {PROCESSES} processes (limit off)",
        "1 refresh, 0 failed calls",
    )
    for name, worker in (
        (OURS, _our_worker),
        (B24PySdk.name, _sdk_worker),
        (FastBitrix24.name, _fast_worker),
    ):
        row.figures[name] = _one_refresh(bench, worker)
    return row


def _one_refresh(bench: Bench, worker: Callable[[Portal, Callable[[], None]], int]) -> Figure:
    with bench.portal("none") as portal:
        expired = FORK.Barrier(PROCESSES + 1, timeout=_LIMIT)

        def work(number: int, begin: Callable[[], None]) -> int:  # noqa: ARG001
            def until_expired() -> None:
                begin()
                expired.wait()

            return worker(portal, until_expired)

        def expire() -> None:
            portal.expire_token()
            expired.wait()

        done = run_together(PROCESSES, work, limit=min(bench.limit, _LIMIT), meanwhile=expire)
        asked = portal.requests("oauth.token")
    calls = THREADS * CALLS
    failed = sum(calls if worker.error else worker.value for worker in done.workers)
    refreshed = sum(row["status"] == 200 for row in asked)
    errors = "".join(f", {error}" for error in sorted(set(done.errors)))
    text = (
        f"{refreshed} refresh, {len(asked) - refreshed} refused, {failed} of {calls * PROCESSES} calls failed"
    )
    return Figure(f"{text}{errors}", met=len(asked) == 1 and refreshed == 1 and failed == 0)


def _our_worker(portal: Portal, until_expired: Callable[[], None]) -> int:
    client = our_application(portal)
    return _from_threads(lambda: client.call("profile"), until_expired)


def our_application(portal: Portal) -> Bitrix24Client:
    """Return our client as the application; unlike the hook's client, it stores the pair in a file."""
    from airflow_provider_b24.rest.auth import OAuthCredentials
    from airflow_provider_b24.rest.client import Bitrix24Client
    from airflow_provider_b24.rest.oauth_server import Application
    from airflow_provider_b24.rest.redaction import Secret
    from airflow_provider_b24.rest.token_store import TokenPair
    from airflow_provider_b24.rest.transport import RequestsTransport, TransportOptions

    os.environ["BITRIX24_STATE_DIR"] = str(portal.state)
    verify = True if portal.certificate is None else str(portal.certificate.certfile)
    transport = RequestsTransport(TransportOptions(verify=verify))
    fields, tokens = portal.oauth, portal.oauth["extra"]
    credentials = OAuthCredentials(
        portal=portal.url,
        application=Application(fields["login"], Secret(fields["password"]), portal.url),
        start=TokenPair.from_connection(
            access_token=tokens["access_token"], refresh_token=tokens["refresh_token"]
        ),
        store=FileTokenStore(portal.state / "token.json"),
        transport=transport,
        conn_id="bench",
    )
    return Bitrix24Client(credentials=credentials, transport=transport, conn_id="bench")


def _sdk_worker(portal: Portal, until_expired: Callable[[], None]) -> int:
    client = B24PySdk().open_application(portal)
    return _from_threads(lambda: client.call("profile", {}), until_expired)


def _from_threads(call: Callable[[], Any], until_expired: Callable[[], None]) -> int:
    """Call from all threads before and after the token expires; return how many later calls failed."""
    ready = threading.Barrier(THREADS + 1)
    go = threading.Event()

    def one() -> int:
        call()
        ready.wait()
        go.wait()
        return sum(_fails(call) for _ in range(CALLS))

    with ThreadPoolExecutor(THREADS) as pool:
        threads = [pool.submit(one) for _ in range(THREADS)]
        ready.wait()
        until_expired()
        go.set()
        return sum(thread.result() for thread in threads)


def _fails(call: Callable[[], Any]) -> bool:
    try:
        call()
    except Exception:  # noqa: BLE001
        return True
    return False


def _fast_worker(portal: Portal, until_expired: Callable[[], None]) -> int:
    return asyncio.run(_from_tasks(portal, until_expired))


async def _from_tasks(portal: Portal, until_expired: Callable[[], None]) -> int:
    """Do the same with its asynchronous client: a task in place of each thread."""
    client = fast_application(portal)

    async def one() -> int:
        failed = 0
        for _ in range(CALLS):
            try:
                await client.call("profile", raw=True)
            except Exception:  # noqa: BLE001
                failed += 1
        return failed

    await client.call("profile", raw=True)
    until_expired()
    return sum(await asyncio.gather(*(one() for _ in range(THREADS))))


def fast_application(portal: Portal) -> Any:
    """Return its asynchronous client with the token function of its README.

    The README's function refreshes at each start; this one starts with the access token.
    """
    pair = dict(portal.oauth["extra"])
    given = 0

    async def token() -> str:
        nonlocal given
        given += 1
        if given > 1:
            pair.update(refreshed(portal, pair["refresh_token"]))
        return str(pair["access_token"])

    return FastBitrix24().open_application(portal, token)


def refreshed(portal: Portal, refresh_token: str) -> dict[str, str]:
    """Refresh the token as that README does, and return the new pair."""
    import requests

    params = {
        "grant_type": "refresh_token",
        "client_id": portal.oauth["login"],
        "client_secret": portal.oauth["password"],
        "refresh_token": refresh_token,
    }
    reply = requests.get(f"{portal.url}/oauth/token/", timeout=10, params=params).json()
    return {name: reply[name] for name in ("access_token", "refresh_token")}

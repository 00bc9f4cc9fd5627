"""``python -m airflow_provider_b24.emulator``: serve a portal until it is interrupted."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_b24.emulator.api.limits import PLANS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_b24.emulator.emulator import Emulator


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a portal until SIGINT or SIGTERM."""
    from airflow_provider_b24.emulator.emulator import Emulator

    options = _options(arguments)
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    try:
        emulator = Emulator(
            host=options.host,
            port=options.port,
            plan="none" if options.no_limits else options.plan,
            webhook_code=options.webhook_code,
        )
        if options.no_limits:
            emulator.limits.off()
        emulator.start()
    except (OSError, ValueError, ImportError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _announce(emulator, options.connection_file)
    _serve(emulator, options, ended)
    return 0


def _serve(emulator: Emulator, options: argparse.Namespace, ended: threading.Event) -> None:
    from airflow_provider_b24.emulator.voters import Voters

    voters = None
    if options.voters:
        voters = Voters(
            emulator.portal,
            count=options.voters,
            every=options.vote_every,
            seed=options.seed,
            stop_when_all_voted=options.stop_when_all_voted,
        )
        voters.start()
    ended.wait()
    if voters is not None:
        voters.stop()
    emulator.stop()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_b24.emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8024, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--voters", type=int, default=0, help="how many people vote by themselves")
    parser.add_argument("--vote-every", type=float, default=2.0, help="seconds between votes")
    parser.add_argument(
        "--stop-when-all-voted", action="store_true", help="stop a poll when all of them have voted in it"
    )
    parser.add_argument("--seed", type=int, default=0, help="makes the votes the same each time")
    parser.add_argument("--plan", choices=sorted(PLANS), default="standard", help="the limit of requests")
    parser.add_argument("--no-limits", action="store_true", help="no limit of requests or operating time")
    parser.add_argument("--webhook-code", help="the webhook's secret (default: a random one)")
    parser.add_argument("--connection-file", type=Path, help="write the connections there, as JSON")
    return parser.parse_args(arguments)


def _announce(emulator: Emulator, connection_file: Path | None) -> None:
    webhook, oauth = emulator.connection("webhook"), emulator.connection("oauth")
    lines = [
        f"Bitrix24 emulator: {emulator.url}/",
        f"Webhook:           {emulator.webhook_url}",
        f"Chat for polls:    {next(iter(emulator.portal.chats)).id}",
        "",
        "Connection by webhook:",
        f"export AIRFLOW_CONN_BITRIX24_DEFAULT='{json.dumps(webhook)}'",
        "",
        "Connection as an OAuth application:",
        f"export AIRFLOW_CONN_BITRIX24_DEFAULT='{json.dumps(oauth)}'",
        "",
        "Ctrl-C stops it.",
    ]
    if connection_file is not None:
        text = json.dumps({"url": emulator.url, "webhook": webhook, "oauth": oauth}, indent=2)
        _write_secret(connection_file, text + "\n")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _write_secret(path: Path, text: str) -> None:
    """Write a file for its owner alone; a reader never sees half of it."""
    half = path.with_name(f"{path.name}.part")
    half.unlink(missing_ok=True)
    half.touch(mode=0o600)
    half.write_text(text)
    half.replace(path)


if __name__ == "__main__":
    raise SystemExit(main())

"""``python -m airflow_provider_b24.emulator``: serve a portal until it is interrupted."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.api.limits import PLANS
from airflow_provider_b24.emulator.state.portal import COLLEAGUES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_b24.emulator.emulator import Emulator


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a portal until SIGINT or SIGTERM."""
    options = parser().parse_args(arguments)
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    try:
        emulator = _started(options)
    except (OSError, ValueError, ImportError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _announce(emulator, _set_up(emulator, options), options.connection_file)
    _serve(emulator, options, ended)
    return 0


def _started(options: argparse.Namespace) -> Emulator:
    from airflow_provider_b24.emulator.emulator import Emulator

    emulator = Emulator(
        host=options.host,
        port=options.port,
        plan="none" if options.no_limits else options.plan,
        people=options.people,
        webhook_code=options.webhook_code,
    )
    if options.no_limits:
        emulator.limits.off()
    emulator.set_application(redirect_uri=options.redirect_uri)
    emulator.start()
    return emulator


def _set_up(emulator: Emulator, options: argparse.Namespace) -> list[str]:
    """Open the chats that were asked for, and return a line about each place."""
    staff = [user.id for user in emulator.portal.people.employees()]
    for title in options.chat:
        emulator.add_chat(title, staff)
    chats = ", ".join(f"{chat.title} {chat.id}" for chat in emulator.portal.chats)
    deals = [
        f"deal {deal}: chat {emulator.lines.add_crm_chat('deal', deal, guest='Customer')}"
        for deal in options.deal
    ]
    lines = ", ".join(f"{line.name} {line.id}" for line in emulator.lines)
    return [f"chats: {chats}", *deals, f"open line: {lines}"]


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


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    options = argparse.ArgumentParser(prog="python -m airflow_provider_b24.emulator", description=__doc__)
    _add_server_options(options)
    _add_world_options(options)
    return options


def _add_server_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("--host", default="127.0.0.1", help="a loopback address (default: %(default)s)")
    options.add_argument("--port", type=int, default=8024, help="0 takes a free one (default: %(default)s)")
    options.add_argument("--plan", choices=sorted(PLANS), default="standard", help="the limit of requests")
    options.add_argument("--no-limits", action="store_true", help="no limit of requests or operating time")
    options.add_argument("--webhook-code", help="the webhook's secret (default: a random one)")
    options.add_argument(
        "--redirect-uri", default="", help="where the OAuth application's authorisation leads, with a code"
    )
    options.add_argument("--connection-file", type=Path, help="write the connections there, as JSON")


def _add_world_options(options: argparse.ArgumentParser) -> None:
    options.add_argument(
        "--people",
        type=_people,
        default=len(COLLEAGUES),
        metavar="N or NAMES",
        help="how many colleagues there are (default: %(default)s), or their names with commas between them",
    )
    options.add_argument(
        "--chat",
        type=_title,
        action="append",
        default=[],
        metavar="TITLE",
        help="one more chat of all; repeatable",
    )
    options.add_argument(
        "--deal",
        type=_id,
        action="append",
        default=[],
        metavar="ID",
        help="a CRM deal with a customer's conversation in the open line; repeatable",
    )
    options.add_argument("--voters", type=int, default=0, help="how many people vote by themselves")
    options.add_argument("--vote-every", type=float, default=2.0, help="seconds between votes")
    options.add_argument(
        "--stop-when-all-voted", action="store_true", help="stop a poll when all of them have voted in it"
    )
    options.add_argument("--seed", type=int, default=0, help="makes the votes the same each time")


def _people(text: str) -> int | list[str]:
    try:
        number = int(text)
    except ValueError:
        return [_title(name) for name in text.split(",")]
    if number < 0:
        raise argparse.ArgumentTypeError("a number of people is 0 or more")
    return number


def _title(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("a name or title may not be empty")
    return text.strip()


def _id(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("an id is a number above 0")
    return int(text)


def _announce(emulator: Emulator, places: Sequence[str], connection_file: Path | None) -> None:
    webhook, oauth = emulator.connection("webhook"), emulator.connection("oauth")
    if connection_file is not None:
        text = json.dumps({"url": emulator.url, "webhook": webhook, "oauth": oauth}, indent=2)
        _write_secret(connection_file, text + "\n")
    # All of it can be pasted into a shell.
    lines = [
        f"# Bitrix24 emulator: {emulator.url}/",
        f"# webhook: {emulator.webhook_url}",
        *(f"# {place}" for place in places),
        _export("BITRIX24_DEFAULT", webhook),
        "# As an OAuth application, which connector messages need:",
        _export("BITRIX24_APP", oauth),
        "# Ctrl-C stops it.",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _export(name: str, connection: Mapping[str, Any]) -> str:
    return f"export AIRFLOW_CONN_{name}={shlex.quote(json.dumps(connection))}"


def _write_secret(path: Path, text: str) -> None:
    """Write a file for its owner alone; a reader never sees half of it."""
    half = path.with_name(f"{path.name}.part")
    half.unlink(missing_ok=True)
    half.touch(mode=0o600)
    half.write_text(text)
    half.replace(path)


if __name__ == "__main__":
    raise SystemExit(main())

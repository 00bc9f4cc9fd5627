"""The command ``python -m airflow_provider_b24.conformance``."""

from __future__ import annotations

import argparse
import platform
import signal
import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_b24 import __version__
from airflow_provider_b24.conformance import report
from airflow_provider_b24.conformance.announcement import announcement
from airflow_provider_b24.conformance.areas import PROBES
from airflow_provider_b24.conformance.cleanup import clean_up
from airflow_provider_b24.conformance.recorder import RecordedPortal
from airflow_provider_b24.conformance.runner import Row, run, shown, why_not
from airflow_provider_b24.conformance.trial import Trial
from airflow_provider_b24.exceptions import Bitrix24Error

if TYPE_CHECKING:
    from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    options = argparse.ArgumentParser(
        prog="python -m airflow_provider_b24.conformance",
        description="Try on a live portal what the provider holds true of it.",
        epilog="Exit status: 0 all as held, 1 something differs, 2 could not run or could not tell.",
    )
    options.add_argument("--conn-id", required=True, help="the Airflow connection")
    options.add_argument("--chat", required=True, help="a chat that its user is in: the number, or chatN")
    options.add_argument("--read-only", action="store_true", help="post and change nothing")
    options.add_argument("--yes", action="store_true", help="do not ask before something is posted")
    options.add_argument("--json", action="store_true", help="print JSON, to attach to a bug report")
    options.add_argument("--line", type=int, help="an open line, for an application's connector")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    :param arguments: the options; None: those of the process.
    """
    options = parser().parse_args(arguments)
    try:
        trial = prepare(options)
    except Bitrix24Error as error:
        # Our own text; that of the portal is left out.
        text = f"{shown(error)}: {error.message}" if error.message else shown(error)
        return _stop(f"Could not run. {text}. {error.advice}".rstrip())
    if not options.read_only and not _agreed(trial, yes=options.yes):
        return _stop("Nothing was posted. Use --yes, or --read-only.")
    return _run(trial, options)


def prepare(options: argparse.Namespace) -> Trial:
    """Return the trial, after a look whether the connection and the chat can be used.

    :param options: the command's options.
    :raises Bitrix24Error: when they can't.
    """
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from airflow_provider_b24.ids import parse_chat_id
    from airflow_provider_b24.polls.draft import ANONYMOUS

    hook = Bitrix24Hook(options.conn_id)
    chat_id = parse_chat_id(options.chat)
    scopes = frozenset(map(str, hook.call("scope")))
    hook.chats.members(chat_id)
    return Trial(
        portal=RecordedPortal(hook),
        chat_id=chat_id,
        account_id=hook.account_id,
        scopes=scopes,
        is_application=hook.settings.is_application,
        anonymous_value=hook.settings.anonymous_value or ANONYMOUS,
        line_id=options.line,
    )


def _agreed(trial: Trial, *, yes: bool) -> bool:
    tried = [probe for probe in PROBES if not why_not(probe, trial, read_only=False)]
    _say(announcement(tried, on_line=trial.line_id is not None))
    if yes:
        return True
    if not sys.stdin.isatty():
        return False
    _say("Go on? [y/N]")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _run(trial: Trial, options: argparse.Namespace) -> int:
    rows, interrupted = _collect(trial, read_only=options.read_only)
    left_behind = 0 if options.read_only else _clean_up(trial)
    if options.json:
        facts = {**_facts(trial, options), "left_behind": left_behind, "interrupted": interrupted}
        sys.stdout.write(report.as_json(rows, facts=facts) + "\n")
    else:
        parts = [report.table(rows), report.advice(rows), report.summary(rows, left_behind=left_behind)]
        sys.stdout.write("\n\n".join(filter(None, parts)) + "\n")
    if interrupted:
        return _stop("Interrupted.")
    return report.exit_status(rows)


def _collect(trial: Trial, *, read_only: bool) -> tuple[list[Row], bool]:
    """Run the probes; an interrupt ends the run, and what is known so far is kept."""
    rows: list[Row] = []
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        for row in run(PROBES, trial, read_only=read_only):
            rows.append(row)
            _say(f"{len(rows)}/{len(PROBES)} {row.probe.id}: {row.verdict}")
    except KeyboardInterrupt:
        return rows, True
    finally:
        signal.signal(signal.SIGTERM, before)
    return rows, False


def _interrupt(number: int, frame: Any) -> None:  # noqa: ARG001
    raise KeyboardInterrupt


def _clean_up(trial: Trial) -> int:
    """Clean up to the end: a second interrupt would leave open polls in the chat."""
    _say("Cleaning up.")
    kept = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return clean_up(trial)
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _facts(trial: Trial, options: argparse.Namespace) -> dict[str, Any]:
    from airflow import __version__ as airflow_version

    return {
        "provider": __version__,
        "airflow": airflow_version,
        "python": platform.python_version(),
        "auth": "application" if trial.is_application else "webhook",
        "anonymous_value": trial.anonymous_value,
        "read_only": options.read_only,
    }


def _say(text: str) -> None:
    # The table alone goes to the standard output.
    sys.stderr.write(f"{text}\n")


def _stop(text: str) -> int:
    _say(text)
    return report.NOT_RUN


if __name__ == "__main__":
    sys.exit(main())

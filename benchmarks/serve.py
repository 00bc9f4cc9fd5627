"""``python -m benchmarks.serve``: the emulated portal, in a process of its own.

The emulator's command line offers neither TLS nor a way to end a token; this offers both. It says
where it is in one line of JSON, takes one command a line, and ends with its input.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from typing import Any

from airflow_provider_b24.emulator import Emulator


def main() -> int:
    """Serve until the input ends."""
    options = _options()
    # Ctrl-C reaches the whole group; the parent ends this process when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    emulator = Emulator(plan=options.plan, certfile=options.certfile, keyfile=options.keyfile)
    if options.plan == "none":
        emulator.limits.off()
    with emulator:
        _say(_whereabouts(emulator))
        for line in sys.stdin:
            _obey(emulator, line.strip())
            _say("done")
    return 0


def _obey(emulator: Emulator, command: str) -> None:
    if command == "expire":
        emulator.expire_access_token()


def _whereabouts(emulator: Emulator) -> dict[str, Any]:
    return {
        "url": emulator.url,
        "webhook_url": emulator.webhook_url,
        "webhook": emulator.connection("webhook"),
        "oauth": emulator.connection("oauth"),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve", description=__doc__)
    parser.add_argument("--plan", default="standard")
    parser.add_argument("--certfile")
    parser.add_argument("--keyfile")
    return parser.parse_args()


def _say(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())

"""The command's options, for argparse and for Airflow's own command line."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

SUMMARY = "Authorise a Bitrix24 OAuth application and store its connection"
SECRET_VARIABLE = "BITRIX24_CLIENT_SECRET"  # noqa: S105 - the name of an environment variable
_MAX_PORT = 65_535


def _refuse_secret(_: str) -> NoReturn:
    raise argparse.ArgumentTypeError(
        "other users of this machine can read a command's arguments, so the secret is not taken here: "
        f"leave it out to be asked for it, or use --secret-from-stdin or {SECRET_VARIABLE}"
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {_MAX_PORT}")
    return int(text)


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a number of seconds above 0")
    return int(text)


OPTIONS: dict[str, dict[str, Any]] = {
    "--conn-id": {
        "default": "bitrix24_default",
        "help": "the connection to store; what it holds already is not asked for (bitrix24_default)",
    },
    "--portal": {"help": "the portal, for example acme.bitrix24.com"},
    "--client-id": {"help": "the application's client_id, for example local.5c8bb1b0891cf2.87252039"},
    "--client-secret": {
        "type": _refuse_secret,
        "help": f"not taken here: it is asked for, or read from {SECRET_VARIABLE} or the connection",
    },
    "--secret-from-stdin": {
        "action": "store_true",
        "help": "read the application's client_secret from the first line of the standard input",
    },
    "--oauth-server": {"help": "the OAuth server, when it is not the one of the portal's region"},
    "--listen": {
        "type": _port,
        "help": "take the code at http://127.0.0.1:LISTEN/, which must be the application's handler path; "
        "0 chooses a free port. Without it, you paste the address to which Bitrix24 redirects",
    },
    "--timeout": {
        "type": _seconds,
        "default": 300,
        "help": "seconds to wait for the redirect, with --listen (300)",
    },
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``python -m airflow_provider_b24.login``."""
    command = argparse.ArgumentParser(prog="python -m airflow_provider_b24.login", description=SUMMARY)
    for name, settings in OPTIONS.items():
        command.add_argument(name, **settings)
    return command

"""The command: it asks, prints, and turns errors into one line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.login.flow import log_in
from airflow_provider_b24.login.options import parser
from airflow_provider_b24.login.terminal import Terminal
from airflow_provider_b24.login.wanted import LoginOptions
from airflow_provider_b24.utils.frames import hide_frames

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Log in, and return the exit status."""
    return _log_in(parser().parse_args(arguments))


def run(arguments: argparse.Namespace) -> None:
    """Log in as ``airflow bitrix24 login``, which ends with the exit status."""
    raise SystemExit(_log_in(arguments))


@hide_frames
def _log_in(arguments: argparse.Namespace) -> int:
    options = LoginOptions(
        conn_id=arguments.conn_id,
        portal=arguments.portal,
        client_id=arguments.client_id,
        oauth_server=arguments.oauth_server,
        secret_from_stdin=arguments.secret_from_stdin,
        port=arguments.listen,
        timeout=arguments.timeout,
    )
    try:
        return 0 if log_in(options, Terminal()) else 1
    except Bitrix24Error as error:
        sys.stderr.write(f"{error}\n")
    except KeyboardInterrupt:
        sys.stderr.write("\nNothing was stored.\n")
    return 1

"""The provider's commands in Airflow's own command line, which takes them from 3.2 on.

Airflow calls this each time it starts, so nothing else of the package is imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_b24.login.options import OPTIONS, SUMMARY

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand


def get_cli_commands() -> list[CLICommand]:
    """Return ``airflow bitrix24`` and its commands."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command

    login = ActionCommand(
        name="login",
        help=SUMMARY,
        func=lazy_load_command("airflow_provider_b24.login.command.run"),
        args=[Arg((name,), **settings) for name, settings in OPTIONS.items()],
    )
    return [GroupCommand(name="bitrix24", help="Bitrix24 connections", subcommands=(login,))]

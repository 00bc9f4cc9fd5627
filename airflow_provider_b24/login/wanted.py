"""Which application is authorised: from the options, the connection, and the person who is asked."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError, Bitrix24LoginError
from airflow_provider_b24.hooks.connection import read_connection
from airflow_provider_b24.login.options import SECRET_VARIABLE
from airflow_provider_b24.rest.redaction import protect
from airflow_provider_b24.rest.token_store import variable_name

if TYPE_CHECKING:
    from airflow_provider_b24.hooks.connection import ConnectionSettings
    from airflow_provider_b24.login.stored_connection import StoredConnection
    from airflow_provider_b24.login.terminal import Terminal


@dataclass(frozen=True)
class LoginOptions:
    """What the command was given; None is asked for, or read from the connection.

    :param port: where to listen for the redirect; None: it is pasted.
    :param timeout: seconds to wait for the redirect.
    """

    conn_id: str
    portal: str | None = None
    client_id: str | None = None
    oauth_server: str | None = None
    secret_from_stdin: bool = False
    port: int | None = None
    timeout: int = 300


def wanted_connection(
    options: LoginOptions, before: StoredConnection, terminal: Terminal
) -> StoredConnection:
    """Return the connection as it shall be, still with the old tokens.

    :param options: what the command was given.
    :param before: what Airflow has under the id.
    :param terminal: who is asked for the rest.
    :raises Bitrix24LoginError: the login would overwrite something else, or can't.
    """
    if before.is_webhook and not (options.client_id and options.client_id == before.login):
        raise Bitrix24LoginError(
            f"The connection {before.conn_id!r} holds a webhook, which the login would overwrite",
            advice="Choose another id with --conn-id, or delete the connection first.",
        )
    # The secret is the first line of the input, before any answer.
    piped = terminal.ask("") if options.secret_from_stdin else ""
    host = options.portal or before.host or terminal.ask("Portal, for example acme.bitrix24.com: ")
    client_id = options.client_id or before.login or terminal.ask("client_id of the application: ")
    known = before.password if client_id == before.login else ""
    secret = piped or os.environ.get(SECRET_VARIABLE, "") or known or _ask_secret(terminal)
    extra = dict(before.extra)
    if options.oauth_server:
        extra["oauth_server"] = options.oauth_server
    wanted = replace(
        before,
        host=host,
        port=before.port if host == before.host else None,
        login=client_id,
        password=secret,
        extra=extra,
    )
    if before.source:
        _refuse_changes(before, wanted)
        terminal.say(
            f"Airflow reads the connection {before.conn_id!r} from {before.source}, which this command can't "
            f"change. The tokens go into the Variable {variable_name(before.conn_id)} alone."
        )
    return wanted


def _ask_secret(terminal: Terminal) -> str:
    if not terminal.is_interactive:
        raise Bitrix24LoginError(
            "There is no terminal to ask for the client_secret in",
            advice=f"Use --secret-from-stdin or the environment variable {SECRET_VARIABLE}.",
        )
    return terminal.ask_secret("client_secret of the application (it is not shown): ")


def _refuse_changes(before: StoredConnection, wanted: StoredConnection) -> None:
    """Refuse what only a change of a connection outside Airflow's database could do."""
    names = {"host": "portal", "login": "client_id", "password": "client_secret"}
    changed = [shown for name, shown in names.items() if getattr(before, name) != getattr(wanted, name)]
    if before.extra.get("oauth_server") != wanted.extra.get("oauth_server"):
        changed.append("oauth_server")
    if changed:
        raise Bitrix24LoginError(
            f"Airflow reads the connection {before.conn_id!r} from {before.source}, which has another "
            f"{', '.join(changed)}",
            advice="Change it there, or choose another id with --conn-id.",
        )


def settings_of(wanted: StoredConnection) -> ConnectionSettings:
    """Return what the connection will mean, checked before anything is sent.

    :raises Bitrix24LoginError: one of the fields is not usable.
    """
    # An application without tokens whose client_id has an unusual form would count as a webhook.
    extra = {**wanted.extra, "refresh_token": "to come"}
    try:
        settings = read_connection(
            conn_id=wanted.conn_id,
            host=wanted.host,
            login=wanted.login,
            password=wanted.password,
            extra=extra,
            port=wanted.port,
        )
    except Bitrix24ConfigurationError as error:
        raise Bitrix24LoginError(
            error.message, conn_id=wanted.conn_id, advice="Give another one to the command."
        ) from None
    protect(settings.secret)
    return settings

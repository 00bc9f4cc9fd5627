"""The steps of a login: who asks, the code, the tokens, the connection, the test."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError, Bitrix24LoginError, Bitrix24StateError
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.hooks.check import check_connection
from airflow_provider_b24.login.authorization import (
    authorization_url,
    check_portal,
    check_redirect,
    new_state,
    read_redirect,
)
from airflow_provider_b24.login.listener import Listener
from airflow_provider_b24.login.stored_connection import StoredConnection, find_connection, save_connection
from airflow_provider_b24.login.wanted import settings_of, wanted_connection
from airflow_provider_b24.rest.oauth_server import (
    Application,
    OAuthServer,
    Tokens,
    default_oauth_server,
    official_oauth_server,
)
from airflow_provider_b24.rest.redaction import protect
from airflow_provider_b24.rest.token_store import TokenPair, VariableTokenStore, variable_name
from airflow_provider_b24.rest.transport import RequestsTransport

if TYPE_CHECKING:
    from airflow_provider_b24.hooks.connection import ConnectionSettings
    from airflow_provider_b24.login.authorization import Redirect
    from airflow_provider_b24.login.terminal import Terminal
    from airflow_provider_b24.login.wanted import LoginOptions
    from airflow_provider_b24.rest.response import Failure

_NOT_ACCEPTED = frozenset({"wrong_client", "invalid_client"})


def log_in(options: LoginOptions, terminal: Terminal) -> bool:
    """Authorise the application, store its tokens, and return whether the connection works.

    :param options: what the command was given.
    :param terminal: who is asked for the rest.
    :raises Bitrix24LoginError: the application was not authorised, and nothing was stored.
    :raises Bitrix24Error: the OAuth server gave no usable answer, and nothing was stored.
    """
    wanted = wanted_connection(options, find_connection(options.conn_id), terminal)
    settings = settings_of(wanted)
    redirect = _redirect(options, settings, terminal)
    server = _oauth_server(settings, redirect)
    application = Application(settings.user, settings.secret, server)
    with closing(RequestsTransport(settings.transport)) as transport:
        tokens = _redeem(
            OAuthServer(application=application, transport=transport, conn_id=options.conn_id), redirect
        )
    check_portal(tokens.portal, portal=settings.portal)
    if server != (settings.oauth_server or default_oauth_server(settings.portal)):
        wanted = replace(wanted, extra={**wanted.extra, "oauth_server": server})
    stored = _store(wanted, settings, tokens, terminal)
    return _test(stored, settings.portal, terminal)


def _redirect(options: LoginOptions, settings: ConnectionSettings, terminal: Terminal) -> Redirect:
    """Let the person allow the application, and return what comes back."""
    state = new_state()
    url = authorization_url(portal=settings.portal, client_id=settings.user, state=state)

    def check(redirect: Redirect) -> None:
        protect(redirect.code)
        check_redirect(redirect, state=state, portal=settings.portal)

    if options.port is None:
        return _pasted(url, check, terminal)
    with Listener(options.port, check=check, report=terminal.say) as listener:
        terminal.say(
            f"The application's handler path in Bitrix24 must be {listener.address}\n"
            f"Open this address in a browser, as the user for whom the application shall act:\n\n  {url}\n\n"
            f"Waiting {options.timeout} s for the redirect."
        )
        return listener.wait(options.timeout)


def _pasted(url: str, check: Any, terminal: Terminal) -> Redirect:
    terminal.say(
        f"Open this address in a browser, as the user for whom the application shall act:\n\n  {url}\n\n"
        "Bitrix24 then redirects the browser to the application's handler path, with a code that lives for "
        "30 seconds. The page there need not work: only its address counts."
    )
    while True:
        text = terminal.ask("Paste the address of that page (or its code): ")
        try:
            redirect = read_redirect(text)
            check(redirect)
        except Bitrix24LoginError as error:
            if not terminal.is_interactive:
                raise
            terminal.say(str(error))
        else:
            return redirect


def _oauth_server(settings: ConnectionSettings, redirect: Redirect) -> str:
    """Return where the secret goes: what a person chose, or the official server that the portal names."""
    return (
        settings.oauth_server
        or official_oauth_server(redirect.server_domain)
        or default_oauth_server(settings.portal)
    )


def _redeem(server: OAuthServer, redirect: Redirect) -> Tokens:
    outcome = server.redeem(redirect.code)
    if isinstance(outcome, Tokens):
        protect(outcome.access, outcome.refresh)
        return outcome
    raise _refusal(server, outcome)


def _refusal(server: OAuthServer, failure: Failure) -> Exception:
    if failure.code == "invalid_grant":
        return Bitrix24LoginError(
            f"The OAuth server {server.address} does not accept the code",
            code=failure.code,
            advice="A code lives for 30 seconds and works once: start the command again and be quicker, or "
            "use --listen. If it lasts, check that the client_id is of an application on this portal.",
        )
    if failure.code in _NOT_ACCEPTED:
        return Bitrix24LoginError(
            f"The OAuth server {server.address} does not accept the application: {failure.code}",
            code=failure.code,
            advice="Check client_id and client_secret, and that the application is installed on the portal. "
            "If they are right, the portal may use another OAuth server: see --oauth-server.",
        )
    return server.error(failure)


def _store(
    wanted: StoredConnection, settings: ConnectionSettings, tokens: Tokens, terminal: Terminal
) -> StoredConnection:
    """Store the connection, then the pair: a task that reads between the two has a valid pair as well."""
    if wanted.source:
        terminal.say(f"Its tokens are stored in the Variable {variable_name(wanted.conn_id)}.")
        # Of the chain that starts with the connection's own tokens, or tasks would not use the pair.
        first = TokenPair.from_connection(
            access_token=str(wanted.extra.get("access_token") or "").strip(),
            refresh_token=str(wanted.extra.get("refresh_token") or "").strip(),
        )
    else:
        wanted = _with_first_token(wanted, settings.portal, tokens)
        save_connection(wanted)
        terminal.say(f"The connection {wanted.conn_id!r} is stored in Airflow's database.")
        first = TokenPair.from_connection(access_token="", refresh_token=tokens.refresh.reveal())
    pair = replace(first, access=tokens.access, refresh=tokens.refresh, issued=time.time())
    try:
        VariableTokenStore(wanted.conn_id, client_secret=settings.secret).save(pair)
    except (Bitrix24ConfigurationError, Bitrix24StateError) as error:
        if wanted.source:
            raise
        terminal.say(f"Warning: {error}")
    return wanted


def _with_first_token(wanted: StoredConnection, portal: str, tokens: Tokens) -> StoredConnection:
    kept = {name: value for name, value in wanted.extra.items() if name != "access_token"}
    host = wanted.host if wanted.port else portal.removeprefix("https://")
    return replace(wanted, host=host, extra={**kept, "refresh_token": tokens.refresh.reveal()})


def _test(stored: StoredConnection, portal: str, terminal: Terminal) -> bool:
    works, message = check_connection(_Hook(stored).client_without_refresh, portal=portal)
    terminal.say(message if works else f"The connection does not work: {message}")
    return works


class _Hook(Bitrix24Hook):
    """A hook for the connection that was just stored."""

    def __init__(self, stored: StoredConnection) -> None:
        super().__init__(stored.conn_id)
        self._stored = stored

    def _connection(self) -> Any:
        return _Row(self._stored)


class _Row:
    def __init__(self, stored: StoredConnection) -> None:
        self.host, self.login, self.password = stored.host, stored.login, stored.password
        self.port, self.extra_dejson = stored.port, dict(stored.extra)
        self.schema = None

"""The first step of OAuth, without its input and output: the address to open, and what comes back from it."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from airflow_provider_b24.exceptions import Bitrix24LoginError
from airflow_provider_b24.rest.redaction import REGISTRY, Secret

_AGAIN = "Start the command again and open the address that it prints."
#: What a code, pasted alone, looks like.
_CODE = re.compile(r"[0-9A-Za-z]{16,256}")


@dataclass(frozen=True)
class Redirect:
    """What Bitrix24 adds to the application's address.

    :param code: the authorisation code, which lives for 30 seconds.
    :param state: the text that the command gave; None when the code was pasted alone.
    :param domain: the portal on which the person has allowed the application.
    :param server_domain: the portal's OAuth server.
    """

    code: Secret
    state: str | None = None
    domain: str = ""
    server_domain: str = ""


def new_state() -> str:
    """Return a text that nobody can guess, which ties a redirect to the command that waits for it."""
    return secrets.token_urlsafe(24)


def authorization_url(*, portal: str, client_id: str, state: str) -> str:
    """Return the address on which a person allows the application.

    :param portal: scheme and host.
    :param client_id: the application.
    :param state: comes back with the redirect.
    """
    return f"{portal}/oauth/authorize/?{urlencode({'client_id': client_id, 'state': state})}"


def read_redirect(text: str) -> Redirect:
    """Return what a redirect's address, or a code that was pasted alone, says.

    :param text: an address, its query, or a code.
    :raises Bitrix24LoginError: there is no code in it.
    """
    text = text.strip()
    if _CODE.fullmatch(text):
        return Redirect(Secret(text))
    given = _parameters(text)
    code = given.get("code", "")
    if not _CODE.fullmatch(code):
        raise Bitrix24LoginError(
            "There is no code in that",
            advice="Give the whole address to which Bitrix24 redirected the browser: it has code=… in it. "
            "When Bitrix24 shows an error on its own page, the application is not installed on the portal.",
        )
    return Redirect(
        Secret(code), given.get("state", ""), given.get("domain", ""), given.get("server_domain", "")
    )


def _parameters(text: str) -> dict[str, str]:
    try:
        query = urlsplit(text).query if "?" in text else text
        return {name: values[0] for name, values in parse_qs(query).items()}
    except ValueError:
        return {}


def check_redirect(redirect: Redirect, *, state: str, portal: str) -> None:
    """Refuse a redirect that this command did not ask for.

    :param redirect: what has come back.
    :param state: what the command gave.
    :param portal: scheme and host that the command was given.
    :raises Bitrix24LoginError: it is another command's, or another portal's.
    """
    if redirect.state is not None and not secrets.compare_digest(redirect.state.encode(), state.encode()):
        raise Bitrix24LoginError("The state of the redirect is not the one of this login", advice=_AGAIN)
    check_portal(redirect.domain, portal=portal)


def check_portal(address: str, *, portal: str) -> None:
    """Refuse a code or tokens of another portal.

    :param address: host or address that Bitrix24 names; an empty one is taken for the right one.
    :param portal: scheme and host that the command was given.
    :raises Bitrix24LoginError: it is another portal.
    """
    named = _host(address)
    if named and named != _host(portal):
        shown = REGISTRY.redact_and_truncate(named)
        raise Bitrix24LoginError(
            f"The application was allowed on {shown}, and not on {_host(portal)}",
            advice=f"Log in there, or start the command again with --portal {shown}.",
        )


def _host(address: str) -> str:
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        return (parts.hostname or "").lower().rstrip(".")
    except ValueError:
        return ""

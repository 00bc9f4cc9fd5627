"""The OAuth server, which gives a pair of tokens for an authorisation code, or for a refresh token.

What goes wrong here is no outcome of the call for which the token is refreshed: that call was not executed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from airflow_provider_b24.exceptions import (
    Bitrix24ConfigurationError,
    Bitrix24Error,
    Bitrix24NoAnswerError,
    Bitrix24PlanError,
    Bitrix24TokenRefreshError,
    Outcome,
)
from airflow_provider_b24.rest.error_codes import error_type
from airflow_provider_b24.rest.redaction import REGISTRY, Secret
from airflow_provider_b24.rest.response import Failure, Response, classify
from airflow_provider_b24.rest.token_store import is_token
from airflow_provider_b24.rest.transport import HttpReply, HttpRequest, NoReply

if TYPE_CHECKING:
    from airflow_provider_b24.rest.transport import Transport

#: Portals in these zones are served by Bitrix24's second OAuth server.
_SECOND_ZONES = frozenset({"ru", "am", "az", "ge", "kz", "kg", "uz", "by"})
_FIRST, _SECOND = "https://oauth.bitrix.info", "https://oauth.bitrix24.tech"
_METHOD = "oauth/token"
_OK = 200
_METHOD_NOT_ALLOWED = 405


@dataclass(frozen=True)
class Application:
    """An OAuth application and the server that refreshes its tokens."""

    client_id: str
    client_secret: Secret
    oauth_server: str


class Tokens(NamedTuple):
    """What the OAuth server gives for a code or a refresh token.

    :param portal: the portal's REST address as the server knows it; empty when it does not say.
    """

    access: Secret
    refresh: Secret
    portal: str = ""


class OAuthServer:
    """The server that refreshes an application's tokens.

    :param conn_id: names the connection in errors.
    """

    def __init__(self, *, application: Application, transport: Transport, conn_id: str) -> None:
        self.address = application.oauth_server
        self._application = application
        self._transport = transport
        self._conn_id = conn_id

    def refresh(self, refresh: Secret) -> Tokens | Failure:
        """Send one refresh token; the failure's outcome says whether the server may have taken it."""
        return self._ask("refresh_token", refresh_token=refresh)

    def redeem(self, code: Secret) -> Tokens | Failure:
        """Send the authorisation code of a person who has allowed the application; it works once."""
        return self._ask("authorization_code", code=code)

    def error(self, failure: Failure) -> Bitrix24Error:
        """Return the error for a call whose token could not be refreshed."""
        if (failure.status or 0) // 100 == 3:
            return self._moved(failure)
        if failure.outcome is Outcome.REFUSED and failure.code:
            kind = error_type(method=_METHOD, code=failure.code, status=failure.status)
            if issubclass(kind, Bitrix24PlanError):
                return self._refusal(kind, failure)
            return self.refusal(failure.code, failure.description, status=failure.status, advice=_APPLICATION)
        why = REGISTRY.redact_and_truncate(": ".join(filter(None, (failure.code, failure.description))))
        return Bitrix24NoAnswerError(
            f"The OAuth server {self.address} gave no usable answer: {why}",
            method=_METHOD,
            status=failure.status,
            outcome=Outcome.NOT_EXECUTED,
            conn_id=self._conn_id,
            advice="Let the task retry. If it lasts, look at the network, and at oauth_server in the "
            "connection's extra.",
        )

    def refusal(
        self, code: str, text: str, *, status: int | None = None, advice: str | None = None
    ) -> Bitrix24TokenRefreshError:
        """Return the error for a refresh that the server has refused.

        :param code: the server's code.
        :param text: what is wrong.
        :param status: the HTTP status.
        :param advice: what to do; None: authorise the application again.
        """
        return Bitrix24TokenRefreshError(
            method=_METHOD,
            code=REGISTRY.redact_and_truncate(code),
            description=REGISTRY.redact_and_truncate(text),
            status=status,
            outcome=Outcome.NOT_EXECUTED,
            conn_id=self._conn_id,
            advice=advice,
        )

    def _refusal(self, kind: type[Bitrix24Error], failure: Failure) -> Bitrix24Error:
        return kind(
            method=_METHOD,
            code=REGISTRY.redact_and_truncate(failure.code),
            description=REGISTRY.redact_and_truncate(failure.description),
            status=failure.status,
            outcome=Outcome.NOT_EXECUTED,
            conn_id=self._conn_id,
        )

    def _moved(self, failure: Failure) -> Bitrix24ConfigurationError:
        where = REGISTRY.redact_and_truncate(failure.location or "another address")
        return Bitrix24ConfigurationError(
            f"The OAuth server {self.address} redirects to {where}",
            field="extra.oauth_server",
            method=_METHOD,
            status=failure.status,
            outcome=Outcome.NOT_EXECUTED,
            conn_id=self._conn_id,
            advice="If that is Bitrix24's new address, put it into oauth_server in the connection's extra.",
        )

    def _ask(self, grant_type: str, **given: Secret) -> Tokens | Failure:
        form = {
            "grant_type": grant_type,
            "client_id": self._application.client_id,
            "client_secret": self._application.client_secret.reveal(),
            **{name: secret.reveal() for name, secret in given.items()},
        }
        found = self._send(form, "POST")
        # The documentation shows GET alone. A server that takes no POST has not looked at the token.
        return self._send(form, "GET") if _refuses_post(found) else found

    def _send(self, form: dict[str, str], verb: str) -> Tokens | Failure:
        address, query = f"{self.address}/oauth/token/", urlencode(form)
        # In the body where that is possible: proxies and servers log addresses.
        is_post = verb == "POST"
        request = HttpRequest(
            Secret(address if is_post else f"{address}?{query}"),
            query.encode() if is_post else b"",
            # Used once an hour: the server would have closed a kept connection.
            headers={"Connection": Secret("close")},
            content_type="application/x-www-form-urlencoded",
            verb=verb,
        )
        return _read(self._transport.send(request))


def _refuses_post(found: Tokens | Failure) -> bool:
    if not isinstance(found, Failure):
        return False
    return found.status == _METHOD_NOT_ALLOWED or found.code.lower() == "invalid_request"


_APPLICATION = (
    "Check login (client_id) and password (client_secret) of the connection, and that the application is "
    "still installed on the portal."
)


def default_oauth_server(portal: str) -> str:
    """Return the OAuth server of the portal's region."""
    zone = portal.rsplit(".", 1)[-1].partition(":")[0].partition("/")[0].lower()
    return _SECOND if zone in _SECOND_ZONES else _FIRST


def official_oauth_server(domain: str) -> str | None:
    """Return the address of one of Bitrix24's own OAuth servers; None when a host is not one of them.

    :param domain: a host, from outside: a secret may go to Bitrix24's own servers only.
    """
    address = f"https://{domain}"
    return address if address in {_FIRST, _SECOND} else None


def _read(reply: HttpReply | NoReply) -> Tokens | Failure:
    """Read a reply, whose success has no ``result``."""
    fields = _fields(reply)
    if (tokens := _tokens(fields)) is not None:
        return tokens
    outcome = classify(reply)
    if isinstance(outcome, Response) or (fields and not outcome.code):
        # The server answered as if it had taken the refresh token.
        return Failure(Outcome.UNKNOWN, description="the reply has no usable tokens")
    return outcome


def _fields(reply: HttpReply | NoReply) -> dict[str, Any]:
    """Return the object in a successful reply; empty when there is none."""
    if isinstance(reply, NoReply) or reply.status != _OK:
        return {}
    try:
        body = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _tokens(fields: dict[str, Any]) -> Tokens | None:
    access, refresh = fields.get("access_token"), fields.get("refresh_token")
    if not (is_token(access) and is_token(refresh)):
        return None
    return Tokens(Secret(access), Secret(refresh), str(fields.get("client_endpoint") or ""))

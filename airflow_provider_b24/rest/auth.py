"""Who calls: a webhook, whose code is part of the address, or an OAuth application's token."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

from airflow_provider_b24.exceptions import (
    Bitrix24ConfigurationError,
    Bitrix24NoAnswerError,
    Bitrix24TokenRefreshError,
    Outcome,
)
from airflow_provider_b24.rest.error_codes import RetryKind, retry_kind
from airflow_provider_b24.rest.redaction import REGISTRY, Secret, protect
from airflow_provider_b24.rest.response import Failure, Response, classify
from airflow_provider_b24.rest.shared_state import locked, state_file
from airflow_provider_b24.rest.token_store import TokenPair, TokenStore, fingerprint
from airflow_provider_b24.rest.transport import HttpReply, HttpRequest, Transport

if TYPE_CHECKING:
    from collections.abc import Callable

#: Portals in these zones are served by Bitrix24's second OAuth server.
_SECOND_ZONES = frozenset({"ru", "am", "az", "ge", "kz", "kg", "uz", "by"})
#: Seconds after which the store is read again: another host may be about to save its pair.
_REREAD_DELAYS = (0.0, 1.0, 3.0)


class Credentials(Protocol):
    """What the client needs to know of who calls."""

    portal: str

    def request(self, method: str, body: bytes) -> HttpRequest:
        """Return the request for one call."""

    def refresh(self, refused: HttpRequest) -> bool:
        """Replace the token that a request was refused for; False when there is nothing to replace.

        :raises Bitrix24Error: when the token can't be refreshed.
        """


class WebhookCredentials:
    """An inbound webhook: user id and code in the address.

    :param portal: scheme and host, for example ``https://acme.bitrix24.com``.
    :param user_id: whose webhook it is.
    :param code: the secret part of the webhook's address.
    """

    def __init__(self, *, portal: str, user_id: str, code: Secret) -> None:
        self.portal = portal
        self.user_id = user_id
        self._code = code
        protect(code)

    def request(self, method: str, body: bytes) -> HttpRequest:
        """Return the request for one call."""
        return HttpRequest(Secret(f"{self.portal}/rest/{self.user_id}/{self._code.reveal()}/{method}"), body)

    def refresh(self, refused: HttpRequest) -> bool:  # noqa: ARG002
        """Return False: a webhook's code does not expire."""
        return False


@dataclass(frozen=True)
class Application:
    """An OAuth application and the server that refreshes its tokens."""

    client_id: str
    client_secret: Secret
    oauth_server: str


class OAuthCredentials:
    """An OAuth application's token, refreshed once for all threads and processes of a host.

    :param portal: scheme and host, for example ``https://acme.bitrix24.com``.
    :param start: the pair in the connection, the first of the chain.
    :param store: where the newest pair lives.
    :param conn_id: names the lock, and the connection in errors.
    :param sleep: waits for seconds.
    """

    def __init__(
        self,
        *,
        portal: str,
        application: Application,
        start: TokenPair,
        store: TokenStore,
        transport: Transport,
        conn_id: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.portal = portal
        self._application = application
        self._start = start
        self._store = store
        self._transport = transport
        self._conn_id = conn_id
        self._sleep = sleep
        self._pair: TokenPair | None = None
        self._spent_code = ""
        protect(application.client_secret, start.access, start.refresh)

    def request(self, method: str, body: bytes) -> HttpRequest:
        """Return the request for one call; it refreshes the token first when there is none yet."""
        pair = self._pair or self._newest()
        if pair.access is None:
            pair = self._refresh_once(None)
        self._pair = pair
        return _bearer_request(self.portal, method, body, pair.access or Secret(""))

    def refresh(self, refused: HttpRequest) -> bool:
        """Refresh the token that a request was refused for, unless another thread or process has done it."""
        # Wrapped at once: tracebacks may show a frame's variables.
        refused_token = Secret(refused.headers["Authorization"].reveal().removeprefix("Bearer "))
        if self._newest().refresh is None:
            return False
        self._pair = self._refresh_once(refused_token)
        return True

    def without_refresh(self) -> TokenCredentials | None:
        """Return credentials with the newest access token alone; None when there is none yet."""
        access = self._newest().access
        return TokenCredentials(portal=self.portal, access=access) if access is not None else None

    def _newest(self) -> TokenPair:
        stored = self._store.load()
        return stored if stored is not None and stored.seed == self._start.seed else self._start

    def _refresh_once(self, refused: Secret | None) -> TokenPair:
        with locked(state_file("oauth", self._conn_id)) as file:
            pair = self._newest()
            if pair.access is not None and pair.access != refused:
                return pair
            return self._request_pair(pair, file) or self._pair_of_another_host(pair, file)

    def _request_pair(self, pair: TokenPair, file: int) -> TokenPair | None:
        """Return the new pair, saved; None when the server says that the refresh token is spent."""
        if pair.refresh is None:
            raise Bitrix24ConfigurationError(
                "The connection has no refresh_token, so its access token can't be refreshed",
                field="extra.refresh_token",
                conn_id=self._conn_id,
                advice="Put the application's refresh_token in the connection's extra.",
            )
        outcome = self._call_oauth_server(pair.refresh, file)
        if isinstance(outcome, Failure):
            if retry_kind(outcome.code) is RetryKind.REREAD:
                self._spent_code = outcome.code
                return None
            raise self._error_of(outcome)
        fresh = _new_pair(outcome.result, seed=self._start.seed)
        if fresh is None:
            raise self._refresh_error("", "the OAuth server's answer has no tokens")
        protect(fresh.access, fresh.refresh)
        self._save(fresh)
        _mark(file, "")
        return fresh

    def _save(self, pair: TokenPair) -> None:
        try:
            self._store.save(pair)
        except Exception as error:  # noqa: BLE001 - whatever a secrets backend raises, the tokens are lost
            why = f"{type(error).__name__}: {error}"
        else:
            return
        # Raised out here, because the error itself may hold what could not be saved.
        raise self._refresh_error("", f"the new tokens could not be saved ({why})")

    def _pair_of_another_host(self, spent: TokenPair, file: int) -> TokenPair:
        """Return the pair that another host has saved in place of the spent one."""
        for seconds in _REREAD_DELAYS:
            self._sleep(seconds)
            newest = self._newest()
            if newest != spent:
                return newest
        if spent.refresh is not None and _marked(file) == fingerprint(spent.refresh.reveal()):
            raise self._refresh_error(
                self._spent_code,
                "an earlier refresh spent the refresh token, and its answer was lost before it was saved",
            )
        raise self._refresh_error(self._spent_code, "the refresh token is spent or revoked")

    def _call_oauth_server(self, refresh: Secret, file: int) -> Response | Failure:
        form = {
            "grant_type": "refresh_token",
            "client_id": self._application.client_id,
            "client_secret": self._application.client_secret.reveal(),
            "refresh_token": refresh.reveal(),
        }
        request = HttpRequest(
            # In the body, not in the address, where proxies and servers would log it.
            Secret(f"{self._application.oauth_server}/oauth/token/"),
            urlencode(form).encode(),
            # Used once an hour: the server would have closed a kept connection.
            headers={"Connection": Secret("close")},
            content_type="application/x-www-form-urlencoded",
        )
        spending = fingerprint(refresh.reveal())
        was_marked = _marked(file) == spending
        _mark(file, spending)
        outcome = _classify_tokens(self._transport.send(request))
        if isinstance(outcome, Failure) and outcome.outcome is not Outcome.UNKNOWN:
            # The server did not take the token now; it may have taken it in an earlier attempt.
            _mark(file, spending if was_marked else "")
        return outcome

    def _error_of(self, failure: Failure) -> Bitrix24NoAnswerError | Bitrix24TokenRefreshError:
        if failure.outcome is Outcome.REFUSED:
            error = self._refresh_error(failure.code, failure.description, failure.status)
            error.advice = (
                "Check login (client_id) and password (client_secret) of the connection, and that the "
                "application is still installed on the portal."
            )
            return error
        return Bitrix24NoAnswerError(
            f"The OAuth server gave no usable answer: {REGISTRY.redact_and_truncate(failure.description)}",
            method="oauth/token",
            status=failure.status,
            outcome=failure.outcome,
            conn_id=self._conn_id,
        )

    def _refresh_error(self, code: str, text: str, status: int | None = None) -> Bitrix24TokenRefreshError:
        return Bitrix24TokenRefreshError(
            method="oauth/token",
            code=REGISTRY.redact_and_truncate(code),
            description=REGISTRY.redact_and_truncate(text),
            status=status,
            outcome=Outcome.REFUSED,
            conn_id=self._conn_id,
        )


class TokenCredentials:
    """An access token that is used while it lasts, for calls that must not spend a refresh token."""

    def __init__(self, *, portal: str, access: Secret) -> None:
        self.portal = portal
        self._access = access

    def request(self, method: str, body: bytes) -> HttpRequest:
        """Return the request for one call."""
        return _bearer_request(self.portal, method, body, self._access)

    def refresh(self, refused: HttpRequest) -> bool:  # noqa: ARG002
        """Return False: this token is never replaced."""
        return False


def default_oauth_server(portal: str) -> str:
    """Return the OAuth server of the portal's region."""
    zone = portal.rsplit(".", 1)[-1].partition(":")[0].partition("/")[0].lower()
    return "https://oauth.bitrix24.tech" if zone in _SECOND_ZONES else "https://oauth.bitrix.info"


def _classify_tokens(reply: Any) -> Response | Failure:
    """Read the token endpoint's reply, whose success has no ``result``."""
    if isinstance(reply, HttpReply) and reply.status == 200 and b'"access_token"' in reply.body:
        reply = HttpReply(200, b'{"result":' + reply.body + b"}")
    return classify(reply)


def _mark(file: int, spending: str) -> None:
    """Write into the lock's file which refresh token is being spent: the mark outlives a crash."""
    os.ftruncate(file, 0)
    os.pwrite(file, spending.encode(), 0)


def _marked(file: int) -> str:
    return os.pread(file, 64, 0).decode("ascii", "replace")


def _new_pair(result: Any, *, seed: str) -> TokenPair | None:
    if not isinstance(result, dict) or not result.get("access_token") or not result.get("refresh_token"):
        return None
    return TokenPair(Secret(str(result["access_token"])), Secret(str(result["refresh_token"])), seed)


def _bearer_request(portal: str, method: str, body: bytes, access: Secret) -> HttpRequest:
    token = Secret(f"Bearer {access.reveal()}")
    return HttpRequest(Secret(f"{portal}/rest/{method}"), body, {"Authorization": token})

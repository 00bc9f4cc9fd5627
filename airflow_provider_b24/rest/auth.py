"""Who calls: a webhook, whose code is part of the address, or an OAuth application's token."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Protocol

from airflow_provider_b24.exceptions import (
    Bitrix24AuthError,
    Bitrix24ConfigurationError,
    Bitrix24StateError,
    Outcome,
)
from airflow_provider_b24.rest.error_codes import RetryKind, retry_kind
from airflow_provider_b24.rest.oauth_server import OAuthServer
from airflow_provider_b24.rest.redaction import Secret, protect
from airflow_provider_b24.rest.response import Failure
from airflow_provider_b24.rest.shared_state import locked, state_file
from airflow_provider_b24.rest.token_chain import TokenChain
from airflow_provider_b24.rest.token_store import TokenPair, fingerprint
from airflow_provider_b24.rest.transport import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from airflow_provider_b24.rest.oauth_server import Application, Tokens
    from airflow_provider_b24.rest.token_store import TokenStore
    from airflow_provider_b24.rest.transport import Transport

#: Seconds after which the store is read again: another host may be about to save its pair.
_REREAD_DELAYS = (0.0, 1.0, 3.0)
#: Seconds that a save which failed before waits for the lock.
_SAVE_LOCK_SECONDS = 2.0
_AUTH_ADVICE = (
    "Check that the application is installed on the portal that host names. If it is, authorise it again: "
    "airflow bitrix24 login (before Airflow 3.2: python -m airflow_provider_b24.login)."
)


class Credentials(Protocol):
    """What the client needs to know of who calls.

    ``auth_advice`` says what to do when the portal does not accept them.
    """

    portal: str
    auth_advice: str

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

    auth_advice = Bitrix24AuthError.advice

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


class OAuthCredentials:
    """An OAuth application's token, refreshed once for all threads and processes of a host.

    :param portal: scheme and host, for example ``https://acme.bitrix24.com``.
    :param start: the pair in the connection, the first of the chain.
    :param store: where the newest pair lives.
    :param conn_id: names the lock, and the connection in errors.
    :param clock: returns seconds.
    :param sleep: waits for seconds.
    :param now: returns Unix seconds.
    """

    auth_advice = _AUTH_ADVICE

    def __init__(
        self,
        *,
        portal: str,
        application: Application,
        start: TokenPair,
        store: TokenStore,
        transport: Transport,
        conn_id: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.portal = portal
        self._server = OAuthServer(application=application, transport=transport, conn_id=conn_id)
        self._chain = TokenChain(start=start, store=store, conn_id=conn_id, clock=clock, sleep=sleep)
        self._start = start
        self._conn_id = conn_id
        self._sleep = sleep
        self._now = now
        self._pair: TokenPair | None = None
        self._spent_code = ""
        protect(application.client_secret, start.access, start.refresh)

    def request(self, method: str, body: bytes) -> HttpRequest:
        """Return the request for one call; it refreshes the token first when there is none yet."""
        self._save_again()
        pair = self._pair or self._chain.newest()
        if pair.access is None:
            pair = self._refresh_once(None)
        self._pair = pair
        return _bearer_request(self.portal, method, body, pair.access or Secret(""))

    def refresh(self, refused: HttpRequest) -> bool:
        """Refresh the token that a request was refused for, unless another thread or process has done it."""
        # Wrapped at once: tracebacks may show a frame's variables.
        refused_token = Secret(refused.headers["Authorization"].reveal().removeprefix("Bearer "))
        if self._chain.newest().refresh is None:
            return False
        self._pair = self._refresh_once(refused_token)
        return True

    def refresh_when_older(self, seconds: float) -> bool:
        """Refresh the pair when it was issued longer ago than that, or nobody knows when.

        :param seconds: the age up to which the pair stays as it is.
        :returns: whether the pair was refreshed.
        :raises Bitrix24Error: when it can't be refreshed.
        """
        with self._locked() as file:
            pair = self._chain.newest()
            if pair.issued is not None and self._now() - pair.issued <= seconds:
                return False
            self._pair = self._request_pair(pair, file) or self._pair_of_another_host(pair, file)
            return True

    @property
    def issued(self) -> float | None:
        """When the OAuth server issued the newest pair, in Unix seconds; None when nobody knows."""
        return self._chain.newest().issued

    def without_refresh(self) -> TokenCredentials | None:
        """Return credentials with the newest access token alone; None when there is none yet.

        :raises Bitrix24ConfigurationError: when there is no refresh token either.
        """
        pair = self._chain.newest()
        if pair.access is None and pair.refresh is None:
            raise self._no_refresh_token()
        access = pair.access
        return TokenCredentials(portal=self.portal, access=access) if access is not None else None

    def _save_again(self) -> None:
        """Save the pair that could not be saved when it was new, once its time has come."""
        if not self._chain.is_save_due:
            return
        try:
            with self._locked(limit=_SAVE_LOCK_SECONDS) as file:
                if self._chain.is_save_due and self._chain.save_again():
                    _mark(file, "")
        except Bitrix24StateError:
            # This process has the pair, so that the call need not wait.
            self._chain.postpone_save()

    def _refresh_once(self, refused: Secret | None) -> TokenPair:
        with self._locked() as file:
            pair = self._chain.newest()
            if pair.access is not None and pair.access != refused:
                return pair
            return self._request_pair(pair, file) or self._pair_of_another_host(pair, file)

    def _locked(self, *, limit: float | None = None) -> AbstractContextManager[int]:
        return locked(state_file("oauth", self._conn_id), limit=limit)

    def _request_pair(self, pair: TokenPair, file: int) -> TokenPair | None:
        """Return the new pair, saved; None when the server says that the refresh token is spent."""
        if pair.refresh is None:
            raise self._no_refresh_token()
        outcome = self._spend(pair.refresh, file)
        if isinstance(outcome, Failure):
            if retry_kind(outcome.code) is RetryKind.REREAD:
                self._spent_code = outcome.code
                return None
            raise self._server.error(outcome)
        protect(outcome.access, outcome.refresh)
        fresh = TokenPair(outcome.access, outcome.refresh, self._start.seed, self._now())
        if self._chain.save(fresh):
            _mark(file, "")
        return fresh

    def _no_refresh_token(self) -> Bitrix24ConfigurationError:
        return Bitrix24ConfigurationError(
            "The connection has no refresh_token to get access tokens with",
            field="extra.refresh_token",
            conn_id=self._conn_id,
            advice="Authorise the application: airflow bitrix24 login (before Airflow 3.2: "
            "python -m airflow_provider_b24.login).",
        )

    def _spend(self, refresh: Secret, file: int) -> Tokens | Failure:
        """Send the refresh token to the OAuth server, and leave a mark while that may have spent it."""
        spending = fingerprint(refresh.reveal())
        was_marked = _marked(file) == spending
        _mark(file, spending)
        outcome = self._server.refresh(refresh)
        if isinstance(outcome, Failure) and outcome.outcome is not Outcome.UNKNOWN:
            # The server did not take the token now; it may have taken it in an earlier attempt.
            _mark(file, spending if was_marked else "")
        return outcome

    def _pair_of_another_host(self, spent: TokenPair, file: int) -> TokenPair:
        """Return the pair that another host has saved in place of the spent one."""
        for seconds in _REREAD_DELAYS:
            self._sleep(seconds)
            newest = self._chain.newest()
            if newest != spent:
                return newest
        if spent.refresh is not None and _marked(file) == fingerprint(spent.refresh.reveal()):
            why = "an earlier refresh spent the refresh token, and its answer was lost before it was saved"
        else:
            why = "the refresh token is spent or revoked"
        raise self._server.refusal(self._spent_code, why)


class TokenCredentials:
    """An access token that is used while it lasts, for calls that must not spend a refresh token."""

    auth_advice = _AUTH_ADVICE

    def __init__(self, *, portal: str, access: Secret) -> None:
        self.portal = portal
        self._access = access

    def request(self, method: str, body: bytes) -> HttpRequest:
        """Return the request for one call."""
        return _bearer_request(self.portal, method, body, self._access)

    def refresh(self, refused: HttpRequest) -> bool:  # noqa: ARG002
        """Return False: this token is never replaced."""
        return False


def _mark(file: int, spending: str) -> None:
    """Write into the lock's file which refresh token is being spent: the mark outlives a crash."""
    os.ftruncate(file, 0)
    os.pwrite(file, spending.encode(), 0)


def _marked(file: int) -> str:
    return os.pread(file, 64, 0).decode("ascii", "replace")


def _bearer_request(portal: str, method: str, body: bytes, access: Secret) -> HttpRequest:
    token = Secret(f"Bearer {access.reveal()}")
    return HttpRequest(Secret(f"{portal}/rest/{method}"), body, {"Authorization": token})

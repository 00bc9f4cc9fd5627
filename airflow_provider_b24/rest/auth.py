"""Who calls: a webhook, whose code is part of the address, or an OAuth application's token."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from airflow_provider_b24.exceptions import Bitrix24AuthError
from airflow_provider_b24.rest.oauth_server import OAuthServer
from airflow_provider_b24.rest.redaction import Secret, protect
from airflow_provider_b24.rest.shared_state import shared_state
from airflow_provider_b24.rest.token_chain import TokenChain
from airflow_provider_b24.rest.token_refresh import TokenRefresher
from airflow_provider_b24.rest.token_replacement import TokenReplacement
from airflow_provider_b24.rest.transport import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.oauth_server import Application
    from airflow_provider_b24.rest.shared_state import SharedState
    from airflow_provider_b24.rest.token_store import TokenPair, TokenStore
    from airflow_provider_b24.rest.transport import Transport

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

    def refresh(self, refused: HttpRequest) -> TokenReplacement:
        """Replace the token that a request was refused for, if there is another one.

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

    def refresh(self, refused: HttpRequest) -> TokenReplacement:  # noqa: ARG002
        """Replace nothing: a webhook's code does not expire."""
        return TokenReplacement.NONE


class OAuthCredentials:
    """An OAuth application's token, refreshed once for all threads, processes and hosts that share the state.

    :param portal: scheme and host, for example ``https://acme.bitrix24.com``.
    :param start: the pair in the connection, the first of the chain.
    :param store: where the newest pair lives.
    :param conn_id: names the lock, and the connection in errors.
    :param state: what processes share; None: what Airflow's configuration says.
    :param exchange_seconds: how long one exchange with the OAuth server may take.
    :param clock: returns seconds of a clock that is never set.
    :param wall_clock: returns Unix seconds.
    :param sleep: waits for seconds.
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
        state: SharedState | None = None,
        exchange_seconds: float = 70.0,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        protect(application.client_secret, start.access, start.refresh)
        self.portal = portal
        self._chain = TokenChain(start=start, store=store, conn_id=conn_id, clock=clock, sleep=sleep)
        self._refresher = TokenRefresher(
            chain=self._chain,
            server=OAuthServer(application=application, transport=transport, conn_id=conn_id),
            state=state or shared_state(),
            lock_name=lock_name(conn_id=conn_id, portal=portal, client_id=application.client_id),
            seed=start.seed,
            conn_id=conn_id,
            exchange_seconds=exchange_seconds,
            clock=wall_clock,
            sleep=sleep,
        )
        self._pair: TokenPair | None = None

    def request(self, method: str, body: bytes) -> HttpRequest:
        """Return the request for one call; it refreshes the token first when there is none yet."""
        self._refresher.save_again()
        pair = self._pair or self._chain.newest()
        if pair.access is None:
            pair, _ = self._refresher.refresh(None)
        self._pair = pair
        return _bearer_request(self.portal, method, body, pair.access or Secret(""))

    def refresh(self, refused: HttpRequest) -> TokenReplacement:
        """Refresh the token that a request was refused for, unless another thread or process has done it."""
        # Wrapped at once: tracebacks may show a frame's variables.
        refused_token = Secret(refused.headers["Authorization"].reveal().removeprefix("Bearer "))
        if self._chain.newest().refresh is None:
            return TokenReplacement.NONE
        self._pair, refreshed = self._refresher.refresh(refused_token)
        return TokenReplacement.REFRESHED if refreshed else TokenReplacement.TAKEN_OVER

    def refresh_when_older(self, seconds: float) -> bool:
        """Refresh the pair when it was issued longer ago than that, or nobody knows when.

        :param seconds: the age up to which the pair stays as it is.
        :returns: whether the pair was refreshed.
        :raises Bitrix24Error: when it can't be refreshed.
        """
        self._pair, refreshed = self._refresher.refresh_when_older(seconds)
        return refreshed

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
            raise self._refresher.no_refresh_token()
        access = pair.access
        return TokenCredentials(portal=self.portal, access=access) if access is not None else None


class TokenCredentials:
    """An access token that is used while it lasts, for calls that must not spend a refresh token."""

    auth_advice = _AUTH_ADVICE

    def __init__(self, *, portal: str, access: Secret) -> None:
        self.portal = portal
        self._access = access

    def request(self, method: str, body: bytes) -> HttpRequest:
        """Return the request for one call."""
        return _bearer_request(self.portal, method, body, self._access)

    def refresh(self, refused: HttpRequest) -> TokenReplacement:  # noqa: ARG002
        """Replace nothing: this token is used as long as it lasts."""
        return TokenReplacement.NONE


def lock_name(*, conn_id: str, portal: str, client_id: str) -> str:
    """Return the name of the lock under which a chain of tokens is refreshed.

    A Redis may be shared by Airflow installations whose connections have the same id.
    """
    return f"{conn_id} {portal} {client_id}"


def _bearer_request(portal: str, method: str, body: bytes, access: Secret) -> HttpRequest:
    token = Secret(f"Bearer {access.reveal()}")
    return HttpRequest(Secret(f"{portal}/rest/{method}"), body, {"Authorization": token})

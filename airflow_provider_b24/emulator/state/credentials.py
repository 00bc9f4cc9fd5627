"""Who may call: the incoming webhook and the OAuth application."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.context import PortalContext
    from airflow_provider_b24.emulator.state.people import People, User

ALL_SCOPES = ("im", "imconnector", "imopenlines", "user", "user_basic", "vote", "crm")
MEMBER_ID = "a223c6b3710f85df22e9377d6c4f7553"


@dataclass(slots=True)
class Credential:
    """Who calls: the user, the scopes, and the application if it is one."""

    kind: str
    key: str
    user: User
    scopes: set[str]
    client_id: str | None = None


@dataclass(slots=True)
class Webhook:
    """An incoming webhook, made for one user."""

    user_id: int
    code: str
    scopes: set[str] = field(default_factory=lambda: set(ALL_SCOPES))


@dataclass(slots=True)
class Token:
    """An access token and when it expires."""

    user_id: int
    expires: float


@dataclass(slots=True)
class Application:
    """A local OAuth application, installed by the administrator."""

    client_id: str
    client_secret: str
    access_token: str
    refresh_token: str
    oauth_server: str = ""
    scopes: set[str] = field(default_factory=lambda: set(ALL_SCOPES))
    # Seconds for which an access token lives.
    lifetime: float = 3600.0
    user_id: int = 1


def _random(length: int) -> str:
    return secrets.token_hex((length + 1) // 2)[:length]


class Credentials:
    """The portal's webhooks, application and tokens."""

    def __init__(self, context: PortalContext, people: People, *, webhook_code: str | None = None) -> None:
        self._context = context
        self._people = people
        self.webhook = Webhook(1, webhook_code or _random(16))
        self._webhooks = [self.webhook]
        self.application = Application(
            client_id=f"local.{_random(14)}.{_random(8)}",
            client_secret=_random(50),
            access_token="",
            refresh_token="",
        )
        self._tokens: dict[str, Token] = {}
        # Every refresh token ever issued: when it was used, or None.
        self._refresh_tokens: dict[str, float | None] = {}
        self.issue()

    def add_webhook(self, user_id: int) -> Webhook:
        """Make an incoming webhook of an employee.

        :raises LookupError: there is no such employee.
        """
        user = self._people.get(user_id)
        if user is None or user.external:
            raise LookupError(f"there is no employee {user_id}")
        webhook = Webhook(user_id, _random(16))
        self._webhooks.append(webhook)
        return webhook

    def issue(self) -> Application:
        """Issue a new pair of tokens to the application."""
        application = self.application
        application.access_token = _random(70)
        application.refresh_token = _random(70)
        expires = self._context.clock() + application.lifetime
        self._tokens[application.access_token] = Token(application.user_id, expires)
        self._refresh_tokens[application.refresh_token] = None
        return application

    def use_refresh_token(self, refresh_token: str) -> bool:
        """Spend a refresh token; False if it is unknown or was spent before."""
        if refresh_token not in self._refresh_tokens:
            return False
        used, now = self._refresh_tokens[refresh_token], self._context.clock()
        if used is not None:
            return now - used < self._context.quirks.refresh_grace
        self._refresh_tokens[refresh_token] = now
        return True

    def token_expires(self, access_token: str) -> float:
        """Return the Unix time at which a token expires."""
        return self._tokens[access_token].expires

    def expire_access_tokens(self) -> None:
        """Expire all access tokens now."""
        for token in self._tokens.values():
            token.expires = min(token.expires, self._context.clock())

    def by_webhook(self, login: str, code: str) -> Credential:
        """Return what the webhook in the path grants.

        :raises ApiError: it is no webhook of this portal.
        """
        # All are compared, so that the time tells nothing of the codes.
        matches = [
            hook for hook in self._webhooks if secrets.compare_digest(code.encode(), hook.code.encode())
        ]
        hook = matches[0] if matches else None
        user = None if hook is None else self._people.get(hook.user_id)
        if hook is None or user is None or login not in {str(hook.user_id), user.email}:
            raise ApiError("INVALID_CREDENTIALS", "Invalid request credentials", 401)
        return Credential("webhook", f"webhook:{hook.user_id}", user, hook.scopes)

    def by_token(self, access_token: str | None) -> Credential:
        """Return what an access token grants.

        :raises ApiError: there is none, or it is unknown or has expired.
        """
        if not access_token:
            raise ApiError("NO_AUTH_FOUND", "Wrong authorization data", 401)
        token = self._tokens.get(access_token)
        if token is None:
            raise ApiError("invalid_token", "Unable to get application by token", 401)
        if token.expires <= self._context.clock():
            raise ApiError("expired_token", "The access token provided has expired", 401)
        user = self._people.get(token.user_id)
        if user is None:
            raise ApiError("authorization_error", "Unable to authorize user", 401)
        application = self.application
        return Credential(
            "oauth", f"oauth:{application.client_id}", user, application.scopes, application.client_id
        )

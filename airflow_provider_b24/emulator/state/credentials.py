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
#: Seconds for which an authorisation code lives.
CODE_LIFETIME = 30.0
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
class RefreshToken:
    """A refresh token: whose it is, when it was issued, and when it was used."""

    user_id: int
    issued: float
    used: float | None = None


@dataclass(slots=True)
class Code:
    """An authorisation code: who has allowed the application, and until when it works."""

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
    # Seconds for which a refresh token lives: 180 days.
    refresh_lifetime: float = 15_552_000.0
    user_id: int = 1
    name: str = "Airflow"
    # Where the portal sends a person with a code: a setting of the application, not of the request.
    redirect_uri: str = ""
    installed: bool = True
    # A person who has allowed it before is redirected without a click.
    authorize_at_once: bool = False


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
        # Every refresh token ever issued.
        self._refresh_tokens: dict[str, RefreshToken] = {}
        self._codes: dict[str, Code] = {}
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

    def issue(self, user_id: int | None = None) -> Application:
        """Issue a new pair of tokens to the application.

        :param user_id: whom the application acts as; None: the same as before.
        """
        application = self.application
        application.user_id = application.user_id if user_id is None else user_id
        application.access_token = _random(70)
        application.refresh_token = _random(70)
        now = self._context.clock()
        token = Token(application.user_id, now + application.lifetime)
        self._tokens[application.access_token] = token
        self._refresh_tokens[application.refresh_token] = RefreshToken(application.user_id, now)
        return application

    def use_refresh_token(self, refresh_token: str) -> int | None:
        """Spend a refresh token; None if it is unknown, has expired or was spent before.

        :returns: the id of the user that the application acts as.
        """
        token, now = self._refresh_tokens.get(refresh_token), self._context.clock()
        if token is None or now >= token.issued + self.application.refresh_lifetime:
            return None
        if token.used is not None and now - token.used >= self._context.quirks.refresh_grace:
            return None
        token.used = now if token.used is None else token.used
        return token.user_id

    def issue_code(self, user_id: int) -> str:
        """Issue the code that a person who allows the application is redirected with."""
        code = _random(70)
        self._codes[code] = Code(user_id, self._context.clock() + CODE_LIFETIME)
        return code

    def use_code(self, code: str) -> int | None:
        """Spend an authorisation code; None if it is unknown, has expired or was spent before.

        :returns: the id of the user who has allowed the application.
        """
        found = self._codes.pop(code, None)
        return found.user_id if found is not None and self._context.clock() < found.expires else None

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

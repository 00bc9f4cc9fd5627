"""The methods that the portal answers, and what a handler is given and may return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.dispatch import Dispatcher
    from airflow_provider_b24.emulator.state.credentials import Credential
    from airflow_provider_b24.emulator.state.journal import Request
    from airflow_provider_b24.emulator.state.people import User
    from airflow_provider_b24.emulator.state.portal import Portal


class ApiError(Exception):
    """A refusal: becomes ``{"error": code, "error_description": description, **extra}``."""

    def __init__(
        self, code: str, description: str, status: int = 400, extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.status = status
        self.extra = extra or {}

    def body(self) -> dict[str, Any]:
        """Return the reply's body."""
        return {"error": self.code, "error_description": self.description, **self.extra}


@dataclass(slots=True)
class Call:
    """One call of one method, as its handler sees it."""

    portal: Portal
    user: User
    params: dict[str, Any]
    start: int | None
    credential: Credential
    method: str
    dispatcher: Dispatcher
    request: Request

    @property
    def by_application(self) -> bool:
        """Whether an OAuth application calls, and not a webhook."""
        return self.credential.client_id is not None

    @property
    def client_id(self) -> str | None:
        """The calling application, if it is one."""
        return self.credential.client_id


@dataclass(slots=True)
class Page:
    """A result with the server's ``total`` and ``next`` beside it."""

    items: object
    total: int | None = None
    next: int | None = None


@dataclass(slots=True)
class RawBody:
    """A reply that is a file and not JSON."""

    content: bytes
    content_type: str
    filename: str


@dataclass(slots=True)
class Unwrapped:
    """An error that goes out as the whole body with HTTP 200, as classic callbacks do."""

    body: dict[str, Any]


@dataclass(slots=True)
class InFlight:
    """A call that has begun and not finished; the ``hold`` fault keeps it so."""

    finish: Callable[[], object]


Handler = Callable[[Call], object]


@dataclass(frozen=True, slots=True)
class Method:
    """A registered method."""

    name: str
    scope: str
    application_only: bool
    safe_in_batch: bool
    engine: bool
    handler: Handler


METHODS: dict[str, Method] = {}


def method(
    name: str,
    *,
    scope: str = "",
    application_only: bool = False,
    safe_in_batch: bool = True,
    engine: bool = False,
) -> Callable[[Handler], Handler]:
    """Register a handler; an empty scope is open to everyone who is authorised.

    ``engine`` marks the methods of newer controllers, whose error texts may end
    with " (internal error)".
    """

    def register(handler: Handler) -> Handler:
        METHODS[name.lower()] = Method(name, scope, application_only, safe_in_batch, engine, handler)
        return handler

    return register


def find(name: str) -> Method | None:
    """Return the method of this name, in whatever case it is written."""
    return METHODS.get(name.lower())

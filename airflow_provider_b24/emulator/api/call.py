"""What the handler of a method is given, and what it may return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator.state.credentials import Credential
    from airflow_provider_b24.emulator.state.journal import Request
    from airflow_provider_b24.emulator.state.people import User
    from airflow_provider_b24.emulator.state.portal import Portal


@dataclass(slots=True)
class Call:
    """One call of one method, as its handler sees it."""

    portal: Portal
    user: User
    params: dict[str, Any]
    start: int | None
    credential: Credential
    method: str
    request: Request
    # Runs another method for the same caller and returns its whole body.
    run_command: Callable[[Call, str, dict[str, Any]], dict[str, Any]]
    # Divides the queue of offline events.
    auth_connector: str = ""

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

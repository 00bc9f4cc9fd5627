"""The methods that the portal answers, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_b24.emulator.api.call import Call

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

"""A probe: one thing that the provider holds true of a portal, and the function that looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_b24.conformance.trial import Trial

#: Looks at a portal and says in a few fixed words what it does.
Look = Callable[["Trial"], str]


class Auth(StrEnum):
    """Which connection a probe needs."""

    ANY = "any"
    WEBHOOK = "a webhook"
    APPLICATION = "an application"


@dataclass(frozen=True)
class Probe:
    """One thing that the provider holds true of a portal.

    :param id: its name, ``area.thing``.
    :param title: what is looked at.
    :param holds: what we hold true; several where the provider takes each of them as it comes.
    :param depends: what in the provider depends on it.
    :param otherwise: what the provider does on a portal that differs.
    :param look: looks, and says what this portal does.
    :param writes: whether it posts or changes something, or would if the portal differed.
    :param auth: which connection it needs.
    :param on_line: whether it needs the id of an open line.
    """

    id: str
    title: str
    holds: tuple[str, ...]
    depends: str
    otherwise: str
    look: Look
    writes: bool
    auth: Auth
    on_line: bool

    @property
    def held(self) -> str:
        """What we hold true, as text."""
        return " or ".join(self.holds)


#: All probes, in the order in which their areas are imported.
PROBES: list[Probe] = []


def probe(
    name: str,
    title: str,
    *holds: str,
    depends: str,
    otherwise: str,
    writes: bool = False,
    auth: Auth = Auth.ANY,
    on_line: bool = False,
) -> Callable[[Look], Look]:
    """Register a function as a probe; a decorator.

    :param name: its name, ``area.thing``.
    :param title: what is looked at.
    :param holds: what we hold true, in the words that the function returns.
    :param depends: what in the provider depends on it.
    :param otherwise: what the provider does on a portal that differs.
    :param writes: whether it posts or changes something, or would if the portal differed.
    :param auth: which connection it needs.
    :param on_line: whether it needs the id of an open line.
    """

    def register(look: Look) -> Look:
        PROBES.append(Probe(name, title, holds, depends, otherwise, look, writes, auth, on_line))
        return look

    return register

"""A conformance run against an emulator of any kind, without waiting."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.conformance.areas import PROBES
from airflow_provider_b24.conformance.cleanup import clean_up
from airflow_provider_b24.conformance.recorder import RecordedPortal
from airflow_provider_b24.conformance.runner import Row, run
from airflow_provider_b24.conformance.trial import Trial
from airflow_provider_b24.emulator import Emulator
from airflow_provider_b24.emulator.state.quirks import Quirks
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.polls.draft import ANONYMOUS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TITLE = "Zebra quarterly"
#: More than a page, so that every probe has something to look at.
MESSAGES = 55


@dataclass
class Clock:
    """The real time, and what was slept."""

    slept: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


@dataclass
class Site:
    """A portal with a chat that has a past."""

    portal: Emulator
    clock: Clock
    chat_id: int
    line_id: int
    monkeypatch: pytest.MonkeyPatch
    extra: dict[str, Any] = field(default_factory=dict)

    def connect(self, auth: str = "webhook") -> str:
        """Return the id of a connection that leads here."""
        fields = self.portal.connection(auth=auth)
        fields["extra"] = {**fields["extra"], "plan": "self_hosted", **self.extra}
        self.monkeypatch.setenv("AIRFLOW_CONN_B24_SITE", json.dumps(fields))
        return "b24_site"

    def trial(self, auth: str = "webhook") -> Trial:
        """Return a trial of this portal."""
        hook = Bitrix24Hook(self.connect(auth))
        return Trial(
            portal=RecordedPortal(hook),
            chat_id=self.chat_id,
            account_id=hook.account_id,
            scopes=frozenset(hook.call("scope")),
            is_application=hook.settings.is_application,
            anonymous_value=hook.settings.anonymous_value or ANONYMOUS,
            line_id=self.line_id,
            sleep=self.clock.sleep,
        )

    def rows(self, auth: str = "webhook", *, read_only: bool = False) -> dict[str, Row]:
        """Run all probes, clean up, and return the rows by the probes' ids."""
        trial = self.trial(auth)
        rows = {row.probe.id: row for row in run(PROBES, trial, read_only=read_only)}
        assert clean_up(trial) == 0
        return rows


@contextmanager
def opened(quirks: Quirks, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Open a portal of a kind, with a chat that has a past."""
    clock = Clock()
    with Emulator(plan="none", quirks=quirks, clock=clock) as portal:
        chat_id = portal.add_chat(TITLE, members=[1, 2, 3])
        for number in range(MESSAGES):
            portal.say(chat_id, 2, f"Message {number}")
        line_id = next(iter(portal.portal.lines)).id
        yield Site(portal, clock, chat_id, line_id, monkeypatch)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with opened(Quirks(), monkeypatch) as found:
        yield found


@pytest.fixture(scope="session")
def make_rows(
    airflow_database: None, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., dict[str, Row]]:
    """Run all probes against a fresh portal of a kind, and return the rows by the probes' ids."""

    def make(quirks: Quirks, auth: str = "webhook", *, read_only: bool = False) -> dict[str, Row]:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("BITRIX24_STATE_DIR", str(tmp_path_factory.mktemp("state") / "own"))
            with opened(quirks, monkeypatch) as found:
                return found.rows(auth, read_only=read_only)

    return make

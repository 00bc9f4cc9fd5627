"""The state of one portal, in memory, under one lock."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from airflow_provider_b24.emulator.state.chats import Chats
from airflow_provider_b24.emulator.state.credentials import Credentials
from airflow_provider_b24.emulator.state.ids import Ids
from airflow_provider_b24.emulator.state.lines import Lines
from airflow_provider_b24.emulator.state.people import People
from airflow_provider_b24.emulator.state.polls import Polls
from airflow_provider_b24.emulator.state.quirks import Quirks
from airflow_provider_b24.emulator.state.texts import text
from airflow_provider_b24.emulator.state.uuids import Uuids

if TYPE_CHECKING:
    from collections.abc import Callable

COLLEAGUES = (
    ("Anna Petrova", "Analyst"),
    ("Boris Klein", "Data engineer"),
    ("Clara Moreau", "Product owner"),
    ("David Okafor", "Operations"),
    ("Elena Rossi", "Support"),
)


class Portal:
    """Everything that the portal knows; ``clock`` is Unix time and may be a test's own."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        seed: int = 0,
        webhook_code: str | None = None,
        quirks: Quirks | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.random = random.Random(seed)
        self.quirks = quirks or Quirks()
        self.ids = Ids()
        self.url = ""
        self.people = People(self)
        self.chats = Chats(self)
        self.polls = Polls(self)
        self.uuids = Uuids(self)
        self.credentials = Credentials(self, webhook_code=webhook_code)
        self.lines = Lines(self)

    def say(self, key: str, **values: object) -> str:
        """Return a text in the portal's language."""
        return text(key, language=self.quirks.language, **values)

    def populate(self) -> None:
        """Fill the default world: a service account, five colleagues, a chat, an open line."""
        self.people.add("Airflow Service", user_id=1, position="Service account", admin=True)
        for number, (name, position) in enumerate(COLLEAGUES, start=2):
            self.people.add(name, user_id=number, position=position)
        everybody = [user.id for user in self.people.employees()]
        self.chats.add("General", members=everybody)
        self.lines.add("Support")

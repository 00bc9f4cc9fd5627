"""The state of one portal, in memory, under one lock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_b24.emulator.state.chats import Chats
from airflow_provider_b24.emulator.state.context import PortalContext
from airflow_provider_b24.emulator.state.credentials import Credentials
from airflow_provider_b24.emulator.state.events.events import Events
from airflow_provider_b24.emulator.state.open_lines.line_events import LineEvents
from airflow_provider_b24.emulator.state.open_lines.lines import Lines
from airflow_provider_b24.emulator.state.options import Options
from airflow_provider_b24.emulator.state.people import People
from airflow_provider_b24.emulator.state.polls import Polls
from airflow_provider_b24.emulator.state.uuids import Uuids

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_b24.emulator.state.credentials import Webhook
    from airflow_provider_b24.emulator.state.quirks import Quirks

COLLEAGUES = (
    ("Anna Petrova", "Analyst"),
    ("Boris Klein", "Data engineer"),
    ("Clara Moreau", "Product owner"),
    ("David Okafor", "Operations"),
    ("Elena Rossi", "Support"),
)


class Portal(PortalContext):
    """Everything that the portal holds.

    :param clock: returns Unix time; a test may pass a clock of its own.
    :param webhook_code: the secret of the webhook; None: a random one.
    :param quirks: which kind of portal this is.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        webhook_code: str | None = None,
        quirks: Quirks | None = None,
    ) -> None:
        super().__init__(clock=clock, quirks=quirks)
        self.url = ""
        self.people = People(self)
        self.chats = Chats(self)
        self.polls = Polls(self, self.chats)
        self.uuids = Uuids(self)
        self.credentials = Credentials(self, self.people, webhook_code=webhook_code)
        self.options = Options()
        self.lines = Lines(self, people=self.people, chats=self.chats, credentials=self.credentials)
        self.events = Events(self)
        told = LineEvents(self.events, lines=self.lines, people=self.people)
        self.chats.on_post(told.on_post)
        self.lines.conversations.on_session(told.on_session)

    def webhook_url(self, webhook: Webhook) -> str:
        """Return the address of a webhook, to which a method's name is added."""
        return f"{self.url}/rest/{webhook.user_id}/{webhook.code}/"

    def populate(self, people: int | Sequence[str] = len(COLLEAGUES)) -> None:
        """Fill the default world: a service account, its colleagues, a chat of all, an open line.

        :param people: the colleagues: how many, or their names.
        """
        self.people.add("Airflow Service", user_id=1, position="Service account", admin=True)
        for number, (name, position) in enumerate(_colleagues(people), start=2):
            self.people.add(name, user_id=number, position=position)
        employees = [user.id for user in self.people.employees()]
        self.chats.add("General", members=employees)
        self.lines.add("Support")


def _colleagues(people: int | Sequence[str]) -> list[tuple[str, str]]:
    if not isinstance(people, int):
        return [(name, "") for name in people]
    more = [(f"Colleague {number}", "") for number in range(len(COLLEAGUES) + 1, people + 1)]
    return [*COLLEAGUES[:people], *more]

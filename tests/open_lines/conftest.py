"""An outside shop with a connector on the portal's open line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.open_lines.api import OpenLinesApi
from tests.support.clients import client_of

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.rest.client import Bitrix24Client

NOW = 1_800_000_000.0


class Shop:
    """The shop's connector, and what arrives through it."""

    def __init__(self, portal: Emulator, client: Bitrix24Client) -> None:
        self.portal = portal
        #: The seconds that were waited for.
        self.slept: list[float] = []
        self.line = next(iter(portal.lines)).id
        #: The worker's clock, which goes as the portal's does.
        self.now = time.time()
        self.api = OpenLinesApi(client, clock=lambda: self.now, sleep=self.slept.append)
        portal.lines.install_connector("shop", self.line)

    def send(self, messages: Any) -> Any:
        return self.api.send(connector="shop", line=self.line, messages=messages)

    def update(self, messages: Any) -> Any:
        return self.api.update(connector="shop", line=self.line, messages=messages)

    def delete(self, messages: Any) -> Any:
        return self.api.delete(connector="shop", line=self.line, messages=messages)

    @property
    def texts(self) -> list[str]:
        """What the line's conversations hold."""
        return [message.text for message in self.portal.lines.messages(self.line)]


def message(number: int = 1, *, user: str = "u1", **fields: Any) -> dict[str, Any]:
    """The shop's message of this number."""
    return {
        "user": {"id": user, "name": "Ann"},
        "message": {"id": f"m{number}", "text": f"Text {number}", **fields},
        "chat": {"id": "c1"},
    }


@pytest.fixture
def shop(portal: Emulator) -> Shop:
    """The shop's connector on the portal's line."""
    return Shop(portal, client_of(portal, auth="oauth"))

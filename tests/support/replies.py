"""Operators of an open line, who reply to customers of a shop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

REPLY = "ONIMCONNECTORMESSAGEADD"


class Replies:
    """A line with the shop's connector, and a customer's conversation in it.

    :param portal: the emulator.
    """

    def __init__(self, portal: Emulator) -> None:
        self.portal = portal
        self.line = portal.lines.add("Shop")
        portal.lines.install_connector("shop", self.line)
        self.chat = self.open("ticket-7")

    def open(self, outside_chat: str) -> int:
        """Let a customer write, and return the chat."""
        row = {
            "user": {"id": f"u-{outside_chat}", "name": "Maria"},
            "message": {"id": f"m-{outside_chat}", "text": "Where is my order?"},
            "chat": {"id": outside_chat, "name": outside_chat},
        }
        params = {"CONNECTOR": "shop", "LINE": self.line, "MESSAGES": [row]}
        headers = {"Authorization": f"Bearer {self.portal.application.access_token}"}
        sent = requests.post(
            f"{self.portal.url}/rest/imconnector.send.messages", json=params, headers=headers, timeout=10
        ).json()
        return int(sent["result"]["DATA"]["RESULT"][0]["session"]["CHAT_ID"])

    def say(self, *texts: str, user_id: int = 2) -> list[int]:
        """Reply as an operator, and return the messages' ids."""
        return [self.portal.lines.reply(self.chat, text, user_id=user_id).id for text in texts]

    def queue(self) -> list[Any]:
        """Return what is in the queue."""
        return list(self.portal.portal.events.queue)

    def reserved(self) -> int:
        """Return how many events are reserved."""
        return sum(bool(record.process_id) for record in self.queue())

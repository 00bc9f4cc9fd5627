"""A shop's connector on the emulated portal, set up and used as an application does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from benchmarks.portal import Portal

CONNECTOR = "shop"
REPLY = "ONIMCONNECTORMESSAGEADD"


class Connector:
    """An application with a connector on the portal's first line.

    :param portal: the emulated portal.
    """

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self.line = int(portal.control("GET", "state")["lines"][0]["id"])

    def set_up(self) -> None:
        """Register the connector, switch it on, and subscribe to operators' replies."""
        self.call(
            "imconnector.register",
            ID=CONNECTOR,
            NAME="Shop",
            ICON={"DATA_IMAGE": "data:image/svg+xml,%3Csvg/%3E"},
            PLACEMENT_HANDLER="https://shop.example/bitrix24",
        )
        self.call("imconnector.activate", CONNECTOR=CONNECTOR, LINE=self.line, ACTIVE=1)
        self.call("event.bind", event=REPLY, event_type="offline")

    def write(self, outside_chat: str) -> int:
        """Let a customer write, and return the chat."""
        row = {
            "user": {"id": f"u-{outside_chat}", "name": "Maria"},
            "message": {"id": f"m-{outside_chat}", "text": "Where is my order?"},
            "chat": {"id": outside_chat, "name": outside_chat},
        }
        sent = self.call("imconnector.send.messages", CONNECTOR=CONNECTOR, LINE=self.line, MESSAGES=[row])
        return int(sent["DATA"]["RESULT"][0]["session"]["CHAT_ID"])

    def queue(self) -> list[dict[str, Any]]:
        """Return what waits in the queue of offline events."""
        return list(self._portal.control("GET", "events")["queue"])

    def call(self, method: str, **params: Any) -> Any:
        """Call a method as the application."""
        headers = {"Authorization": f"Bearer {self._portal.oauth['extra']['access_token']}"}
        reply = requests.post(
            f"{self._portal.url}/rest/{method}", json=params, headers=headers, timeout=30
        ).json()
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply}")
        return reply["result"]

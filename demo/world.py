"""The portal's data for the examples: a team, a connector on a line, the messages of a night."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from pathlib import Path

    from demo.processes import Processes

CONNECTOR = "shop"
VOTERS = 5
_NIGHT = (
    ("anna", "Anna", "Where is my parcel?"),
    ("boris", "Борис", "Спасибо, всё пришло!"),
    ("mallory", "Mallory", "Buy cheap watches"),
    ("chen", "Chen", "Can I change the colour?"),
)
_BLOCKED = "mallory"


class Portal:
    """The emulated portal in its own process."""

    def __init__(self, *, folder: Path, processes: Processes) -> None:
        self._folder = folder
        self._processes = processes
        self._session = requests.Session()
        self._session.trust_env = False
        self.connections: dict[str, Any] = {}

    def start(self, *, port: int, vote_every: float) -> None:
        """Start the emulator with scripted voters."""
        file = self._folder / "connections.json"
        self._processes.start(
            "emulator",
            *(sys.executable, "-m", "airflow_provider_b24.emulator", "--port", str(port)),
            *("--voters", str(VOTERS), "--vote-every", str(vote_every), "--seed", "24"),
            *("--connection-file", str(file)),
        )
        while not file.exists():
            self._processes.check()
            time.sleep(0.05)
        self.connections = json.loads(file.read_text())

    @property
    def url(self) -> str:
        """The address of the portal and of its page."""
        return str(self.connections["url"])

    def prepare(self) -> dict[str, dict[str, Any]]:
        """Prepare the portal and return the configuration of each example's run."""
        state = self.state()
        chat = state["chats"][0]["id"]
        line = state["lines"][0]["id"]
        self._install_connector(line)
        self._control("reject", {"user": _BLOCKED, "reason": "The user is blocked by the portal"})
        outbox = self._folder / "messages.json"
        outbox.write_text(json.dumps(_messages(), ensure_ascii=False), encoding="utf-8")
        return {
            "bitrix24_weekly_team_poll": {"chat_id": chat, "quorum": VOTERS},
            "bitrix24_nightly_connector_push": {
                "outbox": str(outbox),
                "connector": CONNECTOR,
                "line": line,
                "report_chat_id": chat,
            },
        }

    def state(self) -> dict[str, Any]:
        """Return the portal's chats, polls and lines."""
        reply = self._session.get(f"{self.url}/emulator/state", timeout=10)
        reply.raise_for_status()
        return dict(reply.json())

    def _install_connector(self, line: int) -> None:
        icon = {"DATA_IMAGE": "data:image/svg+xml;charset=US-ASCII,%3Csvg/%3E"}
        details = {
            "ID": CONNECTOR,
            "NAME": "Shop",
            "ICON": icon,
            "PLACEMENT_HANDLER": "https://shop.example/",
        }
        self._call("imconnector.register", details)
        self._call("imconnector.activate", {"CONNECTOR": CONNECTOR, "LINE": line, "ACTIVE": 1})

    def _call(self, method: str, params: dict[str, Any]) -> None:
        token = self.connections["oauth"]["extra"]["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        reply = self._session.post(f"{self.url}/rest/{method}", json=params, headers=headers, timeout=10)
        reply.raise_for_status()

    def _control(self, action: str, params: dict[str, Any]) -> None:
        self._session.post(f"{self.url}/emulator/{action}", json=params, timeout=10).raise_for_status()


def _messages() -> list[dict[str, Any]]:
    now = int(time.time())
    return [
        {"id": f"night-{number}", "customer_id": who, "customer": name, "text": text, "sent_at": now - 600}
        for number, (who, name, text) in enumerate(_NIGHT, start=1)
    ]

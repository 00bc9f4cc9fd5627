"""What the examples need to run with their defaults: people, a deal's chat, a connector, messages."""

from __future__ import annotations

import csv
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from pathlib import Path

    from demo.processes import Processes

CONNECTOR = "shop"
DEAL = 288
SERVICE_ACCOUNT = "Release Check"
TEAM = ("Anna Petrova", "Boris Klein", "Clara Moreau", "David Okafor", "Elena Rossi")
VOTERS = len(TEAM)
_NIGHT = (
    ("anna", "Anna", "Where is my parcel?"),
    ("boris", "Борис", "Спасибо, всё пришло!"),
    ("mallory", "Mallory", "Buy cheap watches"),
    ("chen", "Chen", "Can I change the colour?"),
)
_TICKETS = (
    ("anna", "Anna", "My parcel is damaged"),
    ("chen", "Chen", "The invoice has a wrong address"),
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

    def start(self, *, port: int, vote_every: float, voters: int = VOTERS) -> None:
        """Start the emulator with scripted voters, or with none."""
        file = self._folder / "connections.json"
        self._processes.start(
            "emulator",
            *(sys.executable, "-m", "airflow_provider_b24.emulator", "--port", str(port)),
            *("--people", ",".join([*TEAM, SERVICE_ACCOUNT]), "--deal", str(DEAL)),
            *("--voters", str(voters), "--vote-every", str(vote_every), "--seed", "24"),
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

    def prepare(self) -> dict[str, str]:
        """Set the scene and return the environment that the examples need."""
        self._install_connector(self.state()["lines"][0]["id"])
        self._control("reject", {"user": _BLOCKED, "reason": "The user is blocked by the portal"})
        return {
            "SHOP_OUTBOX": str(self._write_outbox()),
            "SHOP_REPORTS": str(self._folder / "reports"),
            "TICKETS": str(self._write_tickets()),
            "AIRFLOW_CONN_BITRIX24_DEFAULT": json.dumps(self.connections["webhook"]),
            "AIRFLOW_CONN_BITRIX24_SERVICE_ACCOUNT": json.dumps(self._service_account()),
            "AIRFLOW_CONN_BITRIX24_APP": json.dumps(self.connections["oauth"]),
        }

    def state(self) -> dict[str, Any]:
        """Return the portal's chats, polls and lines."""
        reply = self._session.get(f"{self.url}/emulator/state", timeout=60)
        reply.raise_for_status()
        return dict(reply.json())

    def _service_account(self) -> dict[str, str]:
        """Return a connection whose webhook is a person's of its own, not the one who asks."""
        (user,) = [user for user in self.state()["users"] if user["name"] == SERVICE_ACCOUNT]
        webhook = self._control("webhooks", {"user_id": user["id"]})
        return {"conn_type": "bitrix24", "password": webhook["url"]}

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

        self._call("event.bind", {"EVENT": "OnImConnectorMessageAdd", "EVENT_TYPE": "offline"})

    def _write_outbox(self) -> Path:
        path = self._folder / "messages.csv"
        rows = _messages()
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        return path

    def _write_tickets(self) -> Path:
        folder = self._folder / "tickets"
        folder.mkdir(exist_ok=True)
        for number, (customer_id, customer, text) in enumerate(_TICKETS, start=1):
            ticket = {"number": number, "customer_id": customer_id, "customer": customer, "text": text}
            (folder / f"{number}.ticket.json").write_text(json.dumps(ticket), encoding="utf-8")
        return folder

    def _call(self, method: str, params: dict[str, Any]) -> None:
        token = self.connections["oauth"]["extra"]["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        reply = self._session.post(f"{self.url}/rest/{method}", json=params, headers=headers, timeout=60)
        reply.raise_for_status()

    def _control(self, action: str, params: dict[str, Any]) -> Any:
        reply = self._session.post(f"{self.url}/emulator/{action}", json=params, timeout=60)
        reply.raise_for_status()
        return reply.json()


def _messages() -> list[dict[str, Any]]:
    now = int(time.time())
    return [
        {"id": f"night-{number}", "customer_id": who, "customer": name, "text": text, "sent_at": now - 600}
        for number, (who, name, text) in enumerate(_NIGHT, start=1)
    ]

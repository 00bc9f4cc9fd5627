"""Which events an application is subscribed to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONNECTOR_EVENTS = (
    "ONIMCONNECTORMESSAGEADD",
    "ONIMCONNECTORMESSAGEUPDATE",
    "ONIMCONNECTORMESSAGEDELETE",
    "ONIMCONNECTORLINEDELETE",
    "ONIMCONNECTORSTATUSDELETE",
    "ONIMCONNECTORDIALOGSTART",
    "ONIMCONNECTORDIALOGFINISH",
)
#: What an application may subscribe to, by the scope that it needs; "" is open to every application.
EVENTS: dict[str, tuple[str, ...]] = {
    "": (
        "ONAPPUNINSTALL",
        "ONAPPINSTALL",
        "ONAPPUPDATE",
        "ONAPPPAYMENT",
        "ONAPPTEST",
        "ONAPPMETHODCONFIRM",
        "ONOFFLINEEVENT",
    ),
    "imopenlines": _CONNECTOR_EVENTS,
    "imconnector": _CONNECTOR_EVENTS,
    "user": ("ONUSERADD",),
    "crm": tuple(
        f"ONCRM{kind}{change}"
        for kind in ("LEAD", "DEAL", "COMPANY", "CONTACT")
        for change in ("ADD", "UPDATE", "DELETE")
    ),
}
#: It tells an online handler of the offline queue, so it can't be in the queue.
NOT_OFFLINE = "ONOFFLINEEVENT"


@dataclass(frozen=True, slots=True)
class Handler:
    """One subscription; an offline one has no address. ``connector_id`` is its ``auth_connector``."""

    client_id: str
    event: str
    url: str = ""
    user_id: int = 0
    connector_id: str = ""
    options: dict[str, int] = field(default_factory=dict, compare=False)

    @property
    def offline(self) -> bool:
        """Whether its events wait in the queue."""
        return not self.url


class EventHandlers:
    """All subscriptions, in the order in which they were made."""

    def __init__(self) -> None:
        self._handlers: list[Handler] = []

    def __iter__(self) -> Iterator[Handler]:
        return iter(list(self._handlers))

    def add(self, handler: Handler) -> bool:
        """Subscribe; False if there is such a subscription."""
        if handler in self._handlers:
            return False
        self._handlers.append(handler)
        return True

    def remove(self, handler: Handler) -> None:
        """End a subscription."""
        self._handlers.remove(handler)


def known_events(scopes: set[str]) -> list[str]:
    """Return the events of these scopes, each once."""
    return list(dict.fromkeys(name for scope, names in EVENTS.items() if scope in scopes for name in names))

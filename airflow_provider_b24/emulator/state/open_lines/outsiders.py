"""The people outside who write to open lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.people import People, User


class Outsiders:
    """The portal's users for people of outside systems, by connector and outside id."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._users: dict[tuple[str, str], User] = {}
        self._rejected: dict[str, str] = {}

    def find(self, connector_id: str, outside_id: str) -> User | None:
        """Return the user for an outside person, or None if they never wrote."""
        return self._users.get((connector_id, outside_id))

    def ensure(self, connector_id: str, person: dict[str, Any]) -> User:
        """Return the user for an outside person, made or brought up to date."""
        outside_id = str(person["id"])
        user = self.find(connector_id, outside_id)
        if user is None:
            user = self._people.add(f"Guest {outside_id}", external=True)
            self._users[connector_id, outside_id] = user
        _update(user, person)
        return user

    def reject(self, outside_id: str, reason: str) -> None:
        """Fail every message of an outside person with this reason."""
        self._rejected[str(outside_id)] = reason

    def accept(self, outside_id: str) -> None:
        """Take the messages of an outside person again."""
        self._rejected.pop(str(outside_id), None)

    def rejection(self, outside_id: str) -> str | None:
        """Return why an outside person's messages fail, or None if they do not."""
        return self._rejected.get(str(outside_id))


def _update(user: User, person: dict[str, Any]) -> None:
    if person.get("name") or person.get("last_name"):
        user.name = str(person.get("name") or "")
        user.last_name = str(person.get("last_name") or "")
    user.email = str(person.get("email") or user.email)
    picture = person.get("picture")
    if isinstance(picture, dict):
        user.avatar = str(picture.get("url") or user.avatar)

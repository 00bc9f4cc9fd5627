"""The users of the portal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_b24.emulator.state.context import PortalContext


@dataclass(slots=True)
class User:
    """One person, or the account that a service acts as."""

    id: int
    name: str
    last_name: str = ""
    position: str = ""
    email: str = ""
    admin: bool = False
    active: bool = True
    # A guest of an open line: no employee, so no list of users shows it.
    external: bool = False
    bot: bool = False
    avatar: str = ""

    @property
    def full_name(self) -> str:
        """The name as chats show it."""
        return f"{self.name} {self.last_name}".strip()


class People:
    """All users by id."""

    def __init__(self, context: PortalContext) -> None:
        self._context = context
        self._users: dict[int, User] = {}

    def __iter__(self) -> Iterator[User]:
        return iter(list(self._users.values()))

    def get(self, user_id: int) -> User | None:
        """Return the user, or None."""
        return self._users.get(user_id)

    def name_of(self, user_id: int) -> str:
        """Return a user's name; of an unknown user the number."""
        user = self._users.get(user_id)
        return f"User {user_id}" if user is None else user.full_name

    def employees(self) -> list[User]:
        """Return all users who are not guests, in the order of ids."""
        return [user for user in self._users.values() if not user.external]

    def add(
        self,
        full_name: str,
        *,
        user_id: int | None = None,
        position: str = "",
        email: str = "",
        admin: bool = False,
        external: bool = False,
    ) -> User:
        """Add a user; the first word is the name, the rest the last name."""
        with self._context.lock:
            number = self._free_id() if user_id is None else user_id
            name, _, last_name = full_name.partition(" ")
            user = User(
                number,
                name,
                last_name,
                position,
                email or f"user{number}@demo.example",
                admin,
                True,
                external,
            )
            self._users[number] = user
            return user

    def _free_id(self) -> int:
        while (number := self._context.ids.next("user")) in self._users:
            pass
        return number

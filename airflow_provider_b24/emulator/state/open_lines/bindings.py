"""Which open-line chats belong to which CRM items, and who may not see an item."""

from __future__ import annotations

CRM_TYPES = ("lead", "deal", "company", "contact")

Entity = tuple[str, int]


class Bindings:
    """The chats of each CRM item, in the order in which they were bound."""

    def __init__(self) -> None:
        self._chats: dict[Entity, list[int]] = {}
        self._denied: set[tuple[Entity, int]] = set()

    def bind(self, entity_type: str, entity_id: int, chat_id: int) -> None:
        """Make a chat belong to a CRM item."""
        if entity_type.lower() not in CRM_TYPES:
            raise ValueError(f"Open-line chats belong to {', '.join(CRM_TYPES)}, not to {entity_type!r}.")
        chats = self._chats.setdefault(_entity(entity_type, entity_id), [])
        if chat_id not in chats:
            chats.append(chat_id)

    def chats(self, entity_type: str, entity_id: int) -> list[int]:
        """Return the ids of an item's chats, the last bound one last."""
        return list(self._chats.get(_entity(entity_type, entity_id), []))

    def entity(self, chat_id: int) -> Entity | None:
        """Return the item that a chat belongs to, or None."""
        return next((entity for entity, chats in self._chats.items() if chat_id in chats), None)

    def deny(self, entity_type: str, entity_id: int, user_id: int) -> None:
        """Hide a CRM item from a user."""
        self._denied.add((_entity(entity_type, entity_id), user_id))

    def allows(self, entity_type: str, entity_id: int, user_id: int) -> bool:
        """Whether a user may see a CRM item; no user sees an item of an unknown type."""
        known = entity_type.lower() in CRM_TYPES
        return known and (_entity(entity_type, entity_id), user_id) not in self._denied


def _entity(entity_type: str, entity_id: int) -> Entity:
    return entity_type.lower(), int(entity_id)

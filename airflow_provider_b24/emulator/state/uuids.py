"""The register of template ids, by which the portal knows a message that is sent twice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.state.context import PortalContext

# The server's own expression: version 4, RFC variant, lower case. Anything else is ignored.
UUID_V4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

IN_FLIGHT_SECONDS = 3600.0
KEPT_SECONDS = 31 * 86_400.0


class DuplicateInFlightError(Exception):
    """The same template id is being sent right now."""


@dataclass(slots=True)
class _Entry:
    started: float
    message_id: int | None = None


class Uuids:
    """One register for the whole portal: neither the chat nor the user matters.

    Switches of the portal honour ids of any form, or keep the chats apart.
    """

    def __init__(self, context: PortalContext) -> None:
        self._context = context
        self._entries: dict[str, _Entry] = {}

    def accepts(self, uuid: object) -> TypeGuard[str]:
        """Whether the portal honours this template id."""
        return is_valid(uuid) or (self._context.quirks.any_template_id and isinstance(uuid, str))

    def claim(self, uuid: object, *, chat_id: int = 0) -> int | None:
        """Begin a send; return the message of an earlier one if it has finished.

        :param uuid: the template id.
        :param chat_id: the chat that it is sent to.

        :raises DuplicateInFlightError: an earlier send has begun within the hour and not finished.
        """
        if not self.accepts(uuid):
            return None
        now, key = self._context.clock(), self._key(uuid, chat_id)
        entry = self._entries.get(key)
        if entry is None or now - entry.started > KEPT_SECONDS:
            self._entries[key] = _Entry(now)
            return None
        if entry.message_id is not None:
            return entry.message_id
        if now - entry.started < IN_FLIGHT_SECONDS:
            raise DuplicateInFlightError
        entry.started = now
        return None

    def record(self, uuid: object, message_id: int, *, chat_id: int = 0) -> None:
        """Record the message of a send that was claimed."""
        if self.accepts(uuid):
            self._entries[self._key(uuid, chat_id)].message_id = message_id

    def _key(self, uuid: str, chat_id: int) -> str:
        return f"{uuid}|{chat_id}" if self._context.quirks.template_ids_by_chat else uuid


def is_valid(uuid: object) -> TypeGuard[str]:
    """Whether the portal accepts this template id."""
    return isinstance(uuid, str) and UUID_V4.fullmatch(uuid) is not None

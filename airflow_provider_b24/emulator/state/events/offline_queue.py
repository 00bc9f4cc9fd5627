"""The queue of offline events: what an application fetches in place of being called."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from airflow_provider_b24.emulator.state.context import PortalContext

#: Seconds after which the server's agent drops reserved records; the constant of its source.
RESERVED_FOR = 2_952_000


@dataclass(slots=True)
class Record:
    """One event in the queue; ``process_id`` is empty until it is reserved."""

    id: int
    timestamp: float
    message_id: str
    client_id: str
    event: str
    data: Any
    additional: Any
    connector_id: str = ""
    process_id: str = ""
    error: bool = False


class OfflineQueue:
    """All records of all applications."""

    def __init__(self, context: PortalContext) -> None:
        self._context = context
        self._records: list[Record] = []

    def __iter__(self) -> Iterator[Record]:
        self._expire()
        return iter(list(self._records))

    def add(self, *, client_id: str, event: str, data: Any, user_id: int, connector_id: str = "") -> None:
        """Put an event into the queue; one that repeats a record that is not reserved renews it."""
        with self._context.lock:
            key = self._message_id(event, data)
            known = next(
                (record for record in self if self._repeats(record, key, client_id, connector_id)), None
            )
            if known is not None:
                known.timestamp, known.data = self._context.clock(), data
                known.additional = {"user_id": str(user_id)}
                return
            self._records.append(
                Record(
                    self._context.ids.next("offline_event"),
                    self._context.clock(),
                    key,
                    client_id,
                    event,
                    data,
                    {"user_id": str(user_id)},
                    connector_id,
                )
            )

    def reserve(self, chosen: Collection[Record]) -> str:
        """Hide records from other readers under a fresh process id, and return it."""
        process_id = secrets.token_hex(16)
        for record in chosen:
            record.process_id = process_id
        return process_id

    def remove(self, test: Callable[[Record], bool]) -> None:
        """Drop the records for which the test is true."""
        with self._context.lock:
            self._records = [record for record in self._records if not test(record)]

    def mark_failed(
        self, process_id: str, same_queue: Callable[[Record], bool], keys: Collection[str]
    ) -> None:
        """Mark records of a batch as failed and drop others with the same keys, as the server does."""
        named = [
            record for record in self if same_queue(record) and record.message_id in keys and not record.error
        ]
        lost = [record.id for record in named if record.process_id != process_id]
        for record in named:
            record.error, record.process_id = True, ""
        self.remove(lambda record: record.id in lost)

    def _repeats(self, record: Record, key: str, client_id: str, connector_id: str) -> bool:
        wanted = (key, client_id, connector_id, "")
        return (record.message_id, record.client_id, record.connector_id, record.process_id) == wanted

    def _message_id(self, event: str, data: Any) -> str:
        if self._context.quirks.collapse_messages and isinstance(data, dict) and data.get("MESSAGES"):
            data = {"CONNECTOR": data["CONNECTOR"], "CHAT": data["MESSAGES"][0]["chat"]}
        text = f"{event}|{json.dumps(data, separators=(',', ':'))}"
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    def _expire(self) -> None:
        before = self._context.clock() - RESERVED_FOR
        self._records = [item for item in self._records if not item.process_id or item.timestamp >= before]

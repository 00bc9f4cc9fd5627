"""The queue as a producer of Airflow's shared stream, which says when Airflow has stored an event (3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.compat import SharedStreamProducer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable, Sequence

    from airflow.triggers.shared_stream import AdvanceItem

    from airflow_provider_b24.triggers.event_queue.delivery import Delivery
    from airflow_provider_b24.triggers.event_queue.reader import QueueReader


class QueueProducer(SharedStreamProducer):
    """Hands events on, and clears those that Airflow has stored.

    :param reader: reads the queue.
    """

    def __init__(self, reader: QueueReader) -> None:
        self._reader = reader

    async def open_stream(self) -> AsyncIterator[tuple[Delivery, Delivery]]:
        """Yield events for ever."""
        async for delivery in self._reader.deliveries():
            yield delivery, delivery

    def get_advance_lane(self, broker_payload: Any) -> Hashable:
        """Let no event wait for another one: each is cleared by itself."""
        return int(broker_payload.event.id)

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Clear events that all watchers are done with and one has taken; hand the others on again."""
        done = [item.broker_payload for item in batch if item.outcome.is_clean and item.broker_payload.taken]
        self._reader.clear(done)
        self._reader.give_back(item.broker_payload for item in batch if item.broker_payload not in done)

    async def aclose(self) -> None:
        """Clear what Airflow has stored, once, and close the connections to the portal."""
        await self._reader.close()

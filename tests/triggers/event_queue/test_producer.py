"""What the producer does with what Airflow says of events."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.triggers.shared_stream import AdvanceItem, AdvanceOutcome

from airflow_provider_b24.events.queued_event import QueuedEvent
from airflow_provider_b24.triggers.event_queue.delivery import Delivery
from airflow_provider_b24.triggers.event_queue.producer import QueueProducer
from tests.support.replies import REPLY


class RecordingReader:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.cleared: list[Delivery] = []
        self.returned: list[Delivery] = []

    def clear(self, deliveries: Any) -> None:
        self.cleared += deliveries

    def give_back(self, deliveries: Any) -> None:
        self.returned += deliveries


def delivery(number: int = 7, *, taken: bool = True) -> Delivery:
    return Delivery(QueuedEvent(number, REPLY, {}, None, "", ""), "acme.bitrix24.com", taken=taken)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("outcome", "taken", "cleared"),
    [
        (AdvanceOutcome(acked=1, failed=0), True, True),
        (AdvanceOutcome(acked=2, failed=0), False, False),
        (AdvanceOutcome(acked=1, failed=1), True, False),
        (AdvanceOutcome(acked=0, failed=0), True, False),
    ],
)
async def test_an_event_is_cleared_when_all_watchers_are_done_and_one_has_taken_it(
    outcome: AdvanceOutcome, *, taken: bool, cleared: bool
) -> None:
    reader: Any = RecordingReader()
    event = delivery(taken=taken)

    await QueueProducer(reader).advance([AdvanceItem(event, outcome)])

    assert (reader.cleared, reader.returned) == (([event], []) if cleared else ([], [event]))


def test_no_event_waits_for_another() -> None:
    producer = QueueProducer(RecordingReader())  # type: ignore[arg-type]
    assert producer.get_advance_lane(delivery(7)) != producer.get_advance_lane(delivery(8))

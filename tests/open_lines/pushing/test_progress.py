"""What the task's log says of a long push."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_b24.open_lines.pushing.progress import INTERVAL, Progress
from airflow_provider_b24.open_lines.report import Delivery, DeliveryStatus, PushSummary
from tests.support.snippets import claimed_blocks

if TYPE_CHECKING:
    import pytest


class Clock:
    def __init__(self) -> None:
        self.now = 1_767_225_600.0

    def __call__(self) -> float:
        return self.now


def summary(accepted: int, rejected: int) -> PushSummary:
    found = PushSummary()
    for status, count in ((DeliveryStatus.ACCEPTED, accepted), (DeliveryStatus.REJECTED, rejected)):
        for _ in range(count):
            found.add(Delivery("m", status))
    return found


def test_the_line_says_done_rate_left_rejected_and_the_expected_end() -> None:
    clock = Clock()
    progress = Progress(summary(1_190, 10), size=lambda: 2_400, clock=clock)
    line = progress.line(clock.now + 60)
    assert line == (
        "Push: 1,200 done, 20.0 a second, 1,200 left, 10 rejected, 0 unknown, "
        "ends at about 2026-01-01 00:02 UTC"
    )
    assert claimed_blocks("open_lines.md", "text") == [line + "\n"]


def test_messages_of_earlier_tries_do_not_count_for_the_rate() -> None:
    clock = Clock()
    progress = Progress(summary(1_200, 0), size=lambda: None, clock=clock)
    line = progress.line(clock.now + 60, skipped=600)
    assert line == "Push: 1,200 done, 10.0 a second, 0 rejected, 0 unknown"


def test_a_line_comes_twice_a_minute_at_most(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    progress = Progress(summary(5, 0), size=lambda: 10, clock=clock)
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            clock.now += INTERVAL / 10
            progress.tell()
    assert len(caplog.records) == 10

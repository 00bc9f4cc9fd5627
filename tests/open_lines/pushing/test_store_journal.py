"""How far the runs of a task have come, as the task state store keeps it."""

from __future__ import annotations

import pytest

from airflow_provider_b24.exceptions import Bitrix24PushStateError
from airflow_provider_b24.open_lines.pushing.source import ListSource
from airflow_provider_b24.open_lines.pushing.store_journal import _MAX_RANGES, _check, _Reached
from airflow_provider_b24.open_lines.report import DeliveryStatus

REJECTED, UNKNOWN = str(DeliveryStatus.REJECTED), str(DeliveryStatus.UNKNOWN)


def test_a_cleared_run_that_has_come_further_replaces_the_earlier_one() -> None:
    earlier, newer = _Reached(0, 10, "a"), _Reached(1, 12, "b")

    assert earlier.before(newer) is newer


def test_a_cleared_run_that_died_early_keeps_what_the_earlier_one_could_not_deliver_later() -> None:
    earlier = _Reached(0, 100, "a", [[2, 4, REJECTED], [40, 60, UNKNOWN], [80, 80, REJECTED]])
    newer = _Reached(1, 50, "b", [[3, 3, REJECTED]])

    known = earlier.before(newer)

    # Up to 50 the newer run says what was not accepted, and from there on the earlier one.
    assert known.failures.ranges == [[3, 3, REJECTED], [50, 60, UNKNOWN], [80, 80, REJECTED]]
    assert (known.run, known.position, known.digest) == (0, 100, "a")


def test_more_failures_than_the_store_takes_fail_a_later_try(caplog: pytest.LogCaptureFixture) -> None:
    reached = _Reached()
    for number in range(_MAX_RANGES + 5):
        reached.record(2 * number, DeliveryStatus.REJECTED)

    assert len(reached.failures.ranges) == _MAX_RANGES
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    with pytest.raises(Bitrix24PushStateError, match="does not hold all messages"):
        _check(ListSource([{}]), reached)

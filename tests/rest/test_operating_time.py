"""A method that nears its running time is noticed before the portal refuses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.rest.operating_time import NEAR_LIMIT, OperatingTimeTracker
from airflow_provider_b24.rest.response import OperatingTime

if TYPE_CHECKING:
    from .conftest import Time


@pytest.fixture
def watch(time: Time) -> OperatingTimeTracker:
    return OperatingTimeTracker(time)


def test_the_reset_is_known_after_a_reply_with_a_reset(watch: OperatingTimeTracker, time: Time) -> None:
    watch.record("crm.deal.list", OperatingTime(3.0, time.now + 60))

    assert watch.reset_at("crm.deal.list") == time.now + 60
    assert watch.reset_in("CRM.deal.List") == 60
    assert watch.reset_at("crm.lead.list") is None
    assert watch.reset_in("crm.lead.list") is None


@pytest.mark.parametrize(("passed", "known"), [(59.0, True), (60.0, False), (90.0, False)])
def test_a_reset_that_is_past_is_not_known(
    watch: OperatingTimeTracker, time: Time, passed: float, known: bool
) -> None:
    reset = time.now + 60
    watch.record("crm.deal.list", OperatingTime(3.0, reset))
    time.now += passed

    assert watch.reset_at("crm.deal.list") == (reset if known else None)
    assert watch.reset_in("crm.deal.list") == 60 - passed


def test_a_reply_without_operating_time_keeps_the_known_reset(
    watch: OperatingTimeTracker, time: Time
) -> None:
    watch.record("crm.deal.list", OperatingTime(3.0, time.now + 60))
    watch.record("crm.deal.list", OperatingTime())

    assert watch.reset_in("crm.deal.list") == 60


def test_a_method_near_its_limit_logs_one_warning_for_each_reset(
    watch: OperatingTimeTracker, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    reset = time.now + 300
    for used in (NEAR_LIMIT - 1, NEAR_LIMIT, NEAR_LIMIT + 1, NEAR_LIMIT + 50):
        watch.record("crm.deal.list", OperatingTime(used, reset))
    watch.record("crm.lead.list", OperatingTime(NEAR_LIMIT, reset))

    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "crm.deal.list has run for 336 s" in caplog.messages[0]
    assert "reset in 300 s" in caplog.messages[0]
    time.now = reset
    watch.record("crm.deal.list", OperatingTime(NEAR_LIMIT, reset + 60))

    assert len(caplog.records) == 3


def test_a_reset_in_the_past_logs_one_warning(
    watch: OperatingTimeTracker, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        watch.record("crm.deal.list", OperatingTime(400.0, time.now - 1))

    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("used", "left", "pause"), [(335.0, 60, 0.0), (336.0, 60, 60), (400.0, -5, 0.0), (400.0, 9_999, 600.0)]
)
def test_a_caller_pauses_until_the_reset_when_the_method_nears_its_limit(
    watch: OperatingTimeTracker, time: Time, used: float, left: float, pause: float
) -> None:
    assert watch.pause("crm.deal.list") == 0.0
    watch.record("crm.deal.list", OperatingTime(used, time.now + left))
    assert watch.pause("CRM.deal.List") == pause

"""Connector messages before they are sent."""

from __future__ import annotations

import copy
import os
import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.open_lines.messages import check_target, prepare_deletions, prepare_messages

from .conftest import NOW, message

if TYPE_CHECKING:
    from collections.abc import Iterator

EAST = timezone(timedelta(hours=3))
NEW_YEAR = 1_767_225_600  # 2026-01-01T00:00:00Z


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker in another time zone."""
    monkeypatch.setitem(os.environ, "TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def prepared(given: dict[str, Any]) -> dict[str, Any]:
    (found,) = prepare_messages([given], now=NOW)
    return found


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (NEW_YEAR, NEW_YEAR),
        (str(NEW_YEAR), str(NEW_YEAR)),
        (datetime(2026, 1, 1, tzinfo=UTC), NEW_YEAR),
        (datetime(2026, 1, 1, 3, tzinfo=EAST), NEW_YEAR),
        ("2026-01-01T00:00:00+00:00", NEW_YEAR),
        ("2026-01-01T00:00:00Z", NEW_YEAR),
        ("2026-01-01T03:00:00+03:00", NEW_YEAR),
        (datetime(2026, 1, 1), NEW_YEAR),
        ("2026-01-01T00:00:00", NEW_YEAR),
        ("20260101T000000", NEW_YEAR),
        ("2026-01-01", NEW_YEAR),
        ("2026-01-01 03:00:00+03:00", NEW_YEAR),
        (None, int(NOW)),
        (datetime(1971, 1, 1), 31_536_000),
    ],
)
@pytest.mark.usefixtures("elsewhere")
def test_a_date_becomes_unix_seconds_in_every_zone(given: Any, seconds: Any) -> None:
    assert prepared(message(date=given))["message"]["date"] == seconds


def test_a_message_without_a_date_gets_the_present_time() -> None:
    assert prepared(message())["message"]["date"] == int(NOW)


@pytest.mark.parametrize(
    "given",
    [
        "yesterday", "", -1, 1.5, True, date(2026, 1, 1), ["2026"], "²", 0, "0",
        20261125, "20261125", 202611251030, "25.11.2026 10:30", "11/25/2026", float(NEW_YEAR), str(1.5),
        NEW_YEAR * 1000, str(NEW_YEAR * 1000), f"{NEW_YEAR}.5", f"+{NEW_YEAR}", "1" * 5000, datetime.max,
    ],
)  # fmt: skip
def test_an_invalid_date_is_refused(given: Any) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        prepared(message(date=given))
    assert caught.value.path == "messages[0].message.date"
    assert caught.value.rule == (
        "must be Unix seconds of 9 or 10 digits, a datetime, or ISO 8601 such as 2026-11-25T10:30:00+03:00"
    )


@settings(max_examples=60, deadline=None)
@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.timezones()))
def test_a_datetime_and_its_iso_form_give_the_same_date(moment: datetime) -> None:
    written = prepared(message(date=moment.isoformat()))["message"]["date"]
    assert prepared(message(date=moment))["message"]["date"] == written == int(moment.timestamp())


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"sex": "male"}, {"sex": "male", "gender": "male"}),
        ({"gender": "female"}, {"sex": "female", "gender": "female"}),
        ({"sex": "male", "gender": "male"}, {"sex": "male", "gender": "male"}),
        ({}, {}),
    ],
)
def test_sex_and_gender_are_both_sent(given: dict[str, str], sent: dict[str, str]) -> None:
    row = message()
    row["user"] = {"id": "u1", **given}
    assert prepared(row)["user"] == {"id": "u1", **sent}


def test_the_full_documented_structure_is_accepted() -> None:
    row = {
        "user": {
            "id": 42,
            "name": "Анна",
            "last_name": "Петрова",
            "picture": {"url": "https://shop.example/ann.png"},
            "url": "https://shop.example/ann",
            "sex": "female",
            "gender": "female",
            "email": "ann@shop.example",
            "phone": "+4912345",
            "skip_phone_validate": "Y",
        },
        "message": {
            "id": 7,
            "date": NEW_YEAR,
            "disable_crm": "Y",
            "user_id": 3,
            "text": "[b]Bold[/b]",
            "files": [
                {"url": "https://shop.example/a.png", "name": "a.png"},
                {"url": "HTTP://shop.example/b"},
            ],
        },
        "chat": {"id": 1, "name": "Order 7", "url": "https://shop.example/orders/7"},
    }
    assert prepared(copy.deepcopy(row)) == row


def test_a_message_may_consist_of_files_only() -> None:
    row = message()
    row["message"] = {"id": "m1", "files": [{"url": "https://shop.example/a.png"}]}
    assert prepared(row)["message"]["files"]


def test_preparation_does_not_change_its_input() -> None:
    row = message(date=datetime(2026, 1, 1, tzinfo=UTC))
    row["user"]["sex"] = "male"
    before = copy.deepcopy(row)
    prepare_messages([row], now=NOW)
    prepare_deletions([row])
    assert row == before


def test_a_deletion_sends_only_the_ids() -> None:
    assert prepare_deletions([message()]) == [
        {"user": {"id": "u1"}, "message": {"id": "m1"}, "chat": {"id": "c1"}}
    ]


@pytest.mark.parametrize(
    ("connector", "line", "path"),
    [
        ("", 12, "connector"),
        (None, 12, "connector"),
        (7, 12, "connector"),
        ("shop", 0, "line"),
        ("shop", "first", "line"),
        ("shop", "²", "line"),
        ("shop", True, "line"),
        ("shop", 1.5, "line"),
        ("shop", None, "line"),
        ("shop", "", "line"),
    ],
)
def test_check_target_refuses_an_invalid_connector_or_line(connector: Any, line: Any, path: str) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        check_target(connector, line)
    assert caught.value.path == path


def test_check_target_accepts_a_line_as_text() -> None:
    assert check_target(" shop ", "15") == {"CONNECTOR": "shop", "LINE": 15}

"""What a DAG is told of an event."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.events.payload import payloads_of
from airflow_provider_b24.events.queued_event import QueuedEvent, read_events
from tests.support.replies import REPLY

MESSAGE = {
    "im": {"chat_id": 1807, "message_id": 86497},
    "message": {"user_id": 27, "text": "[b]Klaus Weber:[/b] [br]Guten Tag! [b]x:[/b] [br]y"},
    "chat": {"id": "channel-123"},
}
DATA = {"CONNECTOR": "myconnector", "LINE": 107, "MESSAGES": [MESSAGE]}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def event(data: Any, name: str = REPLY, *, user_id: int | None = 5) -> QueuedEvent:
    return QueuedEvent(3021, name, data, user_id, "2026-09-17T12:32:31+02:00", "key")


def payloads(data: Any, name: str = REPLY, *, redelivered: bool = False) -> list[dict[str, Any]]:
    return payloads_of(event(data, name), portal="acme.bitrix24.com", redelivered=redelivered)


def test_a_reply_has_what_the_delivery_status_needs_and_the_text_without_the_name() -> None:
    assert payloads(DATA) == [
        {
            "id": "acme.bitrix24.com:3021:0",
            "event": REPLY,
            "portal": "acme.bitrix24.com",
            "received_at": "2026-09-17T12:32:31+02:00",
            "redelivered": False,
            "connector": "myconnector",
            "line": 107,
            "im": {"chat_id": 1807, "message_id": 86497},
            "chat": {"id": "channel-123"},
            "text": "Guten Tag! [b]x:[/b] [br]y",
            "author": "Klaus Weber",
            "user_id": 27,
            "files": [],
            "data": MESSAGE,
        }
    ]


def test_numbers_that_php_wrote_as_text_and_lists_as_objects_are_the_same() -> None:
    said = {**MESSAGE, "im": {"chat_id": "1807", "message_id": "86497"}}
    said["message"] = {**MESSAGE["message"], "user_id": "27", "files": {"0": {"name": "a"}}}
    (found,) = payloads({"connector": "myconnector", "line": "107", "messages": {"0": said}})
    assert (found["line"], found["im"], found["user_id"]) == (107, MESSAGE["im"], 27)
    assert found["files"] == [{"name": "a"}]


def test_each_message_of_an_event_is_a_payload_with_an_id_of_its_own() -> None:
    found = payloads({**DATA, "MESSAGES": [MESSAGE, {**MESSAGE, "chat": {"id": "two"}}]}, redelivered=True)
    assert [(one["id"][-6:], one["chat"]["id"]) for one in found] == [
        ("3021:0", "channel-123"),
        ("3021:1", "two"),
    ]
    assert all(one["redelivered"] for one in found)


def test_a_text_without_a_name_stays_as_it_is() -> None:
    (found,) = payloads({**DATA, "MESSAGES": [{**MESSAGE, "message": {"text": "Hello"}}]})
    assert (found["author"], found["text"], found["user_id"]) == (None, "Hello", 5)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"FIELDS": {"ID": "7"}}, "ONCRMDEALUPDATE"),
        (None, REPLY),
        ({**DATA, "MESSAGES": []}, REPLY),
        ({**DATA, "MESSAGES": [MESSAGE, "broken"]}, REPLY),
        ({**DATA, "MESSAGES": "broken"}, REPLY),
    ],
)
def test_any_other_event_is_one_payload_with_its_data(data: Any, name: str) -> None:
    (found,) = payloads(data, name)
    assert (found["id"], found["data"], found["user_id"]) == ("acme.bitrix24.com:3021", data, 5)


@given(data=JSON)
def test_no_data_is_refused_and_every_payload_is_json_with_an_id(data: Any) -> None:
    for shape in (data, {**DATA, "MESSAGES": data}, {**DATA, "MESSAGES": [data]}, {**DATA, "MESSAGES": [{"im": data, "message": data, "chat": data}]}):  # fmt: skip  # noqa: E501
        found = payloads(shape)
        assert found
        assert len({one["id"] for one in found}) == len(found)
        json.dumps(found)


def test_a_row_without_a_number_is_left_out_and_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"EVENT_NAME": REPLY}, "x", {"ID": "7", "EVENT_NAME": "onX", "EVENT_DATA": False}]
    assert read_events(rows, process_id="p") == [QueuedEvent(7, "ONX", None, None, "", "", "p")]
    assert len(caplog.records) == 2


def test_a_row_s_own_reservation_counts() -> None:
    (found,) = read_events([{"ID": 7, "PROCESS_ID": "q", "EVENT_ADDITIONAL": {"user_id": "0"}}])
    assert (found.process_id, found.user_id) == ("q", None)

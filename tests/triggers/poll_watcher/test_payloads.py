"""The events that end a wait."""

from __future__ import annotations

import json
from typing import get_args, get_type_hints

import pytest

from airflow_provider_b24.exceptions import Bitrix24PollNotFoundError, error_from_dict
from airflow_provider_b24.polls.poll import Poll
from airflow_provider_b24.polls.reference import parse_reference
from airflow_provider_b24.polls.rules import Quorum, Stopped
from airflow_provider_b24.triggers.poll_watcher.payloads import (
    PollEvent,
    encodable,
    error_event,
    event_for,
    success_event,
    timeout_event,
)

REFERENCE = parse_reference(5)


def poll(*, voters: int = 0, is_finished: bool = False) -> Poll:
    attach = {
        "ID": 91,
        "VOTE_ID": 77,
        "COUNTER": voters,
        "QUESTIONS": {"7": {"ID": 7, "COUNTER": voters, "ANSWERS": {"8": {"ID": 8, "COUNTER": 0}}}},
        "isFinished": is_finished,
    }
    return Poll.from_attach(attach, reference=REFERENCE, portal="https://acme.bitrix24.com")


def test_a_waiter_gets_no_event_for_a_poll_that_is_not_decided() -> None:
    assert event_for(None, REFERENCE, Stopped()) is None
    assert event_for(poll(), REFERENCE, Stopped()) is None


def test_a_waiter_gets_a_success_for_a_poll_that_its_rule_decides() -> None:
    decided = poll(voters=2)

    assert event_for(decided, REFERENCE, Quorum(2)) == success_event(decided)


def test_a_waiter_gets_an_error_for_a_poll_that_can_no_longer_be_decided() -> None:
    event = event_for(poll(voters=1, is_finished=True), REFERENCE, Quorum(2))

    assert event is not None
    assert event["status"] == "error"
    assert type(error_from_dict(event["error"])).__name__ == "Bitrix24PollUndecidedError"


def test_a_waiter_gets_a_polls_own_error() -> None:
    error = Bitrix24PollNotFoundError("x")

    assert event_for(error, REFERENCE, Stopped()) == error_event(error)


def test_every_event_is_json_with_a_status_of_its_own() -> None:
    events = [success_event(poll()), timeout_event(), error_event(Bitrix24PollNotFoundError("x"))]
    statuses = [get_args(get_type_hints(kind)["status"])[0] for kind in get_args(PollEvent)]

    assert [event["status"] for event in events] == statuses == ["success", "timeout", "error"]
    assert json.loads(json.dumps(events)) == events


@pytest.mark.parametrize("value", ["\ud800", 10**30, float("nan"), {"a": ["\udfff"]}])
def test_an_event_is_handed_over_as_airflow_can_encode_it(value: object) -> None:
    import msgspec

    event = encodable({"status": "success", "poll": {"value": value}})

    assert event["status"] == "success"
    msgspec.msgpack.encode(event)
    json.dumps(event, allow_nan=False).encode()

"""Subscriptions and the queue, over a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AccessDeniedError,
    Bitrix24AuthTypeError,
    Bitrix24NotFoundError,
    Bitrix24OutcomeUnknownError,
    Bitrix24PlanError,
    Bitrix24ValidationError,
)
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from tests.support.replies import REPLY, Replies

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.usefixtures("impatient")

HANDLER = "https://shop.example/events"


def test_bind_subscribes_once(hook: Bitrix24Hook, portal: Emulator) -> None:
    assert hook.events.bind(event="OnImConnectorMessageAdd") is True
    assert hook.events.bind(event=REPLY) is False
    assert hook.events.bind(event=REPLY, handler=HANDLER) is True
    assert hook.events.bound() == [
        {"event": REPLY, "handler": None, "offline": True, "auth_connector": None},
        {"event": REPLY, "handler": HANDLER, "offline": False, "auth_connector": None},
    ]
    assert portal.requests.count("event.bind") == 2


def test_a_key_names_a_queue_of_its_own(hook: Bitrix24Hook, replies: Replies) -> None:
    events = hook.events
    # As another tool has subscribed the application.
    hook.call("event.bind", {"event": REPLY, "event_type": "offline", "auth_connector": "shop"})
    events.unbind(event=REPLY)
    assert events.bind(event=REPLY, auth_connector="shop") is False
    assert [row["auth_connector"] for row in events.bound()] == ["shop"]
    replies.say("One")

    assert events.reserve().events == []
    reservation = events.reserve(auth_connector="shop")
    (event,) = reservation.events
    assert (events.reserved(), events.reserved(auth_connector="shop")) == ([], [event])
    events.clear(process_id=reservation.process_id, ids=[event.id])
    assert events.reserved(auth_connector="shop") == [event]
    events.clear(process_id=reservation.process_id, ids=[event.id], auth_connector="shop")
    assert events.reserved(auth_connector="shop") == []
    assert events.bind(event=REPLY) is True
    assert events.unbind(event=REPLY, auth_connector="shop") == 1
    assert [row["auth_connector"] for row in events.bound()] == [None]


@pytest.mark.parametrize("key", ["", " ", 5])
def test_what_is_no_key_of_a_queue_is_refused(hook: Bitrix24Hook, key: Any) -> None:
    for call in (hook.events.bind, hook.events.unbind, hook.events.reserve):
        with pytest.raises(Bitrix24ValidationError, match="auth_connector"):
            call(event=REPLY, auth_connector=key)
    with pytest.raises(Bitrix24ValidationError, match="is the key of a queue"):
        hook.events.bind(event=REPLY, handler=HANDLER, auth_connector="shop")


def test_unbind_ends_one_subscription(hook: Bitrix24Hook) -> None:
    hook.events.bind(event=REPLY)
    hook.events.bind(event=REPLY, handler=HANDLER)
    assert hook.events.unbind(event=REPLY) == 1
    assert hook.events.unbind(event=REPLY) == 0
    assert [row["handler"] for row in hook.events.bound()] == [HANDLER]


def test_a_lost_reply_to_bind_is_verified_by_a_look(hook: Bitrix24Hook, portal: Emulator) -> None:
    portal.faults.add("drop_after", method="event.bind")
    assert hook.events.bind(event=REPLY) is True
    assert portal.requests.count("event.bind") == 1


def test_bind_that_was_not_executed_raises(hook: Bitrix24Hook, portal: Emulator) -> None:
    portal.faults.add("drop_before", method="event.bind")
    with pytest.raises(Bitrix24OutcomeUnknownError):
        hook.events.bind(event=REPLY)


@pytest.mark.parametrize("name", ["", "REPLY", None, 5, "ON REPLY", "ON"])
def test_what_is_no_name_of_an_event_is_refused_without_a_request(
    hook: Bitrix24Hook, portal: Emulator, name: Any
) -> None:
    with pytest.raises(Bitrix24ValidationError, match="event: must be an event's name"):
        hook.events.bind(event=name)
    assert len(portal.requests) == 0


def test_an_event_that_does_not_exist_is_not_found(hook: Bitrix24Hook) -> None:
    with pytest.raises(Bitrix24NotFoundError):
        hook.events.bind(event="ONNOTHING")


def test_a_webhook_is_refused(portal: Emulator) -> None:
    with pytest.raises(Bitrix24AuthTypeError):
        Bitrix24Hook("bitrix24_default").events.bound()


def test_a_user_without_administrator_rights_is_refused(hook: Bitrix24Hook, portal: Emulator) -> None:
    user = portal.portal.people.get(1)
    assert user is not None
    user.admin = False
    with pytest.raises(Bitrix24AccessDeniedError, match="Offline events binding requires administrator"):
        hook.events.bind(event=REPLY)


def test_events_are_reserved_read_again_and_cleared(hook: Bitrix24Hook, replies: Replies) -> None:
    first, second = replies.say("One", "Two")
    reservation = hook.events.reserve(event=REPLY)
    said = [event.data["MESSAGES"][0]["im"]["message_id"] for event in reservation.events]
    assert said == [first, second]
    assert {event.process_id for event in reservation.events} == {reservation.process_id}
    assert reservation.events[0].user_id == 2
    assert hook.events.reserve(event=REPLY).events == []
    assert hook.events.reserve(process_id=reservation.process_id) == reservation
    assert hook.events.reserved() == reservation.events

    hook.events.clear(process_id=reservation.process_id, ids=[])
    assert replies.reserved() == 2
    hook.events.clear(process_id=reservation.process_id, ids=[reservation.events[0].id])
    assert [event.id for event in hook.events.reserved()] == [reservation.events[1].id]
    hook.events.clear(process_id=reservation.process_id)
    assert replies.queue() == []


def test_a_reservation_holds_only_the_event_that_was_asked_for(
    hook: Bitrix24Hook, replies: Replies, portal: Emulator
) -> None:
    hook.events.bind(event="ONCRMDEALUPDATE")
    portal.raise_event("ONCRMDEALUPDATE", {"FIELDS": {"ID": "7"}})
    replies.say("One")
    assert [event.name for event in hook.events.reserve(event=REPLY, limit=1).events] == [REPLY]
    assert [event.name for event in hook.events.reserve().events] == ["ONCRMDEALUPDATE"]


def test_a_reservation_whose_reply_is_lost_is_found_among_the_reserved(
    hook: Bitrix24Hook, replies: Replies, portal: Emulator
) -> None:
    replies.say("One")
    portal.faults.add("drop_after", method="event.offline.get")
    with pytest.raises(Bitrix24OutcomeUnknownError):
        hook.events.reserve()
    assert portal.requests.count("event.offline.get") == 1
    (event,) = hook.events.reserved()
    hook.events.clear(process_id=event.process_id, ids=[event.id])
    assert replies.queue() == []


def test_many_reserved_events_are_read_page_by_page(hook: Bitrix24Hook, replies: Replies) -> None:
    replies.say(*(f"Text {number}" for number in range(120)))
    hook.events.reserve(limit=110)
    assert len(hook.events.reserved()) == 110


def test_a_lost_reply_to_clear_is_retried(hook: Bitrix24Hook, replies: Replies, portal: Emulator) -> None:
    replies.say("One")
    reservation = hook.events.reserve()
    portal.faults.add("drop_after", method="event.offline.clear")
    hook.events.clear(process_id=reservation.process_id)
    assert portal.requests.count("event.offline.clear") == 2
    assert replies.queue() == []


def test_failed_events_are_put_aside(hook: Bitrix24Hook, replies: Replies) -> None:
    replies.say("One")
    reservation = hook.events.reserve()
    keys = [event.message_id for event in reservation.events]
    hook.events.mark_failed(process_id=reservation.process_id, message_ids=keys)
    assert hook.events.reserve().events == hook.events.reserved() == []
    assert [record.error for record in replies.queue()] == [True]


@pytest.mark.parametrize("process_id", ["", " ", None, 7])
def test_an_empty_reservation_is_refused_for_it_would_name_what_is_not_reserved(
    hook: Bitrix24Hook, portal: Emulator, process_id: Any
) -> None:
    with pytest.raises(Bitrix24ValidationError, match="process_id"):
        hook.events.clear(process_id=process_id)
    with pytest.raises(Bitrix24ValidationError, match="process_id"):
        hook.events.mark_failed(process_id=process_id, message_ids=["x"])
    assert len(portal.requests) == 0


def test_a_plan_without_the_feature_is_a_typed_error(
    hook: Bitrix24Hook, replies: Replies, portal: Emulator
) -> None:
    assert hook.events.can_reserve() is True
    portal.quirks.offline_extended = False
    assert hook.events.can_reserve() is False
    with pytest.raises(Bitrix24PlanError, match="extended offline events handling"):
        hook.events.reserve()

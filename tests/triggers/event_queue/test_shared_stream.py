"""Watchers on Airflow 3.3: an event is cleared only after Airflow has stored it, and none is lost."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from tests.support.replies import REPLY, Replies

from .conftest import triggerer, until

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.asyncio]

GET, CLEAR, LIST = "event.offline.get", "event.offline.clear", "event.offline.list"


def texts(payloads: list[dict[str, Any]]) -> list[str]:
    return [payload["text"] for payload in payloads]


def fresh(payloads: list[dict[str, Any]]) -> list[str]:
    """Return the texts without repeats, as a consumer that knows the ids sees them."""
    return texts(list({payload["id"]: payload for payload in payloads}.values()))


async def test_a_reply_becomes_an_event_and_is_cleared_once_it_is_stored(replies: Replies) -> None:
    async with triggerer() as running:
        watcher = running.watch()
        (message,) = replies.say("On its way")
        await until(lambda: running.stored[watcher])
        await until(lambda: not replies.queue())

    (payload,) = running.stored[watcher]
    assert (payload["text"], payload["author"]) == ("On its way", "Anna Petrova")
    assert payload["im"] == {"chat_id": replies.chat, "message_id": message}
    assert payload["chat"] == {"id": "ticket-7"}
    assert (payload["connector"], payload["line"], payload["redelivered"]) == ("shop", replies.line, False)
    assert json.loads(json.dumps(payload)) == payload


async def test_an_event_that_airflow_did_not_store_stays_in_the_queue(replies: Replies) -> None:
    async with triggerer(stores=False) as running:
        running.watch()
        replies.say("On its way")
        await until(lambda: replies.reserved() == 1)
        await asyncio.sleep(0.2)
    assert replies.reserved() == 1
    assert replies.portal.requests.count(CLEAR) == 0


async def test_after_a_restart_what_was_not_stored_is_handed_on_again_under_the_same_id(
    replies: Replies, caplog: pytest.LogCaptureFixture
) -> None:
    async with triggerer(stores=False) as killed:
        killed.watch()
        replies.say("One", "Two")
        await until(lambda: replies.reserved() == 2)
    async with triggerer() as running:
        watcher = running.watch()
        replies.say("Three")
        await until(lambda: len(running.stored[watcher]) == 3)
        await until(lambda: not replies.queue())
    assert texts(running.stored[watcher]) == ["One", "Two", "Three"]
    assert [payload["redelivered"] for payload in running.stored[watcher]] == [True, True, False]
    assert "2 events of connection 'bitrix24_app' are handed on again" in caplog.text


async def test_the_id_of_an_event_is_the_same_each_time(replies: Replies) -> None:
    seen = []
    for _ in range(2):
        async with triggerer() as running:
            watcher = running.watch()
            replies.portal.faults.add(
                "reply", method=CLEAR, times=None, status=500, body="{}", executed=False
            )
            if not seen:
                replies.say("One")
            await until(lambda: running.stored[watcher])  # noqa: B023
            seen.append(running.stored[watcher][0]["id"])
    assert seen[0] == seen[1]


async def test_a_lost_reply_to_get_loses_no_event(replies: Replies, caplog: pytest.LogCaptureFixture) -> None:
    replies.portal.faults.add("drop_after", method=GET, times=3)
    replies.say("One", "Two")
    async with triggerer() as running:
        watcher = running.watch()
        await until(lambda: len(running.stored[watcher]) == 2)
        await until(lambda: not replies.queue())
    assert texts(running.stored[watcher]) == ["One", "Two"]
    assert "a reader had reserved them and not cleared them" in caplog.text


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "status_502", "html"])
async def test_a_failed_clear_is_made_again(replies: Replies, kind: str) -> None:
    replies.portal.faults.add(kind, method=CLEAR, times=3)
    async with triggerer() as running:
        watcher = running.watch()
        replies.say("One")
        await until(lambda: not replies.queue())
        await until(lambda: replies.portal.requests.count(CLEAR) == 4)
    assert texts(running.stored[watcher]) == ["One"]


@pytest.mark.parametrize("kind", ["drop_before", "status_502", "status_503_limit", "html", "truncated"])
@pytest.mark.parametrize("method", [GET, LIST, "event.get"])
async def test_a_portal_that_fails_for_a_while_is_waited_for(
    replies: Replies, kind: str, method: str
) -> None:
    replies.portal.faults.add(kind, method=method, times=5)
    replies.say("One")
    async with triggerer() as running:
        watcher = running.watch()
        await until(lambda: not replies.queue())
    assert fresh(running.stored[watcher]) == ["One"]


async def test_an_access_token_that_expires_is_refreshed(replies: Replies) -> None:
    async with triggerer() as running:
        watcher = running.watch()
        await until(lambda: replies.portal.requests.count(GET))
        replies.portal.expire_access_token()
        replies.say("One")
        await until(lambda: running.stored[watcher])


async def test_watchers_of_one_connection_share_one_reader_and_each_gets_its_events(
    replies: Replies, portal: Emulator
) -> None:
    deal = "ONCRMDEALUPDATE"
    Bitrix24Hook("bitrix24_app").events.bind(event=deal)
    async with triggerer() as running:
        both = running.watch(events=[REPLY, deal], poll_interval=0.03)
        one = running.watch(events=[REPLY])
        replies.say("One")
        portal.raise_event(deal, {"FIELDS": {"ID": "288"}})
        await until(lambda: len(running.stored[both]) == 2 and running.stored[one])
        await until(lambda: not replies.queue())
        assert len(running.streams._groups) == 1
    assert {payload["event"] for payload in running.stored[both]} == {REPLY, deal}
    assert texts(running.stored[one]) == ["One"]
    found = next(payload for payload in running.stored[both] if payload["event"] == deal)
    assert found["data"] == {"FIELDS": {"ID": "288"}}
    # One of three watchers' requests would be one more for each of them.
    assert portal.requests.count(LIST) <= 3


async def test_events_that_no_watcher_wants_are_left_in_the_queue(replies: Replies, portal: Emulator) -> None:
    deal = "ONCRMDEALUPDATE"
    Bitrix24Hook("bitrix24_app").events.bind(event=deal)
    portal.raise_event(deal, {"FIELDS": {"ID": "288"}})
    async with triggerer() as running:
        watcher = running.watch()
        replies.say("One")
        await until(lambda: running.stored[watcher] and len(replies.queue()) == 1)
    (left,) = replies.queue()
    assert (left.event, left.process_id) == (deal, "")


async def test_a_watcher_that_ends_leaves_its_events_to_its_successor(
    replies: Replies, portal: Emulator
) -> None:
    deal = "ONCRMDEALUPDATE"
    Bitrix24Hook("bitrix24_app").events.bind(event=deal)
    async with triggerer(stores=False) as running:
        running.watch(events=[deal])
        ended = running.watch()
        replies.say("One")
        await until(lambda: replies.reserved() == 1)
        await running.stop(ended)
        running.stores = True
        successor = running.watch()
        await until(lambda: running.stored[successor])
        await until(lambda: not replies.queue())
    assert texts(running.stored[successor]) == ["One"]


async def test_a_thousand_replies_are_handed_on_each(replies: Replies) -> None:
    said = [f"Reply {number}" for number in range(1000)]
    replies.say(*said)
    async with triggerer() as running:
        watcher = running.watch()
        await until(lambda: len(running.stored[watcher]) >= 1000)
        await until(lambda: not replies.queue())
    assert texts(running.stored[watcher]) == said
    # Fifty a reservation, cleared together: neither a clear nor a list of the queue for each event.
    assert replies.portal.requests.count(GET) + replies.portal.requests.count(CLEAR) < 200
    assert replies.portal.requests.count(LIST) < 20


async def test_a_plan_without_the_feature_is_logged_once_and_tried_again_later(
    replies: Replies, portal: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    portal.quirks.offline_extended = False
    replies.say("One")
    async with triggerer() as running:
        watcher = running.watch()
        await until(lambda: portal.requests.count(GET) == 3)
        refusals = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert len(refusals) == 1
        assert "rest_offline_extended" in refusals[0].getMessage()
        portal.quirks.offline_extended = True
        await until(lambda: running.stored[watcher])


@pytest.mark.parametrize(
    ("connection", "message"),
    [("bitrix24_default", "WRONG_AUTH_TYPE"), ("nowhere", "There is no Airflow connection")],
)
async def test_a_connection_that_can_not_be_used_is_logged_and_nothing_is_raised(
    portal: Emulator, caplog: pytest.LogCaptureFixture, connection: str, message: str
) -> None:
    async with triggerer() as running:
        running.watch(bitrix24_conn_id=connection)
        await until(lambda: message in caplog.text)
        await asyncio.sleep(0.1)


async def test_a_missing_subscription_is_logged(
    portal: Emulator, application: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with triggerer() as running:
        running.watch()
        await until(lambda: "is not subscribed to ONIMCONNECTORMESSAGEADD" in caplog.text)


async def test_no_secret_is_in_the_log(replies: Replies, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="airflow_provider_b24")
    replies.portal.faults.add("html", method="*", times=4)
    replies.say("One")
    async with triggerer() as running:
        watcher = running.watch()
        await until(lambda: running.stored[watcher])
    tokens = replies.portal.application
    for secret in (tokens.client_secret, tokens.access_token, tokens.refresh_token):
        assert secret not in caplog.text + json.dumps(running.stored[watcher])


async def test_a_reservation_of_another_reader_is_taken_over_only_when_it_stays(
    replies: Replies, portal: Emulator
) -> None:
    async with triggerer() as running:
        watcher = running.watch()
        await until(lambda: portal.requests.count(GET))
        with portal.portal.lock:
            replies.say("Of the other reader", "Left behind")
            other, left = replies.queue()
            process = portal.portal.events.queue.reserve([other, left])
        seen = portal.requests.count(LIST)
        await until(lambda: portal.requests.count(LIST) > seen)
        events = Bitrix24Hook("bitrix24_app").events
        await asyncio.to_thread(events.clear, process_id=process, ids=[other.id])
        await until(lambda: running.stored[watcher])
        await until(lambda: not replies.queue())
    assert texts(running.stored[watcher]) == ["Left behind"]

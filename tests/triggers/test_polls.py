"""The trigger that waits for a poll, under a real event loop."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk._shared.module_loading import import_string

from airflow_provider_b24.exceptions import error_from_dict
from airflow_provider_b24.triggers.polls import Bitrix24PollTrigger

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from tests.support.crowd import Crowd

pytestmark = [pytest.mark.usefixtures("fast_watchers"), pytest.mark.asyncio]

MANY = "vote.AttachedVote.getMany"


@pytest.fixture
def message_id(portal: Emulator, hook: Bitrix24Hook) -> int:
    chat = portal.add_chat("Team")
    return hook.polls.send(chat_id=chat, question="Deploy?", answers=["Yes", "No"])["message_id"]


def trigger_for(poll: Any, **options: Any) -> Bitrix24PollTrigger:
    given = {"bitrix24_conn_id": "bitrix24_default", "poll_interval": 0.01} | options
    return Bitrix24PollTrigger(poll=poll, **given)


async def events_of(trigger: Bitrix24PollTrigger) -> list[dict[str, Any]]:
    """Return all that it fires, within a time limit."""
    return [event.payload async for event in bounded(trigger)]


async def bounded(trigger: Bitrix24PollTrigger) -> Any:
    async with asyncio.timeout(60):
        async for event in trigger.run():
            yield event


def reads_of(portal: Emulator) -> int:
    """Return how often the portal was asked for the polls that are waited for."""
    return portal.requests.count_commands(MANY)


async def until_read(portal: Emulator, reads: int) -> None:
    async with asyncio.timeout(60):
        while reads_of(portal) < reads:
            await asyncio.sleep(0.002)


async def test_serialize_restores_the_same_trigger() -> None:
    given = {
        "bitrix24_conn_id": "team_portal",
        "poll": {"message_id": 5},
        "rule": {"quorum": 3},
        "poll_interval": 7.5,
        "deadline": 1_800_000_000.25,
        "chat_id": 7,
        "stop_at_end": True,
    }
    path, kwargs = Bitrix24PollTrigger(**given).serialize()
    restored = import_string(path)(**json.loads(json.dumps(kwargs)))

    assert kwargs == given
    assert restored.serialize() == (path, kwargs)
    assert type(restored) is Bitrix24PollTrigger


async def test_airflows_own_serialization_takes_its_arguments() -> None:
    from airflow.sdk.serde import deserialize, serialize

    _, kwargs = trigger_for({"message_id": 5}, rule={"quorum": 3}, deadline=5.0).serialize()

    assert deserialize(serialize(kwargs)) == kwargs


async def test_its_arguments_hold_no_secret(portal: Emulator, application: str, message_id: int) -> None:
    trigger = trigger_for({"message_id": message_id}, bitrix24_conn_id=application)
    portal.stop_poll(message_id)
    await events_of(trigger)

    shown = json.dumps(trigger.serialize()) + repr(trigger) + str(vars(trigger))
    tokens = portal.application
    for secret in (tokens.client_secret, tokens.access_token, tokens.refresh_token, portal.webhook_code):
        assert secret not in shown


async def test_it_fires_once_when_the_poll_is_decided(portal: Emulator, message_id: int) -> None:
    running = asyncio.create_task(events_of(trigger_for(message_id)))
    await until_read(portal, 2)
    portal.stop_poll(message_id)

    (event,) = await running

    assert event["status"] == "success"
    assert event["poll"]["message_id"] == message_id
    assert event["poll"]["is_finished"]
    assert json.loads(json.dumps(event)) == event


async def test_a_poll_that_is_decided_already_fires_at_the_first_read(
    portal: Emulator, message_id: int
) -> None:
    portal.stop_poll(message_id)

    (event,) = await events_of(trigger_for(message_id, poll_interval=3600))

    assert event["status"] == "success"
    assert reads_of(portal) == 1


async def test_a_passed_deadline_fires_after_one_read(portal: Emulator, message_id: int) -> None:
    (event,) = await events_of(trigger_for(message_id, deadline=time.time() - 5))

    assert event == {"status": "timeout"}
    assert reads_of(portal) == 1


async def test_a_poll_that_was_decided_while_no_triggerer_ran_is_a_success(
    portal: Emulator, message_id: int
) -> None:
    portal.stop_poll(message_id)

    (event,) = await events_of(trigger_for(message_id, deadline=time.time() - 5))

    assert event["status"] == "success"


async def test_a_poll_is_read_for_the_last_time_just_before_its_deadline(
    portal: Emulator, message_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_b24.triggers.poll_watcher.waiters._FINAL_READ_MARGIN", 0.15)
    running = asyncio.create_task(
        events_of(trigger_for(message_id, poll_interval=3600, deadline=time.time() + 0.3))
    )
    await until_read(portal, 1)
    portal.stop_poll(message_id)

    assert [event["status"] for event in await running] == ["success"]
    assert reads_of(portal) == 2


async def test_without_a_deadline_it_waits_on(portal: Emulator, message_id: int) -> None:
    running = asyncio.create_task(events_of(trigger_for(message_id, poll_interval=0)))
    await until_read(portal, 5)

    assert not running.done()
    portal.stop_poll(message_id)
    assert [event["status"] for event in await running] == ["success"]


async def test_a_missing_poll_fires_its_error(portal: Emulator) -> None:
    (event,) = await events_of(trigger_for(987654))

    error = error_from_dict(event["error"])
    assert event["status"] == "error"
    assert type(error).__name__ == "Bitrix24PollNotFoundError"
    assert error.code == "ATTACH_NOT_FOUND"
    assert error.conn_id == "bitrix24_default"
    assert "message still exists" in str(error)
    assert json.loads(json.dumps(event)) == event


async def test_a_rule_that_can_not_be_met_fires_its_error(portal: Emulator, message_id: int) -> None:
    portal.stop_poll(message_id)

    (event,) = await events_of(trigger_for(message_id, rule={"quorum": 2}))

    assert event["error"]["type"] == "Bitrix24PollUndecidedError"


@pytest.fixture
def asked(crowd: Crowd, hook: Bitrix24Hook) -> dict[str, Any]:
    """What was sent to the crowd's chat."""
    return hook.polls.send(chat_id=crowd.chat, question="Deploy?", answers=["Yes", "No"])


async def test_a_rule_that_counts_people_fires_once_they_have_voted(
    crowd: Crowd, asked: dict[str, Any]
) -> None:
    running = asyncio.create_task(events_of(trigger_for(asked, rule="everybody")))
    for person in range(4):
        await asyncio.sleep(0.05)
        assert not running.done()
        await asyncio.to_thread(crowd.vote, person, "Yes")

    (event,) = await running
    # The poll may have been read just before the vote that the list of voters shows.
    assert event["status"] == "success"
    assert event["poll"]["voters"] >= 3


async def test_a_rule_that_counts_people_fires_at_its_deadline(asked: dict[str, Any]) -> None:
    (event,) = await events_of(trigger_for(asked, rule="everybody", deadline=time.time() + 0.3))

    assert event["status"] == "timeout"


async def test_a_rule_that_counts_people_fires_an_error_when_the_poll_is_stopped(
    crowd: Crowd, asked: dict[str, Any]
) -> None:
    crowd.portal.stop_poll(asked["message_id"])

    (event,) = await events_of(trigger_for(asked, rule="everybody"))
    assert event["error"]["type"] == "Bitrix24PollUndecidedError"


async def test_a_rule_that_counts_people_fires_the_error_of_a_poll_that_is_gone(
    hook: Bitrix24Hook, asked: dict[str, Any]
) -> None:
    await asyncio.to_thread(hook.call, "im.message.delete", {"MESSAGE_ID": asked["message_id"]})

    (event,) = await events_of(trigger_for(asked, rule="everybody"))
    assert event["error"]["type"] == "Bitrix24PollNotFoundError"


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"bitrix24_conn_id": "nowhere"}, "Bitrix24ConfigurationError"),
        ({"rule": "majority"}, "Bitrix24ValidationError"),
        ({"poll": {"vote_id": 7}}, "Bitrix24ValidationError"),
    ],
)
async def test_bad_input_fires_its_error_without_a_request(
    portal: Emulator, options: dict[str, Any], kind: str
) -> None:
    (event,) = await events_of(trigger_for(**{"poll": 1, **options}))

    assert event["error"]["type"] == kind
    assert len(portal.requests) == 0


async def test_a_refused_webhook_fires_its_error_without_the_code(
    portal: Emulator, message_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = portal.connection() | {"password": "wr0ngwr0ngwr0ng"}
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(fields))

    (event,) = await events_of(trigger_for(message_id))

    assert event["error"]["type"] == "Bitrix24AuthError"
    assert "wr0ng" not in json.dumps(event)


@pytest.mark.parametrize("kind", ["status_502", "html", "drop_before", "drop_after", "truncated"])
async def test_a_portal_that_is_down_for_a_while_is_waited_for(
    portal: Emulator, message_id: int, kind: str
) -> None:
    portal.faults.add(kind, method="batch", times=10)
    portal.stop_poll(message_id)

    (event,) = await events_of(trigger_for(message_id))

    assert event["status"] == "success"
    assert portal.requests.count("batch") == 11


async def test_waiting_does_not_block_the_event_loop(portal: Emulator, message_id: int) -> None:
    portal.faults.add("slow", method="batch", seconds=0.5)
    portal.stop_poll(message_id)
    running = asyncio.create_task(events_of(trigger_for(message_id)))

    turns = 0
    while not running.done():
        await asyncio.sleep(0.01)
        turns += 1

    assert turns > 10
    assert [event["status"] for event in await running] == ["success"]


async def test_a_cancelled_trigger_ends_and_reads_no_more(portal: Emulator, message_id: int) -> None:
    running = asyncio.create_task(events_of(trigger_for(message_id)))
    await until_read(portal, 2)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0.03)
    reads = reads_of(portal)
    await asyncio.sleep(0.03)
    assert reads_of(portal) == reads


async def test_many_triggers_wait_at_the_same_time(portal: Emulator, hook: Bitrix24Hook) -> None:
    chat = portal.add_chat("Team")
    sent = [
        hook.polls.send(chat_id=chat, question=f"Deploy {n}?", answers=["Yes", "No"])["message_id"]
        for n in range(5)
    ]
    running = asyncio.gather(*(events_of(trigger_for(message_id)) for message_id in sent))
    await until_read(portal, 10)
    for message_id in sent:
        portal.stop_poll(message_id)

    assert [events[0]["poll"]["message_id"] for events in await running] == sent

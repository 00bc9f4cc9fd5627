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

pytestmark = [pytest.mark.usefixtures("hasty"), pytest.mark.asyncio]

MANY = "vote.AttachedVote.getMany"


@pytest.fixture
def message_id(portal: Emulator, hook: Bitrix24Hook) -> int:
    chat = portal.add_chat("Team")
    return hook.polls.send(chat_id=chat, question="Deploy?", answers=["Yes", "No"])["message_id"]


def trigger_for(poll: Any, **options: Any) -> Bitrix24PollTrigger:
    given = {"bitrix24_conn_id": "bitrix24_default", "poll_interval": 0.01} | options
    return Bitrix24PollTrigger(poll=poll, **given)


async def events_of(trigger: Bitrix24PollTrigger) -> list[dict[str, Any]]:
    """Return all that it fires; a trigger that never ends would hang here, so it is given a time."""
    return [event.payload async for event in bounded(trigger)]


async def bounded(trigger: Bitrix24PollTrigger) -> Any:
    async with asyncio.timeout(20):
        async for event in trigger.run():
            yield event


def looks_at(portal: Emulator) -> int:
    """Return how often the portal was asked for the polls that are waited for."""
    return portal.requests.count_commands(MANY)


async def until_looked(portal: Emulator, looks: int) -> None:
    async with asyncio.timeout(20):
        while looks_at(portal) < looks:
            await asyncio.sleep(0.002)


async def test_a_round_trip_through_the_database_changes_nothing() -> None:
    given = {
        "bitrix24_conn_id": "team_portal",
        "poll": {"message_id": 5},
        "rule": {"quorum": 3},
        "poll_interval": 7.5,
        "deadline": 1_800_000_000.25,
    }
    path, kwargs = Bitrix24PollTrigger(**given).serialize()
    revived = import_string(path)(**json.loads(json.dumps(kwargs)))

    assert kwargs == given
    assert revived.serialize() == (path, kwargs)
    assert type(revived) is Bitrix24PollTrigger


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
    await until_looked(portal, 2)
    portal.stop_poll(message_id)

    (event,) = await running

    assert event["status"] == "success"
    assert event["poll"]["message_id"] == message_id
    assert event["poll"]["is_finished"]
    assert json.loads(json.dumps(event)) == event


async def test_a_poll_that_is_decided_already_fires_at_the_first_look(
    portal: Emulator, message_id: int
) -> None:
    portal.stop_poll(message_id)

    (event,) = await events_of(trigger_for(message_id, poll_interval=3600))

    assert event["status"] == "success"
    assert looks_at(portal) == 1


async def test_a_passed_deadline_fires_after_one_look(portal: Emulator, message_id: int) -> None:
    (event,) = await events_of(trigger_for(message_id, deadline=time.time() - 5))

    assert event == {"status": "timeout"}
    assert looks_at(portal) == 1


async def test_a_poll_that_was_decided_while_no_triggerer_ran_is_no_timeout(
    portal: Emulator, message_id: int
) -> None:
    portal.stop_poll(message_id)

    (event,) = await events_of(trigger_for(message_id, deadline=time.time() - 5))

    assert event["status"] == "success"


async def test_the_last_look_is_just_before_the_deadline_and_not_an_interval_later(
    portal: Emulator, message_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_b24.triggers.poll_watcher.watcher._LAST_LOOK", 0.15)
    running = asyncio.create_task(
        events_of(trigger_for(message_id, poll_interval=3600, deadline=time.time() + 0.3))
    )
    await until_looked(portal, 1)
    portal.stop_poll(message_id)

    assert [event["status"] for event in await running] == ["success"]
    assert looks_at(portal) == 2


async def test_without_a_deadline_it_waits_on(portal: Emulator, message_id: int) -> None:
    running = asyncio.create_task(events_of(trigger_for(message_id, poll_interval=0)))
    await until_looked(portal, 5)

    assert not running.done()
    portal.stop_poll(message_id)
    assert [event["status"] for event in await running] == ["success"]


async def test_a_poll_that_is_not_there_fires_its_error(portal: Emulator) -> None:
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


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"bitrix24_conn_id": "nowhere"}, "Bitrix24ConfigurationError"),
        ({"rule": "majority"}, "Bitrix24ValidationError"),
        ({"poll": {"vote_id": 7}}, "Bitrix24ValidationError"),
    ],
)
async def test_what_can_not_work_fires_its_error(
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


async def test_waiting_does_not_hold_the_loop(portal: Emulator, message_id: int) -> None:
    portal.faults.add("hold", method="batch")
    running = asyncio.create_task(events_of(trigger_for(message_id)))
    await until_looked(portal, 1)

    begin = asyncio.get_running_loop().time()
    await asyncio.sleep(0.01)
    assert asyncio.get_running_loop().time() - begin < 1

    portal.stop_poll(message_id)
    portal.faults.release()
    assert [event["status"] for event in await running] == ["success"]


async def test_a_cancelled_trigger_ends_and_looks_no_more(portal: Emulator, message_id: int) -> None:
    running = asyncio.create_task(events_of(trigger_for(message_id)))
    await until_looked(portal, 2)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0.03)
    looks = looks_at(portal)
    await asyncio.sleep(0.03)
    assert looks_at(portal) == looks


async def test_many_triggers_wait_side_by_side(portal: Emulator, hook: Bitrix24Hook) -> None:
    chat = portal.add_chat("Team")
    sent = [
        hook.polls.send(chat_id=chat, question=f"Deploy {n}?", answers=["Yes", "No"])["message_id"]
        for n in range(5)
    ]
    running = asyncio.gather(*(events_of(trigger_for(message_id)) for message_id in sent))
    await until_looked(portal, 10)
    for message_id in sent:
        portal.stop_poll(message_id)

    assert [events[0]["poll"]["message_id"] for events in await running] == sent


async def test_its_threads_reach_airflow_through_the_triggerers_own_loop() -> None:
    """Before Airflow 3.2 a triggerer breaks when a thread asks it for a connection in any other way."""
    from asgiref.sync import async_to_sync

    from airflow_provider_b24.triggers.poll_watcher.threads import aside

    async def loop_that_answers() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def ask() -> asyncio.AbstractEventLoop:
        return async_to_sync(loop_that_answers)()

    assert await aside(ask) is asyncio.get_running_loop()


async def test_its_threads_raise_what_the_work_raises_and_keep_no_process_alive() -> None:
    import threading

    from airflow_provider_b24.triggers.poll_watcher.threads import aside

    def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        await aside(fail)
    assert (await aside(threading.current_thread)).daemon

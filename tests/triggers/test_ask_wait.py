"""One ask that waits, under a real event loop."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.asks.ask import Ask
from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.polls.poll import Poll
from airflow_provider_b24.triggers import ask_wait
from airflow_provider_b24.triggers.ask_wait import AskWait

from .conftest import FAST

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

pytestmark = [pytest.mark.usefixtures("fast_watchers"), pytest.mark.asyncio]


def ask_for(message_id: int, **options: Any) -> Ask:
    given = {"chat_id": 1, "question": "Deploy?", "rule": {"quorum": 2}, "voters": None, "excluded": []}
    return Ask(message_id=message_id, asked_at=time.time(), **given | options)


def waiting(ask: Ask) -> asyncio.Task[dict[str, Any]]:
    return asyncio.create_task(AskWait("bitrix24_default", ask, 0.01, clock=time.time).run())


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.002)


async def test_a_vote_that_meets_the_rule_ends_the_wait(portal: Emulator, send: Callable[..., Any]) -> None:
    (message,) = send()
    task = waiting(ask_for(message))
    for person in (2, 3):
        portal.vote(message, user_id=person, answers=["No"])

    async with asyncio.timeout(60):
        event = await task

    assert (event["status"], event["chosen"]) == ("decided", ["No"])


async def test_a_poll_that_was_counted_is_not_held_while_the_ask_waits(
    portal: Emulator, send: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="airflow_provider_b24")
    (message,) = send()
    gc.collect()
    before = len(polls_in_memory())
    task = waiting(ask_for(message))
    portal.vote(message, user_id=2, answers=["No"])
    await until(lambda: "No 1" in caplog.text)
    reads = portal.requests.count_commands("vote.AttachedVote.getMany")
    await until(lambda: portal.requests.count_commands("vote.AttachedVote.getMany") > reads + 1)

    gc.collect()
    assert len(polls_in_memory()) <= before
    task.cancel()


async def test_a_portal_that_does_not_say_who_voted_for_a_while_ends_no_wait(
    portal: Emulator, send: Callable[..., Any]
) -> None:
    (message,) = send()
    portal.faults.add("status_502", method="vote.AttachedVote.getWithVoted", times=9)
    task = waiting(ask_for(message, voters=[2, 3], rule="first_vote"))
    portal.vote(message, user_id=3, answers=["No"])

    async with asyncio.timeout(60):
        event = await task

    assert (event["status"], event["chosen"]) == ("decided", ["No"])
    # Eight requests of two counts failed, one of the third, and then one answered.
    assert portal.requests.count("vote.AttachedVote.getWithVoted") == 10


async def test_members_that_can_not_be_read_end_no_wait_for_everybody(
    portal: Emulator, send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_wait, "_RECOUNT_SECONDS", 0.2)
    (message,) = send()
    portal.faults.add("status_502", method="im.chat.user.list", times=None)
    task = waiting(ask_for(message, chat_id=portal.polls()[0].chat_id, rule="everybody"))
    await until(lambda: portal.requests.count("im.chat.user.list") > 8)

    assert not task.done()
    task.cancel()


async def test_the_deadline_ends_a_wait_whose_votes_can_not_be_counted(
    portal: Emulator, send: Callable[..., Any]
) -> None:
    (message,) = send()
    portal.faults.add("status_502", method="vote.AttachedVote.getWithVoted", times=None)
    task = waiting(ask_for(message, voters=[2], rule="first_vote", deadline=time.time() + 1))
    portal.vote(message, user_id=2, answers=["No"])

    async with asyncio.timeout(60):
        assert await task == {"status": "timeout"}


async def test_credentials_that_stay_refused_end_the_wait(
    portal: Emulator, send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_wait, "read_options", lambda: FAST)
    (message,) = send()
    body, method = '{"error":"invalid_token"}', "vote.AttachedVote.getWithVoted"
    portal.faults.add("reply", body=body, status=401, method=method, times=None)
    task = waiting(ask_for(message, voters=[2], rule="first_vote"))
    portal.vote(message, user_id=2, answers=["No"])

    with pytest.raises(Bitrix24Error):
        async with asyncio.timeout(60):
            await task


async def test_a_chat_that_can_not_be_told_keeps_the_escalation_from_no_other(
    portal: Emulator, send: Callable[..., Any]
) -> None:
    (message,) = send()
    other = portal.add_chat("Bosses", members=[1, 4])
    now = time.time()
    options = {"remind_every": 1.0, "escalate_at": now + 1, "escalate_to": ("chat999999", f"chat{other}")}
    # The reminder of the same moment fails, too.
    portal.faults.add("drop_after", method="im.message.add")
    task = waiting(ask_for(message, chat_id=portal.polls()[0].chat_id, deadline=now + 4, **options))
    async with asyncio.timeout(60):
        await task

    assert [text.text[:16] for text in portal.messages(other)] == ["Not decided yet:"]


async def test_people_whom_the_rule_does_not_name_are_not_reminded(
    portal: Emulator, send: Callable[..., Any]
) -> None:
    (message,) = send()
    chat = portal.polls()[0].chat_id
    options = {"rule": {"everybody": [3]}, "remind_every": 1.0, "deadline": time.time() + 1.5}
    task = waiting(ask_for(message, chat_id=chat, **options))
    async with asyncio.timeout(60):
        await task

    (reminder,) = [text.text for text in portal.messages(chat) if "Please vote" in text.text]
    assert reminder.count("[USER=") == 1
    assert "[USER=3]" in reminder


def polls_in_memory() -> list[Poll]:
    # Not isinstance: that would load what lazy objects of other packages stand for.
    return [found for found in gc.get_objects() if type(found) is Poll]

"""One poll watcher for all who wait: its requests, its notifications, its failures."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AuthError,
    Bitrix24Error,
    Bitrix24NoAnswerError,
    Bitrix24OperatingLimitError,
    Bitrix24RateLimitError,
    Bitrix24ServerError,
)
from airflow_provider_b24.polls.bulk import BatchOutcome
from airflow_provider_b24.polls.reference import PollReference, ReferenceKind
from airflow_provider_b24.triggers.poll_watcher import watcher_log
from airflow_provider_b24.triggers.poll_watcher.threads import THREAD_NAME
from airflow_provider_b24.triggers.poll_watcher.watcher import PollWatcher, watcher_of
from tests.triggers.conftest import FAST
from tests.triggers.poll_watcher.waiting import (
    FakeFetcher,
    answered,
    asked,
    ended,
    error_of,
    rounds,
    until,
    wait,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from airflow_provider_b24.polls.request import PollRequest

pytestmark = pytest.mark.asyncio

LIST, SINGLE = "vote.AttachedVote.getMany", "vote.AttachedVote.get"
TRANSIENT = [
    Bitrix24NoAnswerError("x"),
    Bitrix24RateLimitError("x"),
    Bitrix24OperatingLimitError("x"),
    Bitrix24ServerError("x"),
]


async def test_polls_of_all_who_wait_are_read_by_one_request(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]]
) -> None:
    sent = send(120)
    tasks = [wait(watcher, message) for message in sent]
    await rounds(portal)

    assert portal.requests[0].commands == [LIST] * 3
    assert asked(portal, 0) == set(sent)
    for message in sent:
        portal.stop_poll(message)
    assert await ended(*tasks) == ["success"] * 120
    assert [task.result()["poll"]["message_id"] for task in tasks] == sent


async def test_waiters_on_one_poll_share_its_read_and_each_has_its_own_rule(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    first, second, end = (wait(watcher, message, rule) for rule in ("first_vote", {"quorum": 2}, "stopped"))
    await rounds(portal)
    portal.vote(message, user_id=2, answers=["Yes"])

    assert await ended(first) == ["success"]
    assert not second.done()
    portal.stop_poll(message)
    assert await ended(second, end) == ["error", "success"]
    assert "quorum of 2: the poll was stopped with 1 of 2" in str(await error_of(second))
    commands = [command for request in portal.requests for command in request.commands]
    assert len(commands) == portal.requests.count("batch")


async def test_every_way_to_name_a_poll_can_be_waited_for(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]]
) -> None:
    by_message, by_attach, by_signed = send(3)
    post = portal.add_feed_post({"Lunch?": ["Yes", "No"]})
    names: list[dict[str, Any]] = [
        {"message_id": by_message},
        {"attach_id": portal.poll(by_attach).attach_id},
        {"signed_attach_id": portal.portal.polls.sign(portal.poll(by_signed))},
        {"post_id": post},
    ]
    tasks = [wait(watcher, name) for name in names]
    await rounds(portal)

    assert sorted(portal.requests[0].commands) == [SINGLE, SINGLE, LIST, LIST]
    for poll in portal.polls():
        poll.date_end = 0
    assert await ended(*tasks) == ["success"] * 4


@pytest.mark.parametrize("documented_errors", [False, True])
async def test_a_deleted_poll_fails_its_own_waiter_and_is_not_read_again(
    portal: Emulator,
    hook: Bitrix24Hook,
    watcher: PollWatcher,
    send: Callable[..., list[int]],
    documented_errors: bool,
) -> None:
    portal.quirks.documented_errors = documented_errors
    sent = send(120)
    tasks = {message: wait(watcher, message) for message in sent}
    await rounds(portal)
    hook.call("im.message.delete", {"MESSAGE_ID": sent[7]})

    error = await error_of(tasks.pop(sent[7]))
    await rounds(portal, 3)

    assert type(error).__name__ == "Bitrix24PollNotFoundError"
    assert error.code == "ATTACH_NOT_FOUND"
    assert error.conn_id == "bitrix24_default"
    alone = [request.commands.count(SINGLE) for request in answered(portal)]
    singly = {number: count for number, count in enumerate(alone) if count}
    # Polls that are due at the same moment may take a command or two of the same request.
    assert sum(singly.values()) == 50
    assert len(singly) <= 2
    assert any(sent[7] in asked(portal, number) for number in singly)
    assert asked(portal) == set(sent) - {sent[7]}
    assert not any(task.done() for task in tasks.values())
    for message in tasks:
        portal.stop_poll(message)
    assert await ended(*tasks.values()) == ["success"] * 119


@pytest.mark.parametrize("code", ["ATTACH_READ_ACCESS_DENIED", "0", 0])
async def test_a_forbidden_poll_fails_its_own_waiter(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]], code: str | int
) -> None:
    portal.quirks.read_denied_code = code
    seen, hidden = send(2)
    chat = portal.add_chat("Elsewhere", members=[2])
    tasks = [wait(watcher, seen), wait(watcher, hidden)]
    await rounds(portal)
    portal.poll(hidden).chat_id = chat

    assert type(await error_of(tasks[1])).__name__ == "Bitrix24PollAccessError"
    portal.stop_poll(seen)
    assert await ended(tasks[0]) == ["success"]


@pytest.mark.parametrize(
    "kind",
    [
        "drop_before",
        "drop_after",
        "status_502",
        "status_504",
        "html",
        "empty",
        "truncated",
        "operating_limit",
    ],
)
async def test_a_portal_that_is_down_or_limited_fails_no_waiter(
    portal: Emulator,
    watcher: PollWatcher,
    send: Callable[..., list[int]],
    kind: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, watcher_log.__name__)
    sent = send(3)
    tasks = [wait(watcher, message) for message in sent]
    await rounds(portal)
    portal.faults.add(kind, method="batch", times=20)
    await rounds(portal, 21)

    assert not any(task.done() for task in tasks)
    for message in sent:
        portal.stop_poll(message)
    assert await ended(*tasks) == ["success"] * 3
    logged = [record.getMessage() for record in caplog.records if record.name == watcher_log.__name__]
    # A busy machine may add a line that the watcher is behind its schedule.
    lines = [line for line in logged if "can't read" in line or "reads polls again" in line]
    assert len(lines) == 2
    assert lines[0].startswith("The poll watcher of connection 'bitrix24_default' can't read 3 polls: ")
    assert lines[1].startswith("The poll watcher of connection 'bitrix24_default' reads polls again after ")


async def test_a_portal_that_can_not_be_reached_is_waited_for(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    portal.stop_poll(message)
    port = int(portal.url.rpartition(":")[2])
    portal.stop()
    task = wait(watcher, message)
    await asyncio.sleep(0.05)
    assert not task.done()

    portal._port = port
    portal.start()

    assert await ended(task) == ["success"]


async def test_a_used_up_operating_time_is_waited_for_and_makes_no_suspects(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]]
) -> None:
    sent = send(60)
    portal.faults.add("duration", method=LIST, seconds=1_000.0)
    tasks = [wait(watcher, message) for message in sent]
    await rounds(portal, 5)
    for message in sent:
        portal.stop_poll(message)
    portal.limits.operating.clear()

    assert await ended(*tasks) == ["success"] * 60
    assert portal.requests.count_commands(SINGLE) == 0


async def test_a_watcher_without_waiters_stops_and_closes_its_connections(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    task = wait(watcher, message)
    await rounds(portal)
    portal.stop_poll(message)
    await ended(task)
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(watcher) == 0
    assert watcher._fetcher._session is None
    await until(lambda: not portal.connections._open)


async def test_a_watcher_that_stopped_starts_again(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]]
) -> None:
    for message in send(2):
        portal.stop_poll(message)
        assert await ended(wait(watcher, message)) == ["success"]


async def test_each_connection_and_event_loop_has_one_watcher(portal: Emulator) -> None:
    async def of_another_loop() -> PollWatcher:
        return watcher_of("a")

    here = watcher_of("a")

    assert watcher_of("a") is here
    assert watcher_of("b") is not here
    assert await asyncio.to_thread(lambda: asyncio.run(of_another_loop())) is not here


async def test_a_slot_in_the_hosts_bucket_is_waited_for_without_a_thread(
    portal: Emulator, watcher: PollWatcher, hook: Bitrix24Hook, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    portal.stop_poll(message)
    while hook.limiter.reserve() < 2:
        pass
    task = wait(watcher, message)
    await asyncio.sleep(0.15)

    assert not [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]
    assert portal.requests.count() == 0
    assert await ended(task) == ["success"]


def replace_webhook(portal: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    portal.portal.credentials.webhook.code = "anotherc0de24"
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(portal.connection()))


async def test_a_webhook_that_is_replaced_in_the_connection_is_used_and_fails_no_waiter(
    portal: Emulator, send: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = PollWatcher("bitrix24_default", replace(FAST, permanent_failure_timeout=60.0))
    (message,) = send()
    task = wait(watcher, message)
    await rounds(portal)
    old = portal.connection()
    replace_webhook(portal, monkeypatch)
    corrected = portal.connection()
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(old))
    await until(lambda: portal.requests[-1].error)
    assert not task.done()
    portal.stop_poll(message)
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(corrected))

    assert await ended(task) == ["success"]


async def test_credentials_that_stay_refused_fail_all_who_wait_with_their_type(
    portal: Emulator, watcher: PollWatcher, send: Callable[..., list[int]]
) -> None:
    tasks = [wait(watcher, message) for message in send(3)]
    await rounds(portal)
    portal.portal.credentials.webhook.code = "anotherc0de24"

    errors = [await error_of(task) for task in tasks]

    assert [type(error) for error in errors] == [Bitrix24AuthError] * 3
    assert "webhook may have been deleted or renewed" in str(errors[0])


async def test_an_application_reads_polls_and_refreshes_its_token(
    portal: Emulator, application: str, send: Callable[..., list[int]], airflow_database: None
) -> None:
    watcher = PollWatcher(application, FAST)
    (message,) = send()
    task = wait(watcher, message)
    await rounds(portal)
    portal.expire_access_token()
    await rounds(portal, 2)
    portal.stop_poll(message)

    assert await ended(task) == ["success"]


def break_over(reference: PollReference) -> Callable[[PollRequest], BatchOutcome]:
    def read(request: PollRequest) -> BatchOutcome:
        answers = dict.fromkeys(each for each in request if each != reference)
        return BatchOutcome(answers=answers, broken={reference: Bitrix24ServerError("it broke")})

    return read


async def test_a_poll_over_which_the_portal_breaks_three_times_fails_its_own_waiter(
    fetcher: FakeFetcher,
) -> None:
    bad = PollReference(ReferenceKind.MESSAGE, 1)
    fetcher.last = break_over(bad)
    watcher = PollWatcher("a", FAST)
    tasks = [wait(watcher, 1), wait(watcher, 2)]

    assert type(await error_of(tasks[0])) is Bitrix24ServerError
    assert len(fetcher.requests) == 3
    assert not tasks[1].done()
    tasks[1].cancel()


async def test_a_poll_over_which_the_portal_breaks_less_often_is_waited_for(fetcher: FakeFetcher) -> None:
    bad = PollReference(ReferenceKind.MESSAGE, 1)
    fetcher.parts = [break_over(bad), break_over(bad), None] * 3
    watcher = PollWatcher("a", FAST)
    task = wait(watcher, 1)
    await until(lambda: len(fetcher.requests) > 9)

    assert not task.done()
    task.cancel()


async def test_a_missing_reply_makes_the_next_request_smaller(fetcher: FakeFetcher) -> None:
    fetcher.parts = [Bitrix24NoAnswerError("no reply came in time")] * 2
    watcher = PollWatcher("a", FAST)
    tasks = [wait(watcher, number) for number in range(1, 2_501)]
    await until(lambda: len(fetcher.requests) >= 3)

    assert [len(request) for request in fetcher.requests[:3]] == [2_500, 1_250, 600]
    for task in tasks:
        task.cancel()


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
async def test_a_transient_error_fails_no_waiter_however_long_it_lasts(
    fetcher: FakeFetcher, error: Bitrix24Error
) -> None:
    fetcher.last = error
    watcher = PollWatcher("a", replace(FAST, permanent_failure_timeout=0.0))
    tasks = [wait(watcher, number) for number in (1, 2)]
    await until(lambda: len(fetcher.requests) > 10)
    assert not any(task.done() for task in tasks)
    fetcher.last = lambda request: BatchOutcome(answers=dict.fromkeys(request, Bitrix24AuthError("x")))

    assert await ended(*tasks) == ["error"] * 2


async def test_unread_polls_are_read_by_the_next_request(fetcher: FakeFetcher) -> None:
    failure = Bitrix24NoAnswerError("x")
    fetcher.parts = [lambda request: BatchOutcome(unread=dict.fromkeys(request, failure), failure=failure)]
    task = wait(PollWatcher("a", FAST), 1, interval=3600.0)
    await until(lambda: len(fetcher.requests) == 2)

    assert list(fetcher.requests[1]) == [PollReference(ReferenceKind.MESSAGE, 1)]
    task.cancel()


async def test_a_polls_own_error_names_the_connection(fetcher: FakeFetcher) -> None:
    fetcher.last = lambda request: BatchOutcome(answers=dict.fromkeys(request, Bitrix24ServerError("x")))

    assert (await error_of(wait(PollWatcher("a", FAST), 1))).conn_id == "a"


async def test_a_failure_delays_the_next_request(fetcher: FakeFetcher) -> None:
    fetcher.last = Bitrix24NoAnswerError("x")
    task = wait(PollWatcher("a", replace(FAST, base_delay=60.0, max_delay=60.0)), 1)
    await until(lambda: fetcher.requests)
    await asyncio.sleep(0.08)

    assert len(fetcher.requests) == 1
    task.cancel()


async def test_an_unexpected_error_fails_all_who_wait(fetcher: FakeFetcher) -> None:
    fetcher.last = LookupError("unexpected")
    watcher = PollWatcher("a", FAST)

    assert "LookupError: unexpected" in str(await error_of(wait(watcher, 1)))
    assert len(fetcher.requests) > 1


async def test_a_watcher_that_crashes_fails_all_who_wait_and_starts_again(
    fetcher: FakeFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = PollWatcher("a", FAST)
    with monkeypatch.context() as broken:
        broken.setattr(PollWatcher, "_plan_next", lambda self, outcome: 1 / 0)
        errors = [await error_of(task) for task in (wait(watcher, 1), wait(watcher, 2))]

    assert all("ZeroDivisionError" in str(error) for error in errors)
    task = wait(watcher, 1)
    before = len(fetcher.requests)
    await until(lambda: len(fetcher.requests) > before + 1)
    assert not task.done()
    task.cancel()

"""One feed for all who wait: what it costs, whom it wakes, and what it survives."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AuthError,
    Bitrix24NoAnswerError,
    Bitrix24ServerError,
    error_from_dict,
)
from airflow_provider_b24.polls.decision import PASSING
from airflow_provider_b24.polls.reference import PollReference, ReferenceKind, parse_reference
from airflow_provider_b24.polls.rules import parse_rule
from airflow_provider_b24.triggers.poll_watcher import watcher as feeds
from airflow_provider_b24.triggers.poll_watcher.sorting import Reading
from airflow_provider_b24.triggers.poll_watcher.watcher import Feed, watcher_of
from tests.triggers.conftest import HASTY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.exceptions import Bitrix24Error
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from airflow_provider_b24.triggers.poll_watcher.scheduler import Request

pytestmark = pytest.mark.asyncio

LIST, SINGLE = "vote.AttachedVote.getMany", "vote.AttachedVote.get"


@pytest.fixture
def feed(portal: Emulator) -> Feed:
    return Feed("bitrix24_default", HASTY)


def wait(feed: Feed, poll: Any, rule: Any = "stopped", **options: Any) -> asyncio.Task[dict[str, Any]]:
    given = {"interval": 0.05, "deadline": None} | options
    return asyncio.create_task(feed.wait(parse_reference(poll), parse_rule(rule), **given))


async def ended(*tasks: asyncio.Task[dict[str, Any]]) -> list[str]:
    async with asyncio.timeout(10):
        return [event["status"] for event in await asyncio.gather(*tasks)]


async def error_of(task: asyncio.Task[dict[str, Any]]) -> Any:
    async with asyncio.timeout(10):
        return error_from_dict((await task)["error"])


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


async def rounds(portal: Emulator, count: int = 1) -> None:
    """Wait until the portal has answered so many times more, or broken its answer off."""
    goal = len(answered(portal)) + count
    await until(lambda: len(answered(portal)) >= goal)


def answered(portal: Emulator) -> list[Any]:
    return [request for request in portal.requests if request.method == "batch" and request.seconds]


def asked(portal: Emulator, position: int = -1) -> set[int]:
    """Return the message ids that a request asked for."""
    commands = answered(portal)[position].params["cmd"].values()
    pairs = [pair for command in commands for pair in parse_qsl(command.partition("?")[2])]
    return {int(value) for name, value in pairs if name.startswith("entityId")}


async def test_all_who_wait_are_served_by_one_request(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]]
) -> None:
    sent = send(120)
    tasks = [wait(feed, message) for message in sent]
    await rounds(portal)

    assert portal.requests[0].commands == [LIST] * 3
    assert asked(portal, 0) == set(sent)
    for message in sent:
        portal.stop_poll(message)
    assert await ended(*tasks) == ["success"] * 120
    assert [task.result()["poll"]["message_id"] for task in tasks] == sent


async def test_waiters_on_one_poll_share_its_reading_and_each_has_a_rule_of_its_own(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    first, second, end = (wait(feed, message, rule) for rule in ("first_vote", {"quorum": 2}, "stopped"))
    await rounds(portal)
    portal.vote(message, user_id=2, answers=["Yes"])

    assert await ended(first) == ["success"]
    assert not second.done()
    portal.stop_poll(message)
    assert await ended(second, end) == ["error", "success"]
    assert "quorum of 2: the poll was stopped with 1 of 2" in str(await error_of(second))
    commands = [command for request in portal.requests for command in request.commands]
    assert len(commands) == portal.requests.count("batch")


async def test_every_way_to_name_a_poll_takes_part(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]]
) -> None:
    by_message, by_attach, by_signed = send(3)
    post = portal.add_feed_post({"Lunch?": ["Yes", "No"]})
    names: list[dict[str, Any]] = [
        {"message_id": by_message},
        {"attach_id": portal.poll(by_attach).attach_id},
        {"signed_attach_id": portal.portal.polls.sign(portal.poll(by_signed))},
        {"post_id": post},
    ]
    tasks = [wait(feed, name) for name in names]
    await rounds(portal)

    assert sorted(portal.requests[0].commands) == [SINGLE, SINGLE, LIST, LIST]
    for poll in portal.polls():
        poll.date_end = 0
    assert await ended(*tasks) == ["success"] * 4


@pytest.mark.parametrize("documented_errors", [False, True])
async def test_a_deleted_poll_fails_its_own_waiter_costs_a_request_and_is_not_asked_for_again(
    portal: Emulator,
    hook: Bitrix24Hook,
    feed: Feed,
    send: Callable[..., list[int]],
    documented_errors: bool,
) -> None:
    portal.quirks.documented_errors = documented_errors
    sent = send(120)
    tasks = {message: wait(feed, message) for message in sent}
    await rounds(portal)
    hook.call("im.message.delete", {"MESSAGE_ID": sent[7]})

    error = await error_of(tasks.pop(sent[7]))
    await rounds(portal, 3)

    assert type(error).__name__ == "Bitrix24PollNotFoundError"
    assert error.code == "ATTACH_NOT_FOUND"
    assert error.conn_id == "bitrix24_default"
    alone = [request.commands.count(SINGLE) for request in answered(portal)]
    singly = {number: count for number, count in enumerate(alone) if count}
    # Polls that are due at the same moment may take a place or two of the same request.
    assert sum(singly.values()) == 50
    assert len(singly) <= 2
    assert any(sent[7] in asked(portal, number) for number in singly)
    assert asked(portal) == set(sent) - {sent[7]}
    assert not any(task.done() for task in tasks.values())
    for message in tasks:
        portal.stop_poll(message)
    assert await ended(*tasks.values()) == ["success"] * 119


async def test_a_forbidden_poll_fails_its_own_waiter(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]]
) -> None:
    seen, hidden = send(2)
    chat = portal.add_chat("Elsewhere", members=[2])
    tasks = [wait(feed, seen), wait(feed, hidden)]
    await rounds(portal)
    portal.poll(hidden).chat_id = chat

    assert type(await error_of(tasks[1])).__name__ == "Bitrix24AccessDeniedError"
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
async def test_a_portal_in_trouble_fails_nobody_and_they_go_on_by_themselves(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, feeds.__name__)
    sent = send(3)
    tasks = [wait(feed, message) for message in sent]
    await rounds(portal)
    portal.faults.add(kind, method="batch", times=20)
    await rounds(portal, 21)

    assert not any(task.done() for task in tasks)
    for message in sent:
        portal.stop_poll(message)
    assert await ended(*tasks) == ["success"] * 3
    words = [record.getMessage() for record in caplog.records if record.name == feeds.__name__]
    assert len(words) == 2
    assert words[0].startswith("3 polls wait, and connection 'bitrix24_default' can't read them: ")
    assert words[1].startswith("Connection 'bitrix24_default' reads polls again after ")


async def test_a_portal_that_can_not_be_reached_is_waited_for(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    portal.stop_poll(message)
    port = int(portal.url.rpartition(":")[2])
    portal.stop()
    task = wait(feed, message)
    await asyncio.sleep(0.05)
    assert not task.done()

    portal._port = port
    portal.start()

    assert await ended(task) == ["success"]


async def test_used_up_running_time_is_waited_for_and_makes_no_suspects(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]]
) -> None:
    sent = send(60)
    portal.faults.add("duration", method=LIST, seconds=1_000.0)
    tasks = [wait(feed, message) for message in sent]
    await rounds(portal, 5)
    for message in sent:
        portal.stop_poll(message)
    portal.limits.operating.clear()

    assert await ended(*tasks) == ["success"] * 60
    assert portal.requests.count_commands(SINGLE) == 0


async def test_a_hanging_request_delays_no_timeout(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    task = wait(feed, message, deadline=time.time() + 0.2)
    await rounds(portal)
    portal.faults.add("slow", method="batch", seconds=0.6)
    await until(lambda: portal.faults.log)

    assert await ended(task) == ["timeout"]
    assert not portal.requests[-1].seconds


async def test_a_wait_that_begins_after_its_deadline_has_one_look(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]]
) -> None:
    open_, stopped = send(2)
    portal.stop_poll(stopped)
    late = time.time() - 100

    assert await ended(wait(feed, open_, deadline=late), wait(feed, stopped, deadline=late)) == [
        "timeout",
        "success",
    ]
    assert portal.requests.count() == 1


async def test_a_late_wait_ends_also_when_the_portal_gives_it_no_look(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "_GRACE", 0.03)
    (message,) = send()
    portal.faults.add("status_502", times=None)

    assert await ended(wait(feed, message, deadline=time.time() - 100)) == ["timeout"]


async def test_deadlines_are_unix_times_whatever_the_loops_clock_says(
    portal: Emulator, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    feed = Feed("bitrix24_default", HASTY, wall_clock=lambda: 2_000_000_000.0)

    assert await ended(wait(feed, message, deadline=1_999_999_999.0)) == ["timeout"]


async def test_a_waiter_that_leaves_is_forgotten_at_once_and_the_others_wait_on(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]]
) -> None:
    gone, shared, stays = send(3)
    leaving = [wait(feed, gone), wait(feed, shared)]
    staying = [wait(feed, shared), wait(feed, stays)]
    await rounds(portal)
    for task in leaving:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    assert len(feed) == 2
    await rounds(portal, 2)

    assert asked(portal) == {shared, stays}
    portal.stop_poll(shared)
    portal.stop_poll(stays)
    assert await ended(*staying) == ["success"] * 2


async def test_who_waits_less_patiently_sets_the_pace_as_long_as_it_waits(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    slow = wait(feed, message, interval=3600.0)
    await rounds(portal)
    quick = wait(feed, message, interval=0.05)
    await rounds(portal, 2)
    quick.cancel()
    await asyncio.gather(quick, return_exceptions=True)
    await asyncio.sleep(0.06)
    before = portal.requests.count("batch")
    await asyncio.sleep(0.15)

    assert portal.requests.count("batch") == before
    slow.cancel()


async def test_a_feed_without_waiters_ends_and_holds_nothing(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    task = wait(feed, message)
    await rounds(portal)
    portal.stop_poll(message)
    await ended(task)
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(feed) == 0
    assert feed._reader._portal is None
    await until(lambda: not portal.connections._open)


async def test_a_feed_that_ended_begins_again(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]]
) -> None:
    for message in send(2):
        portal.stop_poll(message)
        assert await ended(wait(feed, message)) == ["success"]


async def test_the_feeds_words_are_in_nobodys_task_log(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]]
) -> None:
    whose = contextvars.ContextVar("whose", default="nobody's")
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(whose.get())

    ear = Ear()
    feeds.log.addHandler(ear)
    (message,) = send()
    portal.faults.add("status_502", method="batch")
    portal.stop_poll(message)
    whose.set("the first task's")
    await ended(wait(feed, message))
    feeds.log.removeHandler(ear)

    assert set(heard) == {"nobody's"}


async def test_one_feed_for_each_connection_and_event_loop(portal: Emulator) -> None:
    async def of_another_loop() -> Feed:
        return watcher_of("a")

    here = watcher_of("a")

    assert watcher_of("a") is here
    assert watcher_of("b") is not here
    assert await asyncio.to_thread(lambda: asyncio.run(of_another_loop())) is not here


@pytest.mark.parametrize(
    ("given", "share"), [(None, 0.25), ("0.1", 0.1), ("1", 1.0), ("0", 0.25), ("7", 0.25)]
)
async def test_the_share_of_the_limit_is_a_setting_of_airflow(
    given: str | None, share: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if given is not None:
        monkeypatch.setenv("AIRFLOW__BITRIX24__POLL_WATCHER_SHARE", given)

    assert watcher_of("a")._options.share == share
    assert ("poll_watcher_share" in caplog.text) is (given in ("0", "7"))


async def test_a_place_in_the_hosts_queue_is_waited_for_without_a_thread(
    portal: Emulator, feed: Feed, hook: Bitrix24Hook, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    portal.stop_poll(message)
    while hook.limiter.reserve() < 0.4:
        pass
    task = wait(feed, message)
    await asyncio.sleep(0.15)

    assert not [thread for thread in threading.enumerate() if thread.name == "bitrix24-feed"]
    assert portal.requests.count() == 0
    assert await ended(task) == ["success"]


def renew_webhook(portal: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    portal.portal.credentials.webhook.code = "anotherc0de24"
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(portal.connection()))


async def test_a_webhook_that_is_renewed_in_the_connection_is_used_and_fails_nobody(
    portal: Emulator, send: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed("bitrix24_default", replace(HASTY, patience=60.0))
    (message,) = send()
    task = wait(feed, message)
    await rounds(portal)
    old = portal.connection()
    renew_webhook(portal, monkeypatch)
    mended = portal.connection()
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(old))
    await until(lambda: portal.requests[-1].error)
    assert not task.done()
    portal.stop_poll(message)
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(mended))

    assert await ended(task) == ["success"]


async def test_credentials_that_stay_refused_fail_all_who_wait_with_their_type(
    portal: Emulator, feed: Feed, send: Callable[..., list[int]]
) -> None:
    tasks = [wait(feed, message) for message in send(3)]
    await rounds(portal)
    portal.portal.credentials.webhook.code = "anotherc0de24"

    errors = [await error_of(task) for task in tasks]

    assert [type(error) for error in errors] == [Bitrix24AuthError] * 3
    assert "webhook may have been deleted or renewed" in str(errors[0])


async def test_an_application_reads_as_a_webhook_does_and_renews_its_token(
    portal: Emulator, application: str, send: Callable[..., list[int]], airflow_database: None
) -> None:
    feed = Feed(application, HASTY)
    (message,) = send()
    task = wait(feed, message)
    await rounds(portal)
    portal.expire_access_token()
    await rounds(portal, 2)
    portal.stop_poll(message)

    assert await ended(task) == ["success"]


class Acted:
    """A reader that plays a part instead of asking a portal."""

    plan = None

    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.requests: list[Request] = []
        self.last: Any = None

    def prepare(self) -> float:
        return 0.0

    def doubt(self) -> None:
        pass

    def close(self) -> None:
        pass

    def read(self, request: Request, least: dict[PollReference, float]) -> Reading:
        self.requests.append(request)
        part = self.parts.pop(0) if self.parts else self.last
        if isinstance(part, Exception):
            raise part
        return part(request) if part is not None else Reading(answers=dict.fromkeys(request))


@pytest.fixture
def acted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Acted]:
    reader = Acted()
    monkeypatch.setattr(feeds, "Reader", lambda conn_id, connection_age: reader)
    yield reader
    reader.last = None


def break_over(reference: PollReference) -> Callable[[Request], Reading]:
    def read(request: Request) -> Reading:
        answers = dict.fromkeys(each for each in request if each != reference)
        return Reading(answers=answers, broken={reference: Bitrix24ServerError("it broke")})

    return read


async def test_a_poll_over_which_the_portal_keeps_breaking_fails_its_own_waiter(acted: Acted) -> None:
    bad = PollReference(ReferenceKind.MESSAGE, 1)
    acted.last = break_over(bad)
    feed = Feed("a", HASTY)
    tasks = [wait(feed, 1), wait(feed, 2)]

    assert type(await error_of(tasks[0])) is Bitrix24ServerError
    assert len(acted.requests) == 3
    assert not tasks[1].done()
    tasks[1].cancel()


async def test_a_poll_over_which_the_portal_breaks_now_and_then_is_waited_for(acted: Acted) -> None:
    bad = PollReference(ReferenceKind.MESSAGE, 1)
    acted.parts = [break_over(bad), break_over(bad), None] * 3
    feed = Feed("a", HASTY)
    task = wait(feed, 1)
    await until(lambda: len(acted.requests) > 9)

    assert not task.done()
    task.cancel()


async def test_a_reply_that_does_not_come_makes_the_next_request_smaller(acted: Acted) -> None:
    acted.parts = [Bitrix24NoAnswerError("no reply came in time")] * 2
    feed = Feed("a", HASTY)
    tasks = [wait(feed, number) for number in range(1, 2_501)]
    await until(lambda: len(acted.requests) >= 3)

    assert [len(request) for request in acted.requests[:3]] == [2_500, 1_250, 600]
    for task in tasks:
        task.cancel()


@pytest.mark.parametrize("error", [kind("x") for kind in PASSING], ids=lambda error: type(error).__name__)
async def test_what_passes_by_itself_is_waited_for_longer_than_refused_credentials(
    acted: Acted, error: Bitrix24Error
) -> None:
    acted.last = error
    feed = Feed("a", replace(HASTY, patience=0.0))
    tasks = [wait(feed, number) for number in (1, 2)]
    await until(lambda: len(acted.requests) > 10)
    assert not any(task.done() for task in tasks)
    acted.last = lambda request: Reading(answers=dict.fromkeys(request, Bitrix24AuthError("x")))

    assert await ended(*tasks) == ["error"] * 2


async def test_what_the_portal_did_not_get_to_is_asked_for_again(acted: Acted) -> None:
    trouble = Bitrix24NoAnswerError("x")
    acted.parts = [lambda request: Reading(unread=list(request), trouble=trouble)]
    task = wait(Feed("a", HASTY), 1, interval=3600.0)
    await until(lambda: len(acted.requests) == 2)

    assert list(acted.requests[1]) == [PollReference(ReferenceKind.MESSAGE, 1)]
    task.cancel()


async def test_a_polls_own_error_names_the_connection(acted: Acted) -> None:
    acted.last = lambda request: Reading(answers=dict.fromkeys(request, Bitrix24ServerError("x")))

    assert (await error_of(wait(Feed("a", HASTY), 1))).conn_id == "a"


async def test_a_portal_in_trouble_is_given_a_pause(acted: Acted) -> None:
    acted.last = Bitrix24NoAnswerError("x")
    task = wait(Feed("a", replace(HASTY, base=0.2, longest=0.2)), 1)
    await until(lambda: acted.requests)
    await asyncio.sleep(0.08)

    assert len(acted.requests) == 1
    task.cancel()


async def test_what_nobody_thought_of_ends_as_an_error_and_not_in_silence(acted: Acted) -> None:
    acted.last = LookupError("nobody thought of this")
    feed = Feed("a", HASTY)

    assert "LookupError: nobody thought of this" in str(await error_of(wait(feed, 1)))
    assert len(acted.requests) > 1


async def test_a_feed_that_breaks_wakes_all_and_serves_the_next(
    acted: Acted, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed("a", HASTY)
    with monkeypatch.context() as broken:
        broken.setattr(Feed, "_note_pace", lambda self: 1 / 0)
        errors = [await error_of(task) for task in (wait(feed, 1), wait(feed, 2))]

    assert all("ZeroDivisionError" in str(error) for error in errors)
    task = wait(feed, 1)
    before = len(acted.requests)
    await until(lambda: len(acted.requests) > before + 1)
    assert not task.done()
    task.cancel()


async def test_a_round_that_is_stretched_is_said_once_and_again_when_it_is_over(
    acted: Acted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, feeds.__name__)
    stretched = iter([False, True, True, True, False, False])
    monkeypatch.setattr(
        "airflow_provider_b24.triggers.poll_watcher.scheduler.Schedule.is_stretched",
        lambda self, now: next(stretched, False),
    )
    task = wait(Feed("a", HASTY), 1)
    await until(lambda: len(acted.requests) > 7)
    task.cancel()

    words = [record.getMessage() for record in caplog.records if record.name == feeds.__name__]
    assert len(words) == 2
    assert "each is looked at later than its interval says" in words[0]
    assert "in time again" in words[1]


async def test_many_decisions_at_once_leave_the_loop_its_turns(acted: Acted) -> None:
    error = Bitrix24ServerError("x")
    acted.last = lambda request: Reading(answers=dict.fromkeys(request, error))
    feed = Feed("a", HASTY)
    tasks = [wait(feed, number) for number in range(1, 2_001)]
    await until(lambda: acted.requests)
    done = []
    while not tasks[-1].done():
        done.append(sum(task.done() for task in tasks))
        await asyncio.sleep(0)

    assert len(set(done) - {0, 2_000}) >= 5
    assert await ended(*tasks) == ["error"] * 2_000

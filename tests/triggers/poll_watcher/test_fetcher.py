"""What the feed does in threads, against a portal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.emulator import Emulator
from airflow_provider_b24.emulator.state import ballots
from airflow_provider_b24.exceptions import (
    Bitrix24ConfigurationError,
    Bitrix24NoAnswerError,
    Bitrix24PollNotFoundError,
    Bitrix24RateLimitError,
)
from airflow_provider_b24.polls.poll import Poll
from airflow_provider_b24.polls.reference import PollReference, ReferenceKind, parse_reference
from airflow_provider_b24.rest.rate_limit import PLANS
from airflow_provider_b24.triggers.poll_watcher.fetcher import Reader
from airflow_provider_b24.triggers.poll_watcher.scheduler import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from airflow_provider_b24.triggers.poll_watcher.sorting import Reading

INFINITE = float("inf")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reader(portal: Emulator, clock: Clock) -> Reader:
    return Reader("bitrix24_default", connection_age=60.0, clock=clock)


def read(reader: Reader, *polls: Any, least: float = INFINITE, alone: bool = False) -> Reading:
    references = [parse_reference(poll) for poll in polls]
    request = Request([], references) if alone else Request([references], [])
    return reader.read(request, dict.fromkeys(references, least))


def test_only_polls_that_may_be_decided_are_read_in_full(
    portal: Emulator, reader: Reader, send: Callable[..., list[int]]
) -> None:
    silent, voted, stopped = send(3)
    portal.vote(voted, user_id=2, answers=["Yes"])
    portal.stop_poll(stopped)

    everything = read(reader, silent, voted, stopped, least=1).answers
    nothing = read(reader, silent, voted, stopped, least=2).answers

    assert [type(answer) for answer in everything.values()] == [type(None), Poll, Poll]
    assert [type(answer) for answer in nothing.values()] == [type(None), type(None), Poll]
    assert portal.requests.count("batch") == 2


def test_a_poll_reads_as_it_does_through_the_hook(
    portal: Emulator, reader: Reader, hook: Bitrix24Hook, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    portal.vote(message, user_id=2, answers=["Yes"])

    assert read(reader, message, least=0).answers[parse_reference(message)] == hook.polls.get(message)
    assert read(reader, message, least=0, alone=True).answers[parse_reference(message)] == hook.polls.get(
        message
    )


@pytest.mark.parametrize("kind", ["attach_id", "signed_attach_id", "post_id"])
def test_every_way_to_name_a_poll_is_read(
    portal: Emulator, reader: Reader, send: Callable[..., list[int]], kind: str
) -> None:
    (message,) = send()
    poll = portal.poll(message)
    named = {
        "attach_id": poll.attach_id,
        "signed_attach_id": portal.portal.polls.sign(poll),
        "post_id": portal.add_feed_post({"Lunch?": ["Yes", "No"]}),
    }[kind]
    reference = parse_reference({kind: named})

    (waiting,) = read(reader, reference, least=1, alone=True).answers.values()
    (whole,) = read(reader, reference, least=0, alone=True).answers.values()

    assert waiting is None
    assert isinstance(whole, Poll)


def test_an_attachment_with_the_number_of_a_message_does_not_hide_it(
    portal: Emulator, reader: Reader, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    portal.vote(message, user_id=2, answers=["Yes"])
    same_number = PollReference(ReferenceKind.ATTACH, message)
    reference = parse_reference(message)

    reading = reader.read(Request([[reference]], [same_number]), {reference: 1, same_number: INFINITE})

    assert isinstance(reading.answers[reference], Poll)
    assert isinstance(reading.answers[same_number], Bitrix24PollNotFoundError)


@pytest.mark.parametrize("post_first", [False, True])
def test_a_post_with_the_number_of_a_message_does_not_hide_it(
    portal: Emulator, reader: Reader, post_first: bool
) -> None:
    number = portal.add_feed_post({"Lunch?": ["Yes", "No"]})
    message, post = PollReference(ReferenceKind.MESSAGE, number), PollReference(ReferenceKind.POST, number)
    (question,) = portal.polls()[-1].questions.values()
    ballot = {str(question.id): [next(iter(question.answers))]}
    ballots.cast(portal.portal, portal.polls()[-1], user_id=2, ballot=ballot)
    least = {post: 1, message: INFINITE} if post_first else {message: INFINITE, post: 1}

    reading = reader.read(Request([[message], [post]], []), least)

    answer = reading.answers[post]
    assert isinstance(answer, Poll)
    assert answer.questions
    assert reading.suspects == [message]


def test_one_request_is_sent_whatever_comes_back(
    portal: Emulator, reader: Reader, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    portal.faults.add("status_502", times=None)

    with pytest.raises(Bitrix24NoAnswerError):
        read(reader, message)
    assert portal.requests.count() == 1


def test_a_refused_request_slows_the_whole_host_down(
    portal: Emulator, reader: Reader, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    before = reader.prepare()
    portal.faults.add("status_503_limit")

    with pytest.raises(Bitrix24RateLimitError):
        read(reader, message)

    assert before == 0.0
    assert Reader("bitrix24_default", connection_age=60.0).prepare() > 0.0


def test_places_in_the_bucket_are_reserved_and_not_waited_for(portal: Emulator, reader: Reader) -> None:
    pauses = [reader.prepare() for _ in range(52)]

    assert pauses[:48] == [0.0] * 48
    assert 0.0 < pauses[-1] <= 2.5


def test_the_plan_is_the_connections(portal: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, plan in PLANS.items():
        fields = portal.connection() | {"extra": {"plan": name}}
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(fields))
        reader = Reader("bitrix24_default", connection_age=60.0)
        reader.prepare()

        assert reader.plan == plan


def test_a_changed_connection_is_noticed_within_a_minute(
    portal: Emulator,
    reader: Reader,
    clock: Clock,
    send: Callable[..., list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (message,) = send()
    reader.prepare()
    with Emulator(plan="none") as other:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(other.connection()))
        clock.now += 59.0
        reader.prepare()
        read(reader, message)
        assert (portal.requests.count(), other.requests.count()) == (1, 0)

        clock.now += 1.0
        reader.prepare()
        read(reader, message)
        assert (portal.requests.count(), other.requests.count()) == (1, 1)


def test_a_connection_that_is_doubted_is_read_again_at_once(
    portal: Emulator, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.prepare()
    fields = portal.connection() | {"extra": {"plan": "enterprise"}}
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(fields))
    reader.doubt()
    reader.prepare()

    assert reader.plan == PLANS["enterprise"]


def test_an_unchanged_connection_keeps_its_session(
    portal: Emulator, reader: Reader, clock: Clock, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    for _ in range(3):
        reader.prepare()
        read(reader, message)
        clock.now += 61.0

    assert len({request.connection for request in portal.requests}) == 1


def test_a_connection_that_is_gone_is_an_error_of_its_own(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_BITRIX24_DEFAULT")

    with pytest.raises(Bitrix24ConfigurationError, match="no Airflow connection"):
        reader.prepare()


def test_an_application_renews_its_token_on_the_way(
    portal: Emulator, application: str, send: Callable[..., list[int]], airflow_database: None
) -> None:
    (message,) = send()
    reader = Reader(application, connection_age=60.0)
    reader.prepare()
    portal.expire_access_token()

    assert read(reader, message).answers == {parse_reference(message): None}
    assert portal.requests.count("batch") == 2

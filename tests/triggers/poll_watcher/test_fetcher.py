"""The poll watcher's reads, against a portal."""

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
from airflow_provider_b24.polls.request import PollRequest
from airflow_provider_b24.rest.rate_limit import PLANS
from airflow_provider_b24.triggers.poll_watcher.fetcher import PollFetcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from airflow_provider_b24.polls.bulk import BatchOutcome
    from tests.support.redis_server import RedisServer

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
def fetcher(portal: Emulator, clock: Clock) -> PollFetcher:
    return PollFetcher("bitrix24_default", connection_age=60.0, clock=clock)


def fetch(
    fetcher: PollFetcher, *polls: Any, min_voters: float = INFINITE, alone: bool = False
) -> BatchOutcome:
    references = [parse_reference(poll) for poll in polls]
    request = PollRequest([], references) if alone else PollRequest([references], [])
    return fetcher.fetch(request, dict.fromkeys(references, min_voters))


def test_only_polls_that_a_rule_may_decide_are_read_in_full(
    portal: Emulator, fetcher: PollFetcher, send: Callable[..., list[int]]
) -> None:
    silent, voted, stopped = send(3)
    portal.vote(voted, user_id=2, answers=["Yes"])
    portal.stop_poll(stopped)

    with_one_vote = fetch(fetcher, silent, voted, stopped, min_voters=1).answers
    with_two_votes = fetch(fetcher, silent, voted, stopped, min_voters=2).answers

    assert [type(answer) for answer in with_one_vote.values()] == [type(None), Poll, Poll]
    assert [type(answer) for answer in with_two_votes.values()] == [type(None), type(None), Poll]
    assert portal.requests.count("batch") == 2


def test_a_poll_is_the_same_as_the_hooks(
    portal: Emulator, fetcher: PollFetcher, hook: Bitrix24Hook, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    portal.vote(message, user_id=2, answers=["Yes"])

    assert fetch(fetcher, message, min_voters=0).answers[parse_reference(message)] == hook.polls.get(message)
    assert fetch(fetcher, message, min_voters=0, alone=True).answers[
        parse_reference(message)
    ] == hook.polls.get(message)


@pytest.mark.parametrize("kind", ["attach_id", "signed_attach_id", "post_id"])
def test_a_poll_is_read_by_every_way_to_name_it(
    portal: Emulator, fetcher: PollFetcher, send: Callable[..., list[int]], kind: str
) -> None:
    (message,) = send()
    poll = portal.poll(message)
    named = {
        "attach_id": poll.attach_id,
        "signed_attach_id": portal.portal.polls.sign(poll),
        "post_id": portal.add_feed_post({"Lunch?": ["Yes", "No"]}),
    }[kind]
    reference = parse_reference({kind: named})

    (waiting,) = fetch(fetcher, reference, min_voters=1, alone=True).answers.values()
    (whole,) = fetch(fetcher, reference, min_voters=0, alone=True).answers.values()

    assert waiting is None
    assert isinstance(whole, Poll)


def test_an_attachment_with_the_number_of_a_message_does_not_hide_it(
    portal: Emulator, fetcher: PollFetcher, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    portal.vote(message, user_id=2, answers=["Yes"])
    same_number = PollReference(ReferenceKind.ATTACH, message)
    reference = parse_reference(message)

    outcome = fetcher.fetch(PollRequest([[reference]], [same_number]), {reference: 1, same_number: INFINITE})

    assert isinstance(outcome.answers[reference], Poll)
    assert isinstance(outcome.answers[same_number], Bitrix24PollNotFoundError)


@pytest.mark.parametrize("post_first", [False, True])
def test_a_post_with_the_number_of_a_message_does_not_hide_it(
    portal: Emulator, fetcher: PollFetcher, post_first: bool
) -> None:
    number = portal.add_feed_post({"Lunch?": ["Yes", "No"]})
    message, post = PollReference(ReferenceKind.MESSAGE, number), PollReference(ReferenceKind.POST, number)
    (question,) = portal.polls()[-1].questions.values()
    ballot = {str(question.id): [next(iter(question.answers))]}
    ballots.cast(portal.portal, portal.polls()[-1], user_id=2, ballot=ballot)
    min_voters = {post: 1, message: INFINITE} if post_first else {message: INFINITE, post: 1}

    outcome = fetcher.fetch(PollRequest([[message], [post]], []), min_voters)

    answer = outcome.answers[post]
    assert isinstance(answer, Poll)
    assert answer.questions
    assert outcome.suspects == [message]


def test_a_fetch_sends_one_request_and_does_not_retry(
    portal: Emulator, fetcher: PollFetcher, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    portal.faults.add("status_502", times=None)

    with pytest.raises(Bitrix24NoAnswerError):
        fetch(fetcher, message)
    assert portal.requests.count() == 1


def test_a_refused_request_slows_the_whole_host_down(
    portal: Emulator, fetcher: PollFetcher, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    before = fetcher.reserve()
    portal.faults.add("status_503_limit")

    with pytest.raises(Bitrix24RateLimitError):
        fetch(fetcher, message)

    assert before == 0.0
    assert PollFetcher("bitrix24_default", connection_age=60.0).reserve() > 0.0


def test_reserve_returns_the_delay_and_does_not_wait(portal: Emulator, fetcher: PollFetcher) -> None:
    delays = [fetcher.reserve() for _ in range(52)]

    assert delays[:48] == [0.0] * 48
    assert 0.0 < delays[-1] <= 2.5


def test_the_plan_is_the_connections(portal: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, plan in PLANS.items():
        fields = portal.connection() | {"extra": {"plan": name}}
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(fields))
        fetcher = PollFetcher("bitrix24_default", connection_age=60.0)
        fetcher.reserve()

        assert fetcher.plan == plan


def test_a_changed_connection_is_noticed_within_a_minute(
    portal: Emulator,
    fetcher: PollFetcher,
    clock: Clock,
    send: Callable[..., list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (message,) = send()
    fetcher.reserve()
    with Emulator(plan="none") as other:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(other.connection()))
        clock.now += 59.0
        fetcher.reserve()
        fetch(fetcher, message)
        assert (portal.requests.count(), other.requests.count()) == (1, 0)

        clock.now += 1.0
        fetcher.reserve()
        fetch(fetcher, message)
        assert (portal.requests.count(), other.requests.count()) == (1, 1)


def test_reread_connection_reads_a_changed_connection_at_once(
    portal: Emulator, fetcher: PollFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetcher.reserve()
    fields = portal.connection() | {"extra": {"plan": "enterprise"}}
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(fields))
    fetcher.reread_connection()
    fetcher.reserve()

    assert fetcher.plan == PLANS["enterprise"]


def test_an_unchanged_connection_keeps_its_session(
    portal: Emulator, fetcher: PollFetcher, clock: Clock, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    for _ in range(3):
        fetcher.reserve()
        fetch(fetcher, message)
        clock.now += 61.0

    assert len({request.connection for request in portal.requests}) == 1


def test_a_missing_connection_is_a_configuration_error(
    fetcher: PollFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_BITRIX24_DEFAULT")

    with pytest.raises(Bitrix24ConfigurationError, match="no Airflow connection"):
        fetcher.reserve()


def test_an_application_refreshes_its_token(
    portal: Emulator, application: str, send: Callable[..., list[int]], airflow_database: None
) -> None:
    (message,) = send()
    fetcher = PollFetcher(application, connection_age=60.0)
    fetcher.reserve()
    portal.expire_access_token()

    assert fetch(fetcher, message).answers == {parse_reference(message): None}
    assert portal.requests.count("batch") == 2


def test_a_slot_is_one_of_the_bucket_that_hosts_share(
    shared_redis: RedisServer, fetcher: PollFetcher
) -> None:
    slots = [fetcher.reserve() for _ in range(48)]

    assert slots == [0.0] * 48
    assert PollFetcher("bitrix24_default", connection_age=60.0).reserve() > 0.0


def test_a_refusal_slows_down_the_hosts_that_share_the_bucket(
    shared_redis: RedisServer, portal: Emulator, fetcher: PollFetcher, send: Callable[..., list[int]]
) -> None:
    (message,) = send()
    fetcher.reserve()
    portal.faults.add("status_503_limit", method="batch")
    with pytest.raises(Bitrix24RateLimitError):
        fetch(fetcher, message)
    on_another_host = PollFetcher("bitrix24_default", connection_age=60.0)

    # A burst of twenty waits for nothing in a bucket that was not refused.
    assert [on_another_host.reserve() for _ in range(20)][-1] > 0.0

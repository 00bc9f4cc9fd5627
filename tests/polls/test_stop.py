"""Stopping and resuming, which only a poll's author may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.exceptions import Bitrix24AccessDeniedError, Bitrix24PollNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.polls.api import PollsApi

STOP = "vote.AttachedVote.stop"


def test_a_stopped_poll_is_finished_and_a_resumed_one_is_not(
    polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    assert polls.stop(message).is_finished
    assert polls.stop(message).is_finished
    assert not polls.resume(message).is_finished
    assert not polls.resume(message).is_finished


def test_stopping_a_stopped_poll_tells_the_chat_nothing_new(
    portal: Emulator, polls: PollsApi, chat: int, ask: Callable[..., int]
) -> None:
    message = ask()
    polls.stop(message)
    said = len(portal.messages(chat))
    polls.stop(message)
    assert len(portal.messages(chat)) == said


@pytest.mark.parametrize("kind", ["drop_after", "status_502", "html"])
def test_a_stop_whose_reply_is_lost_is_repeated(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int], kind: str
) -> None:
    message = ask()
    portal.faults.add(kind, method=STOP)
    assert polls.stop(message).is_finished
    assert portal.requests.count(STOP) == 2


@pytest.mark.parametrize(("documented", "code"), [(False, "510"), (True, "403")])
@pytest.mark.parametrize("action", ["stop", "resume"])
def test_only_the_author_may_stop_and_resume(
    *,
    portal: Emulator,
    ask: Callable[..., int],
    as_bob: Callable[[], PollsApi],
    action: str,
    documented: bool,
    code: str,
) -> None:
    message = ask()
    portal.quirks.documented_errors = documented
    with pytest.raises(Bitrix24AccessDeniedError) as caught:
        getattr(as_bob(), action)(message)
    assert caught.value.code == code
    assert "use the connection that sent it" in str(caught.value)
    assert not portal.poll(message).is_finished(portal.portal.clock())


@pytest.mark.parametrize("action", ["stop", "resume"])
def test_stop_and_resume_of_a_missing_poll_are_not_found(polls: PollsApi, action: str) -> None:
    with pytest.raises(Bitrix24PollNotFoundError):
        getattr(polls, action)(999_999)


def test_a_stop_and_the_read_after_it_are_two_requests(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    polls.stop(message)
    assert [request.method for request in portal.requests][-2:] == [STOP, "vote.AttachedVote.get"]

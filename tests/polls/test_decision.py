"""One read of a poll that is waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24Error,
    Bitrix24PollNotFoundError,
    Bitrix24PollUndecidedError,
    Bitrix24ValidationError,
)
from airflow_provider_b24.polls.decision import get_if_decided

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.polls.api import PollsApi


def test_an_open_poll_gives_none_and_a_decided_one_gives_itself(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    assert get_if_decided(polls, message, "stopped") is None
    assert get_if_decided(polls, message, {"quorum": 2}) is None
    portal.vote(message, user_id=2, answers=["Yes"])
    assert get_if_decided(polls, message, {"quorum": 2}) is None
    found = get_if_decided(polls, {"message_id": message}, "first_vote")
    assert found is not None
    assert (found.message_id, found.voters) == (message, 1)
    portal.stop_poll(message)
    assert get_if_decided(polls, message, "stopped") is not None


def test_a_rule_that_can_no_longer_be_met_is_an_error(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    portal.vote(message, user_id=2, answers=["Yes"])
    portal.stop_poll(message)
    with pytest.raises(Bitrix24PollUndecidedError, match="quorum of 3: the poll was stopped with 1 of 3"):
        get_if_decided(polls, message, {"quorum": 3})


@pytest.mark.parametrize(("poll", "rule"), [(None, "stopped"), (1, "soon")])
def test_bad_input_is_refused_without_a_request(
    portal: Emulator, polls: PollsApi, poll: Any, rule: Any
) -> None:
    with pytest.raises(Bitrix24ValidationError):
        get_if_decided(polls, poll, rule)
    assert portal.requests.count() == 0


def test_the_error_of_a_deleted_poll_is_not_transient(polls: PollsApi) -> None:
    with pytest.raises(Bitrix24PollNotFoundError) as caught:
        get_if_decided(polls, 999_999, "stopped")
    assert not caught.value.transient


@pytest.mark.parametrize("kind", ["drop_before", "status_502", "html", "status_503_limit", "operating_limit"])
def test_the_error_of_a_portal_that_is_down_or_limited_is_transient(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int], kind: str
) -> None:
    message = ask()
    portal.faults.add(kind, method="vote.AttachedVote.get", times=None)
    with pytest.raises(Bitrix24Error) as caught:
        get_if_decided(polls, message, "stopped")
    assert caught.value.transient

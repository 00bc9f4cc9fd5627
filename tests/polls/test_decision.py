"""One look at a poll that somebody waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24PollNotFoundError,
    Bitrix24PollUndecidedError,
    Bitrix24ValidationError,
)
from airflow_provider_b24.polls.decision import PASSING, look

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.polls.api import PollsApi


def test_an_open_poll_is_nothing_yet_and_a_decided_one_is_itself(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    assert look(polls, message, "stopped") is None
    assert look(polls, message, {"quorum": 2}) is None
    portal.vote(message, user_id=2, answers=["Yes"])
    assert look(polls, message, {"quorum": 2}) is None
    found = look(polls, {"message_id": message}, "first_vote")
    assert found is not None
    assert (found.message_id, found.voters) == (message, 1)
    portal.stop_poll(message)
    assert look(polls, message, "stopped") is not None


def test_a_rule_that_can_not_be_met_any_more_is_an_error(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    portal.vote(message, user_id=2, answers=["Yes"])
    portal.stop_poll(message)
    with pytest.raises(Bitrix24PollUndecidedError, match="quorum of 3: the poll was stopped with 1 of 3"):
        look(polls, message, {"quorum": 3})


@pytest.mark.parametrize(("poll", "rule"), [(None, "stopped"), (1, "soon")])
def test_bad_input_is_refused_without_a_look(portal: Emulator, polls: PollsApi, poll: Any, rule: Any) -> None:
    with pytest.raises(Bitrix24ValidationError):
        look(polls, poll, rule)
    assert portal.requests.count() == 0


def test_a_deleted_poll_is_no_trouble_that_passes(polls: PollsApi) -> None:
    with pytest.raises(Bitrix24PollNotFoundError) as caught:
        look(polls, 999_999, "stopped")
    assert not isinstance(caught.value, PASSING)


@pytest.mark.parametrize("kind", ["drop_before", "status_502", "html", "status_503_limit", "operating_limit"])
def test_a_portal_in_trouble_passes(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int], kind: str
) -> None:
    message = ask()
    portal.faults.add(kind, method="vote.AttachedVote.get", times=None)
    with pytest.raises(PASSING):
        look(polls, message, "stopped")

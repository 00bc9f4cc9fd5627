"""A poll's whole life through an OAuth application, whose token expires at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.polls.api import PollsApi
from tests.support.clients import client_of

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.polls.poll import Poll


def shown(poll: Poll) -> tuple[int, bool, bool]:
    return poll.voters, poll.is_voted, poll.is_finished


@pytest.fixture
def sent(portal: Emulator, chat: int) -> dict[str, Any]:
    """A poll that the application has sent."""
    polls = PollsApi(client_of(portal, auth="oauth"))
    return polls.send(chat_id=chat, question="Deploy?", answers=["Yes", "No"], allow_revote=True)


@pytest.mark.parametrize("expires", [False, True])
def test_a_poll_lives_through_an_application(portal: Emulator, sent: dict[str, Any], expires: bool) -> None:
    polls = PollsApi(client_of(portal, auth="oauth"))

    def step(name: str, *args: Any, **kwargs: Any) -> Any:
        if expires:
            portal.expire_access_token()
        return getattr(polls, name)(*args, **kwargs)

    assert shown(step("vote", sent, answers="Yes")) == (1, True, False)
    assert shown(step("recall", sent)) == (0, False, False)
    assert shown(step("vote", sent, answers="No")) == (1, True, False)
    assert shown(step("stop", sent)) == (1, True, True)
    assert shown(step("resume", sent)) == (1, True, False)
    assert [shown(poll) for poll in step("get_many", [sent, sent])] == [(1, True, False)] * 2
    assert [[person["id"] for person in people] for people in step("voters", sent).values()] == [[], [1]]
    assert b"Deploy?" in step("report", sent)
    assert {request.auth for request in portal.requests if request.auth} == {"oauth"}


@pytest.mark.usefixtures("airflow_database")
def test_the_hook_of_an_application_has_polls(portal: Emulator, application: str, chat: int) -> None:
    hook = Bitrix24Hook(application)
    portal.expire_access_token()
    message = hook.polls.send(chat_id=chat, question="Deploy?", answers=["Yes", "No"])["message_id"]
    assert hook.polls.get(message).message_id == message

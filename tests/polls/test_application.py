"""A poll's whole life through an OAuth application, whose token expires at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24NoAnswerError,
    Bitrix24OutcomeUnknownError,
    Bitrix24TokenRefreshError,
    Outcome,
)
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.polls.api import PollsApi
from tests.support.clients import client_of
from tests.support.oauth_failures import FAILURES, break_oauth_server

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.polls.poll import Poll

pytestmark = pytest.mark.slow


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


SEND = "vote.Integration.Im.send"
TEMPLATE = "f2b2a3d6-6b3c-4c57-8a26-3a1c7a7e0f11"


def send(portal: Emulator, chat: int, template_id: str | None = None) -> dict[str, int]:
    polls = PollsApi(client_of(portal, auth="oauth"), sleep=lambda _: None)
    return polls.send(chat_id=chat, question="Deploy?", answers=["Yes", "No"], template_id=template_id)


@pytest.mark.parametrize("name", FAILURES)
def test_a_send_while_the_oauth_server_fails_does_not_suspect_a_poll_in_the_chat(
    portal: Emulator, chat: int, name: str
) -> None:
    portal.expire_access_token()
    break_oauth_server(portal, name)
    for template_id in (None, TEMPLATE):
        with pytest.raises(Bitrix24NoAnswerError, match="OAuth server") as caught:
            send(portal, chat, template_id)
        error = caught.value

        assert (error.outcome, error.may_have_executed) == (Outcome.NOT_EXECUTED, False)
        assert "Let the task retry" in str(error)
        assert "in the chat" not in str(error)
    assert portal.polls() == []


def test_a_send_with_a_spent_refresh_token_keeps_the_advice_to_authorise_again(
    portal: Emulator, chat: int
) -> None:
    portal.expire_access_token()
    portal.portal.credentials.use_refresh_token(portal.application.refresh_token)
    with pytest.raises(Bitrix24TokenRefreshError, match="Authorise the application again"):
        send(portal, chat)


def test_a_poll_whose_vote_id_can_not_be_read_for_want_of_a_token_may_be_in_the_chat(
    portal: Emulator, chat: int
) -> None:
    """The first reply is lost, the second names the poll, and the token expires before it is read."""
    portal.faults.add("drop_after", method=SEND)
    portal.faults.add("expired_token", method="vote.AttachedVote.get", times=None)
    break_oauth_server(portal, "bad gateway")
    with pytest.raises(Bitrix24OutcomeUnknownError, match="Look whether the poll is in the chat"):
        send(portal, chat)

    assert len(portal.polls()) == 1


def test_a_send_after_a_lost_reply_may_be_in_the_chat_although_the_token_can_not_be_refreshed(
    portal: Emulator, chat: int
) -> None:
    portal.faults.add("drop_after", method=SEND)
    portal.faults.add("expired_token", method=SEND, times=None)
    break_oauth_server(portal, "bad gateway")
    with pytest.raises(Bitrix24OutcomeUnknownError, match="Look whether the poll is in the chat"):
        send(portal, chat)

    assert len(portal.polls()) == 1


def test_a_send_that_waits_for_its_first_copy_may_be_in_the_chat_when_the_oauth_server_fails(
    portal: Emulator, chat: int
) -> None:
    portal.faults.add("hold", method=SEND)

    def lose_the_token(_: float) -> None:
        portal.expire_access_token()
        break_oauth_server(portal, "bad gateway")

    polls = PollsApi(client_of(portal, auth="oauth", timeout=0.2), sleep=lose_the_token)
    with pytest.raises(Bitrix24OutcomeUnknownError, match="Look whether the poll is in the chat"):
        polls.send(chat_id=chat, question="Deploy?", answers=["Yes", "No"])

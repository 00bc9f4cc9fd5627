"""The end of an ask on a portal that does not answer: the task's own outcome is never hidden."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.asks.ask import Ask
from airflow_provider_b24.asks.closing import (
    announce,
    close_after_failure,
    close_after_kill,
    read_comments,
    stop_quietly,
)
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.crowd import Crowd

pytestmark = pytest.mark.usefixtures("impatient")

CONNECTION = "bitrix24_default"


@pytest.fixture
def ask(crowd: Crowd, hook: Bitrix24Hook) -> Ask:
    """What was asked in the crowd's chat."""
    sent = hook.polls.send(chat_id=crowd.chat, question="Deploy?", answers=["Yes", "No"])
    return Ask(
        message_id=sent["message_id"],
        chat_id=crowd.chat,
        question="Deploy?",
        rule="first_vote",
        voters=None,
        excluded=[],
        asked_at=time.time(),
        deadline=None,
        early=False,
    )


def is_open(crowd: Crowd) -> bool:
    return not crowd.polls[0].is_finished(crowd.portal.portal.clock() + 1)


@pytest.mark.parametrize(
    ("close", "said"),
    [
        (lambda ask: close_after_kill(CONNECTION, ask), "The poll could not be closed"),
        (lambda ask: close_after_failure(CONNECTION, ask, tell=True), "The poll stays open"),
        (lambda ask: stop_quietly(CONNECTION, ask.message_id), "The poll could not be stopped"),
        (lambda ask: announce(Bitrix24Hook(), ask, "Yes"), "The decision could not be posted"),
    ],
    ids=["kill", "failure", "stop", "announce"],
)
def test_a_portal_that_is_down_leaves_a_warning_and_no_error(
    crowd: Crowd, ask: Ask, caplog: pytest.LogCaptureFixture, close: Callable[[Ask], Any], said: str
) -> None:
    crowd.portal.faults.add("drop_before", times=None)

    close(ask)

    assert is_open(crowd)
    assert [record.levelname for record in caplog.records if said in record.getMessage()] == ["WARNING"]


def test_replies_that_can_not_be_read_are_none(
    crowd: Crowd, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    crowd.portal.faults.add("drop_before", times=None)

    assert read_comments(Bitrix24Hook(), ask) == []
    assert "could not be read" in caplog.text


def test_a_poll_that_is_closed_already_is_not_announced_again(crowd: Crowd, ask: Ask) -> None:
    crowd.portal.stop_poll(ask.message_id)
    before = crowd.texts()

    close_after_kill(CONNECTION, ask)

    assert crowd.texts() == before

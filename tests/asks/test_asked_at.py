"""When a poll was sent, for a retry that must not move the deadline."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.asks.asked_at import read_asked_at

if TYPE_CHECKING:
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from tests.support.crowd import Crowd

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def message_id(crowd: Crowd, hook: Bitrix24Hook) -> int:
    """The message of a poll in the crowd's chat."""
    return hook.polls.send(chat_id=crowd.chat, question="Deploy?", answers=["Yes", "No"])["message_id"]


def test_the_time_of_the_message_is_when_the_poll_was_sent(
    crowd: Crowd, hook: Bitrix24Hook, message_id: int
) -> None:
    asked_at = read_asked_at(hook, chat_id=crowd.chat, message_id=message_id)

    assert asked_at == pytest.approx(time.time(), abs=60)


def test_a_message_that_is_gone_has_no_time(crowd: Crowd, hook: Bitrix24Hook, message_id: int) -> None:
    hook.call("im.message.delete", {"MESSAGE_ID": message_id})

    assert read_asked_at(hook, chat_id=crowd.chat, message_id=message_id) is None


def test_a_portal_that_is_down_gives_no_time(crowd: Crowd, hook: Bitrix24Hook, message_id: int) -> None:
    crowd.portal.faults.add("drop_before", times=None)

    assert read_asked_at(hook, chat_id=crowd.chat, message_id=message_id) is None


@pytest.mark.parametrize("date", ["", "yesterday", "2026-01-01T00:00:00"])
def test_a_date_that_names_no_moment_gives_no_time(date: str) -> None:
    chats = SimpleNamespace(messages=lambda **_: [SimpleNamespace(id=7, date=date)])
    hook: Any = SimpleNamespace(chats=chats)

    assert read_asked_at(hook, chat_id=1, message_id=7) is None

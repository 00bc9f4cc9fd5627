"""Feeds whose pauses cost nothing, and polls for them to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.triggers.poll_watcher import watcher as feed
from airflow_provider_b24.triggers.poll_watcher.watcher import WatcherOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

#: As always, but a thousand times faster, and with the portal's limit to itself.
HASTY = WatcherOptions(share=1.0, base=0.002, longest=0.01, patience=0.05)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the feeds that triggers find by themselves be hasty."""
    monkeypatch.setattr(feed, "_options", lambda: HASTY)


@pytest.fixture
def send(portal: Emulator) -> Callable[..., list[int]]:
    """Post polls without a request and return their message ids."""
    chat = portal.chat(portal.add_chat("Team", members=[1, 2, 3, 4]))
    world = portal.portal

    def make(count: int = 1) -> list[int]:
        sent = []
        for number in range(count):
            question = world.polls.new_question(f"Deploy {number}?", [("Yes", ""), ("No", "")])
            poll = world.polls.save(1, [question])
            message = world.chats.post(chat, author_id=1, text=question.text)
            world.polls.attach(poll, message.id, chat_id=chat.id)
            sent.append(message.id)
        return sent

    return make

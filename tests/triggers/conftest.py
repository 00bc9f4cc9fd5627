"""Poll watchers whose delays cost nothing, and polls for them to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.triggers.poll_watcher import watcher
from airflow_provider_b24.triggers.poll_watcher.options import WatcherOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

#: The default with delays of milliseconds, and with the whole limit of the portal.
FAST = WatcherOptions(share=1.0, base_delay=0.002, max_delay=0.01, permanent_failure_timeout=0.05)


@pytest.fixture
def fast_watchers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the watchers that triggers find by themselves be fast."""
    monkeypatch.setattr(watcher, "read_options", lambda: FAST)


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

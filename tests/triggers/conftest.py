"""Feeds whose pauses cost nothing, and polls for them to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.triggers import feed
from airflow_provider_b24.triggers.feed import FeedOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

#: As always, but a thousand times faster, and with the portal's limit to itself.
HASTY = FeedOptions(share=1.0, base=0.002, longest=0.01, patience=0.05)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the feeds that triggers find by themselves be hasty."""
    monkeypatch.setattr(feed, "_options", lambda: HASTY)


@pytest.fixture
def send(portal: Emulator, hook: Bitrix24Hook) -> Callable[..., list[int]]:
    """Send polls and return their message ids; the portal forgets these requests."""
    chat = portal.add_chat("Team", members=[1, 2, 3, 4])

    def make(count: int = 1) -> list[int]:
        sent = [
            hook.polls.send(chat_id=chat, question=f"Deploy {n}?", answers=["Yes", "No"])["message_id"]
            for n in range(count)
        ]
        portal.requests.clear()
        return sent

    return make

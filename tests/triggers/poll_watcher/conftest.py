"""Poll watchers: one that reads a portal, and what one reads that does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.triggers.poll_watcher import watcher as watcher_module
from airflow_provider_b24.triggers.poll_watcher.watcher import PollWatcher
from tests.triggers.conftest import FAST
from tests.triggers.poll_watcher.waiting import FakeFetcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_b24.emulator import Emulator


@pytest.fixture
def watcher(portal: Emulator) -> PollWatcher:
    """A watcher of the fresh emulator's polls."""
    return PollWatcher("bitrix24_default", FAST)


@pytest.fixture
def fetcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFetcher]:
    """What every watcher reads instead of a portal."""
    fake = FakeFetcher()
    monkeypatch.setattr(watcher_module, "PollFetcher", lambda conn_id, connection_age: fake)
    yield fake
    fake.last = None

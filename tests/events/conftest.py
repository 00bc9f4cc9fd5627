"""A shop's open line, whose operators' replies wait in the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from tests.support.replies import Replies

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator


@pytest.fixture
def hook(application: str, airflow_database: None) -> Bitrix24Hook:
    """A hook of the application."""
    return Bitrix24Hook(application)


@pytest.fixture
def replies(portal: Emulator, hook: Bitrix24Hook) -> Replies:
    """Operators of a line to whose replies the application is subscribed."""
    hook.events.bind(event="ONIMCONNECTORMESSAGEADD")
    return Replies(portal)

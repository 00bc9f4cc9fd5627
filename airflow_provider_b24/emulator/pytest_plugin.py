"""Fixtures for tests of DAGs against an emulated Bitrix24; pytest loads them by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_b24.emulator.emulator import Emulator


@pytest.fixture
def bitrix24_emulator() -> Iterator[Emulator]:
    """A fresh portal on loopback, stopped after the test.

    Its limit of requests is off, so that a test need not wait; a test of the limit
    switches it on with ``bitrix24_emulator.limits.bucket.set_plan("standard")``.
    """
    from airflow_provider_b24.emulator import Emulator

    with Emulator(plan="none") as emulator:
        yield emulator


@pytest.fixture
def bitrix24_connection(bitrix24_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The portal of ``bitrix24_emulator``, with the connection ``bitrix24_default`` pointing at it.

    The connection is the environment variable AIRFLOW_CONN_BITRIX24_DEFAULT and
    uses the portal's webhook.
    """
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(bitrix24_emulator.connection()))
    return bitrix24_emulator

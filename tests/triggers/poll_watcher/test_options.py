"""How a poll watcher is configured."""

from __future__ import annotations

import pytest

from airflow_provider_b24.triggers.poll_watcher.options import WatcherOptions, read_options
from airflow_provider_b24.triggers.poll_watcher.watcher import watcher_of


@pytest.mark.parametrize(
    ("given", "share"), [(None, 0.25), ("0.1", 0.1), ("1", 1.0), ("0", 0.25), ("7", 0.25)]
)
def test_the_share_of_the_limit_is_an_option_of_airflow(
    given: str | None, share: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if given is not None:
        monkeypatch.setenv("AIRFLOW__BITRIX24__POLL_WATCHER_SHARE", given)

    assert read_options() == WatcherOptions(share=share)
    assert ("poll_watcher_share" in caplog.text) is (given in ("0", "7"))


@pytest.mark.asyncio
async def test_a_watcher_takes_its_options_from_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__BITRIX24__POLL_WATCHER_SHARE", "0.5")

    assert watcher_of("a")._options == WatcherOptions(share=0.5)

"""The page on notifications, run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.dag_runs import instance
from tests.support.snippets import run_snippets

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator


def test_the_page_s_snippets_run(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    left = run_snippets("notifications.md")
    *_, reminder = portal.messages(1489)
    assert reminder.text.startswith("[USER=2]Anna Petrova[/USER], [USER=3]Boris Klein[/USER]")

    run = run_dag(left["dag"])

    assert instance(run, "load").state == "failed"
    assert {message.text for message in portal.messages(1489)[-2:]} == {
        "The load begins",
        "[b]load[/b] failed",
    }
    private = portal.portal.chats.private(1, 2)
    assert [message.text for message in private.messages] == ["nightly_load needs you"]

"""The page on open lines, run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.snippets import run_snippets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from airflow_provider_b24.emulator import Emulator


def test_the_page_s_snippets_run(
    portal: Emulator,
    application: str,
    run_dag: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert application == "bitrix24_app"
    assert next(iter(portal.lines)).id == 12
    chat = portal.lines.add_crm_chat("deal", 288)
    monkeypatch.chdir(tmp_path)
    left = run_snippets("open_lines.md")
    assert left["report"].accepted == 1
    assert [message.text for message in portal.messages(chat)] == ["Your order is on its way."]
    assert run_dag(left["dag"]).state == "success"
    assert run_dag(left["night"]).state == "success"
    assert len((tmp_path / "report.jsonl").read_text().splitlines()) == 25
    texts = [message.text for message in portal.lines.messages(12)]
    assert "Where is my order? It was due on Monday." in texts

"""The pages on open lines and connectors, run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.dag_runs import xcom
from tests.support.snippets import claimed_blocks, each_snippet, run_snippets

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


def test_each_step_to_a_working_connector_runs(
    portal: Emulator,
    application: str,
    airflow_database: None,
    run_dag: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = portal.lines
    steps = each_snippet("connector.md")
    # Connect, choose the line.
    next(steps)
    next(steps)
    assert "12 Support True" in capsys.readouterr().out

    # Set up: the page shows what the task returns.
    run = run_dag(next(steps)["dag"])
    assert run.state == "success"
    assert xcom(run, "set_up")["changed"] == ["register", "activate", "set_data"]
    shown, item_shown = map(json.loads, claimed_blocks("connector.md", "json"))
    assert xcom(run, "set_up") == shown
    assert lines.delivers("acme_shop", 12)

    # Push.
    pushed = run_dag(next(steps)["push_dag"])
    item = xcom(pushed, "push")["items"][0]
    assert [message.text for message in lines.messages(12)] == ["Where is my order?"]

    # The operator's reply comes back as the event has it, and is marked.
    reply = lines.reply(item["chat_id"], "It is on its way.", user_id=6)
    event = {
        "im": {"chat_id": str(item["chat_id"]), "message_id": str(reply.id)},
        "message": {"user_id": "6", "text": "[b]Elena Rossi:[/b] [br]It is on its way."},
        "chat": {"id": "order-7"},
    }
    assert (item_shown["message"], item_shown["chat"]) == (event["message"], event["chat"])
    next(steps)["handle"](event)
    assert reply.params["CONNECTOR_MID"] == ["msg-1007"]

    # What was said, and a new name.
    names = next(steps)
    said = names["transcript"](item["session_id"])
    assert said == ["Ann Lee: Where is my order?", "Elena Rossi: It is on its way."]
    names["rename"]("order-7", "u42")
    assert portal.chat(item["chat_id"]).title == "order-7 (paid)"

    # Removed, and no step is left.
    next(steps)
    assert lines.connectors.get("acme_shop") is None
    assert next(steps, None) is None

"""Open lines from Python, as a test of a DAG sets them up and looks at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ..conftest import Caller


def send(
    caller: Caller, line: int, *, user: str = "u1", chat: str = "c1", text: str = "hi"
) -> dict[str, Any]:
    row = {"user": {"id": user}, "message": {"id": "1", "text": text}, "chat": {"id": chat}}
    params = {"CONNECTOR": "shop", "LINE": line, "MESSAGES": [row]}
    sent = caller.result("imconnector.send.messages", params, oauth=True)
    found: dict[str, Any] = sent["DATA"]["RESULT"][0]
    return found


def test_an_installed_connector_delivers_at_once(caller: Caller, portal: Emulator) -> None:
    line = portal.lines.add("Sales")
    portal.lines.install_connector("Shop", line)
    assert send(caller, line)["SUCCESS"] is True
    assert [message.text for message in portal.lines.messages(line)] == ["hi"]
    assert portal.lines.messages(12) == []


def test_conversation_returns_the_latest_one_of_the_line_or_of_an_outside_chat(
    caller: Caller, portal: Emulator
) -> None:
    portal.lines.install_connector("shop", 12)
    assert portal.lines.conversation(12) is None
    send(caller, 12, chat="c1")
    send(caller, 12, chat="c2")
    latest, first = portal.lines.conversation(12), portal.lines.conversation(12, chat="c1")
    assert latest is not None
    assert first is not None
    assert (latest.place.outside_chat, first.place.outside_chat) == ("c2", "c1")
    assert portal.lines.conversation(12, chat="c3") is None


def test_a_finished_conversation_goes_on_in_a_new_session(caller: Caller, portal: Emulator) -> None:
    portal.lines.install_connector("shop", 12)
    before = send(caller, 12)["session"]
    portal.lines.finish(int(before["CHAT_ID"]))
    after = send(caller, 12)["session"]
    assert after["CHAT_ID"] == before["CHAT_ID"]
    assert after["ID"] != before["ID"]
    entity = portal.chat(int(after["CHAT_ID"])).entity_data_1
    assert entity.split("|")[5] == after["ID"]


def test_reply_and_finish_refuse_a_chat_that_is_no_conversation(caller: Caller, portal: Emulator) -> None:
    for act in (
        lambda: portal.lines.reply(caller.general, "hi"),
        lambda: portal.lines.finish(caller.general),
    ):
        with pytest.raises(LookupError, match=f"Chat {caller.general} is no conversation"):
            act()


def test_bind_crm_refuses_an_unknown_type_of_item(portal: Emulator) -> None:
    with pytest.raises(ValueError, match="lead, deal, company, contact"):
        portal.lines.bind_crm("invoice", 1, 1489)


def test_a_guest_is_neither_employee_nor_operator(caller: Caller, portal: Emulator) -> None:
    portal.lines.install_connector("shop", 12)
    guest = int(send(caller, 12)["user"])
    assert guest not in [user.id for user in portal.portal.people.employees()]
    assert guest not in portal.lines.operators()


def test_the_control_api_shows_lines_and_conversations(caller: Caller, portal: Emulator) -> None:
    chat = portal.lines.add_crm_chat("deal", 288)
    [line] = caller.http.get(f"{portal.url}/emulator/state").json()["lines"]
    assert (line["id"], line["name"], line["active"]) == (12, "Support", True)
    assert [item["chat_id"] for item in line["conversations"]] == [chat]

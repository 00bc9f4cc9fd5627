"""The official Python SDK, as it is, speaks through the open lines of the emulated portal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("b24pysdk", reason="b24pysdk is not installed")

from b24pysdk.errors import (
    BitrixAPIAccessDenied,
    BitrixAPIBadRequest,
    BitrixAPIError,
    BitrixAPIWrongAuthType,
)

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

ICON = {"DATA_IMAGE": "data:image/svg+xml;charset=US-ASCII,%3Csvg%2F%3E"}
HANDLER = "https://127.0.0.1/settings"


# ---- connectors ----


@pytest.fixture
def line(application: Any) -> int:
    """A line on which the application's connector works."""
    registered = application.imconnector.register(
        bitrix_id="Airflow_Conn", name="Airflow", icon=ICON, placement_handler=HANDLER, chat_group=False
    ).result
    assert registered == {"result": True}
    number = int(application.imopenlines.config.list.get().result[0]["ID"])
    assert application.imconnector.activate("airflow_conn", number, True).result is True
    return number


def row(outside_id: str, text: str = "Load failed", *, user: str = "u42") -> dict[str, Any]:
    return {
        "user": {"id": user, "name": "Air", "last_name": "Flow"},
        "message": {"id": outside_id, "date": 1760000000, "text": text},
        "chat": {"id": "dag-x", "name": "dag x", "url": "https://af.example/dags/x"},
    }


def test_a_connector_is_registered_switched_on_and_off(application: Any, line: int) -> None:
    status = application.imconnector.status("airflow_conn", line=line).result
    assert status == {
        "LINE": line,
        "CONNECTOR": "airflow_conn",
        "ERROR": False,
        "CONFIGURED": True,
        "STATUS": True,
    }
    assert application.imconnector.list().result["airflow_conn"] == "Airflow"
    data = {"ID": "1", "NAME": "Airflow", "URL": "https://af.example"}
    assert application.imconnector.connector.data.set("airflow_conn", line, data).result is True
    assert application.imconnector.activate("airflow_conn", line, False).result is True
    assert application.imconnector.status("airflow_conn", line=line).result["STATUS"] is False
    assert application.imconnector.unregister(bitrix_id="airflow_conn").result == {"result": True}


def test_a_registration_that_fails_says_so_with_http_200(application: Any) -> None:
    with pytest.raises(BitrixAPIError) as refused:
        _ = application.imconnector.register(
            bitrix_id="x", name="x", icon={"COLOR": "#fff"}, placement_handler=HANDLER
        ).result
    assert (refused.value.error, refused.value.response.status_code) == ("ICON_REQUIRED", 200)


@pytest.mark.parametrize("nested", [False, True])
def test_a_connector_that_the_portal_does_not_save_is_an_error(
    application: Any, portal: Emulator, nested: bool
) -> None:
    portal.quirks.nested_register_errors = nested
    portal.lines.connectors.refuse("x")
    request = application.imconnector.register(bitrix_id="x", name="x", icon=ICON, placement_handler=HANDLER)
    if nested:
        # The SDK takes what the documentation shows for a result.
        assert (request.result["result"], request.result["error"]) == (
            False,
            "APPLICATION_REGISTRATION_ERROR",
        )
    else:
        with pytest.raises(BitrixAPIError) as refused:
            _ = request.result
        assert refused.value.error == "APPLICATION_REGISTRATION_ERROR"


def test_switching_off_what_is_off_is_a_success(application: Any, line: int) -> None:
    results = [application.imconnector.activate("airflow_conn", line, False).result for _ in range(2)]
    assert results == [True, True]
    assert application.imconnector.status("airflow_conn", line=line).result["STATUS"] is False


def test_an_application_keeps_settings(application: Any) -> None:
    assert application.user.option.set({"airflow_connector_x": "digest"}).result is True
    assert application.user.option.get(option="airflow_connector_x").result == "digest"
    assert application.user.option.get().result == {"airflow_connector_x": "digest"}
    assert application.user.option.get(option="other").result is None


def test_each_message_of_a_call_has_its_own_status(application: Any, portal: Emulator, line: int) -> None:
    rows = [row("run-1"), row("run-2", text="")]
    sent = application.imconnector.send.messages("airflow_conn", line, rows).result
    good, bad = sent["DATA"]["RESULT"]
    assert (sent["SUCCESS"], good["SUCCESS"], bad["SUCCESS"]) == (True, True, False)
    assert good["message"] == {"id": "run-1", "date": {}, "text": "Load failed"}
    assert good["chat"]["description"].endswith("https://af.example/dags/x")
    assert set(good["session"]) == {"ID", "CHAT_ID"}
    assert bad == {"SUCCESS": False, "ERRORS": ["Not all required data was provided"]}
    messages = portal.messages(int(good["session"]["CHAT_ID"]))
    assert [message.text for message in messages] == ["Load failed"]


def test_messages_are_changed_and_deleted(application: Any, portal: Emulator, line: int) -> None:
    sent = application.imconnector.send.messages("airflow_conn", line, [row("a"), row("b")]).result
    chat = int(sent["DATA"]["RESULT"][0]["session"]["CHAT_ID"])
    changed = application.imconnector.update.messages("airflow_conn", line, [row("a", "Load is back")]).result
    deleted = application.imconnector.delete.messages("airflow_conn", line, [row("b")]).result
    assert changed["SUCCESS"] is deleted["SUCCESS"] is True
    assert "session" not in changed["DATA"]["RESULT"][0]
    assert [message.text for message in portal.messages(chat)] == ["Load is back"]


def test_deliveries_names_and_errors_are_reported(application: Any, portal: Emulator, line: int) -> None:
    sent = application.imconnector.send.messages("airflow_conn", line, [row("a")]).result
    chat = int(sent["DATA"]["RESULT"][0]["session"]["CHAT_ID"])
    answer = portal.portal.lines.reply(chat, "Thank you")
    state = {
        "im": {"chat_id": chat, "message_id": answer.id},
        "message": {"id": ["out-1"]},
        "chat": {"id": "dag-x"},
    }
    quiet = {"SUCCESS": True, "DATA": []}
    assert application.imconnector.send.status.delivery("airflow_conn", line, [state]).result == quiet
    assert application.imconnector.send.status.reading("airflow_conn", line, [state]).result == quiet
    named = application.imconnector.chat.name.set(
        "airflow_conn", line, "dag-x", "Night", user_id="u42"
    ).result
    assert named["SUCCESS"] is True
    assert portal.chat(chat).title == "Night"


def test_connectors_are_not_for_webhooks(webhook: Any) -> None:
    with pytest.raises(BitrixAPIWrongAuthType):
        _ = webhook.imconnector.list().result


def test_a_line_that_is_off_is_named(application: Any, line: int) -> None:
    with pytest.raises(BitrixAPIBadRequest) as refused:
        _ = application.imconnector.send.messages("airflow_conn", line + 100, [row("a")]).result
    assert refused.value.error == "NOT_ACTIVE_LINE"


def test_connector_messages_go_in_batches_too(application: Any, line: int) -> None:
    calls = [application.imconnector.send.messages("airflow_conn", line, [row(f"run-{n}")]) for n in range(2)]
    results = application.call_batch(calls).result.result
    assert [item["DATA"]["RESULT"][0]["SUCCESS"] for item in results] == [True, True]


# ---- open lines ----


def test_a_message_reaches_the_chat_of_a_deal(webhook: Any, portal: Emulator) -> None:
    chat = portal.portal.lines.add_crm_chat("deal", 288)
    listed = webhook.imopenlines.crm.chat.get("deal", 288).result
    assert listed == [{"CHAT_ID": str(chat), "CONNECTOR_ID": "livechat", "CONNECTOR_TITLE": "Live chat"}]
    assert webhook.imopenlines.crm.chat.get_last_id("deal", 288).result == chat
    message_id = webhook.imopenlines.crm.message.add("deal", 288, 2, chat, "Paid").result
    assert [message.id for message in portal.messages(chat)] == [message_id]
    found = webhook.imopenlines.dialog.get(chat_id=chat).result
    assert (found["entity_type"], found["dialog_id"]) == ("LINES", f"chat{chat}")
    assert found["entity_data_1"].startswith("Y|DEAL|288|")
    history = webhook.imopenlines.session.history.get(chat_id=chat).result
    assert history["message"][str(message_id)]["text"] == "Paid"


def test_a_chat_of_another_deal_is_refused(webhook: Any, portal: Emulator) -> None:
    chat = portal.portal.lines.add_crm_chat("deal", 288)
    with pytest.raises(BitrixAPIBadRequest) as refused:
        _ = webhook.imopenlines.crm.message.add("deal", 289, 2, chat, "Paid").result
    assert refused.value.error == "CHAT_NOT_IN_CRM"


def test_an_item_that_is_hidden_is_refused(webhook: Any, portal: Emulator) -> None:
    portal.portal.lines.bindings.deny("deal", 288, 1)
    with pytest.raises(BitrixAPIAccessDenied):
        _ = webhook.imopenlines.crm.chat.get("deal", 288).result


def test_lines_are_listed_in_pages(webhook: Any, portal: Emulator) -> None:
    portal.portal.lines.add("Night shift")
    page = {"select": ["ID"], "order": {"ID": "desc"}, "limit": 1, "offset": 1}
    assert webhook.imopenlines.config.list.get(params=page).result == [{"ID": "12"}]
    with pytest.raises(BitrixAPIBadRequest) as refused:
        _ = webhook.imopenlines.config.list.get(params={"title": "x"}).result
    assert refused.value.error == "INVALID_FORMAT"


def test_a_session_that_is_not_there_has_no_history(webhook: Any) -> None:
    with pytest.raises(BitrixAPIError) as refused:
        _ = webhook.imopenlines.session.history.get(session_id=1).result
    assert refused.value.error == "ACCESS_DENIED"
    with pytest.raises(BitrixAPIError) as refused:
        _ = webhook.imopenlines.session.history.get(chat_id=1).result
    assert refused.value.error == "INVALID_SESSION_ID"


def test_lines_are_configured(webhook: Any, portal: Emulator) -> None:
    line = portal.portal.lines.add("Night shift")
    found = webhook.imopenlines.config.get(line, with_queue=True).result
    assert (found["ID"], found["LINE_NAME"], found["ACTIVE"]) == (str(line), "Night shift", "Y")
    assert found["QUEUE"]


# ---- offline events ----


def test_an_operator_s_reply_is_reserved_and_cleared(application: Any, portal: Emulator, line: int) -> None:
    assert application.event.bind("ONIMCONNECTORMESSAGEADD", event_type="offline").result is True
    (bound,) = application.event.get().values
    assert (bound.event, bound.offline) == ("ONIMCONNECTORMESSAGEADD", True)
    sent = application.imconnector.send.messages("airflow_conn", line, [row("run-1")]).result
    chat = int(sent["DATA"]["RESULT"][0]["session"]["CHAT_ID"])
    reply = portal.lines.reply(chat, "Restarted")

    reserved = application.event.offline.get(clear=False, filter={"=EVENT_NAME": "ONIMCONNECTORMESSAGEADD"})
    (event,) = reserved.values
    assert event.event_data["MESSAGES"][0]["im"] == {"chat_id": chat, "message_id": reply.id}
    process = reserved.result["process_id"]
    (listed,) = application.event.offline.list(filter={">PROCESS_ID": ""}).result
    assert listed["PROCESS_ID"] == process
    assert application.event.offline.clear(process, bitrix_id=[int(listed["ID"])]).result is True
    assert application.event.offline.list().result == []
    assert application.event.unbind("ONIMCONNECTORMESSAGEADD", event_type="offline").value == 1


def test_a_failed_event_is_marked_and_read_again(application: Any, portal: Emulator) -> None:
    _ = application.event.bind("ONCRMDEALUPDATE", event_type="offline").result
    portal.raise_event("ONCRMDEALUPDATE", {"FIELDS": {"ID": "7"}})
    reserved = application.event.offline.get(clear=False)
    keys = [event["MESSAGE_ID"] for event in reserved.result["events"]]
    assert application.event.offline.error(reserved.result["process_id"], message_id=keys).result is True
    assert application.event.offline.get(clear=False).result["events"] == []
    assert len(application.event.offline.get(error=True).result["events"]) == 1


def test_a_plan_without_reservations_says_so(application: Any, portal: Emulator) -> None:
    portal.quirks.offline_extended = False
    assert application.feature.get("rest_offline_extended").result == {"value": "N"}
    with pytest.raises(BitrixAPIError) as refused:
        _ = application.event.offline.get(clear=False).result
    assert (refused.value.error, refused.value.response.status_code) == ("WRONG_LICENSE", 403)

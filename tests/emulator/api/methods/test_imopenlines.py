"""imopenlines.*: the chats of CRM items, conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ...conftest import Caller

ADD = "imopenlines.crm.message.add"
DEAL = {"CRM_ENTITY_TYPE": "deal", "CRM_ENTITY": 288}


@pytest.fixture
def chat(portal: Emulator) -> int:
    return portal.lines.add_crm_chat("deal", 288, title="Order 4711")


def message(chat: int, **more: Any) -> dict[str, Any]:
    return {**DEAL, "USER_ID": 2, "CHAT_ID": chat, "MESSAGE": "Paid", **more}


# ---- messages into CRM chats ----


def test_a_message_is_posted_as_the_employee(caller: Caller, portal: Emulator, chat: int) -> None:
    sent = caller.result(ADD, message(chat, CRM_ENTITY="288", CHAT_ID=str(chat)))
    [posted] = portal.messages(chat)
    assert (posted.id, posted.author_id, posted.text) == (sent, 2, "Paid")


@pytest.mark.parametrize("kind", ["lead", "deal", "company", "contact", "DEAL"])
def test_a_message_is_added_to_the_chat_of_each_type_of_item(
    caller: Caller, portal: Emulator, kind: str
) -> None:
    chat = portal.lines.add_crm_chat(kind, 5)
    assert caller.result(ADD, message(chat, CRM_ENTITY_TYPE=kind, CRM_ENTITY=5))


@pytest.mark.parametrize("name", ["CRM_ENTITY_TYPE", "CRM_ENTITY", "USER_ID", "CHAT_ID", "MESSAGE"])
@pytest.mark.parametrize("value", [None, "", 0, "0", False])
def test_a_parameter_that_php_calls_empty_is_refused_as_missing(
    caller: Caller, chat: int, name: str, value: object
) -> None:
    reply = caller.post(ADD, message(chat, **{name: value}))
    body = reply.json()
    assert (reply.status_code, body["error"], body["argument"]) == (400, "ERROR_ARGUMENT", name)
    assert body["error_description"] == f"Argument '{name}' is null or empty"


@pytest.mark.parametrize("name", ["CRM_ENTITY", "USER_ID", "CHAT_ID"])
@pytest.mark.parametrize("value", ["abc", -1, "-1", [1]])
def test_an_id_that_is_not_a_positive_number_is_refused(
    caller: Caller, chat: int, name: str, value: object
) -> None:
    body = caller.post(ADD, message(chat, **{name: value})).json()
    assert (body["error"], body["argument"]) == ("ERROR_ARGUMENT", name)
    assert body["error_description"] == f"The value of an argument '{name}' has an invalid type"


def test_the_first_missing_parameter_is_named(caller: Caller) -> None:
    named = [
        caller.post(ADD, params).json()["argument"] for params in ({}, {"CRM_ENTITY_TYPE": "deal"}, DEAL)
    ]
    assert named == ["CRM_ENTITY_TYPE", "CRM_ENTITY", "USER_ID"]


def test_parameter_names_in_lower_case_are_refused(caller: Caller, chat: int) -> None:
    small = {name.lower(): value for name, value in message(chat).items()}
    assert caller.error(ADD, small) == (400, "ERROR_ARGUMENT")


def test_a_chat_of_another_item_is_refused(caller: Caller, portal: Emulator, chat: int) -> None:
    assert caller.error(ADD, message(chat, CRM_ENTITY=289)) == (400, "CHAT_NOT_IN_CRM")
    assert caller.error(ADD, message(caller.general)) == (400, "CHAT_NOT_IN_CRM")
    assert portal.messages(chat) == []


def test_a_user_outside_the_chat_is_refused(caller: Caller, portal: Emulator, chat: int) -> None:
    stranger = portal.add_user("New Colleague")
    assert caller.error(ADD, message(chat, USER_ID=stranger)) == (400, "CANCELED")


def test_a_message_of_blanks_is_refused(caller: Caller, chat: int) -> None:
    assert caller.error(ADD, message(chat, MESSAGE="  ")) == (400, "MESSAGE_ADD_ERROR")


def test_an_item_hidden_from_the_user_or_the_caller_is_refused(
    caller: Caller, portal: Emulator, chat: int
) -> None:
    portal.lines.bindings.deny("deal", 288, 2)
    reply = caller.post(ADD, message(chat))
    assert (reply.status_code, reply.json()["error"]) == (403, "ACCESS_DENIED")
    assert reply.json()["error_description"] == "Access denied! User dont have access to this entity"
    portal.lines.bindings.deny("deal", 288, 1)
    assert caller.post(ADD, message(chat)).json()["error_description"].endswith("to this action")
    assert caller.error(ADD, message(chat, CRM_ENTITY_TYPE="quote")) == (403, "ACCESS_DENIED")
    assert caller.error(ADD, message(chat, USER_ID=999)) == (403, "ACCESS_DENIED")


# ---- chats of CRM items ----


def test_an_items_chats_are_listed_with_their_connectors(caller: Caller, portal: Emulator, chat: int) -> None:
    portal.lines.install_connector("shop", 12, name="The shop")
    row = {"user": {"id": "u1"}, "message": {"text": "hi"}, "chat": {"id": "order-1"}}
    params = {"CONNECTOR": "shop", "LINE": 12, "MESSAGES": [row]}
    caller.result("imconnector.send.messages", params, oauth=True)
    talk = portal.lines.conversation(12, chat="order-1")
    assert talk is not None
    portal.lines.bind_crm("deal", 288, talk.chat.id)
    assert caller.result("imopenlines.crm.chat.get", DEAL) == [
        {"CHAT_ID": str(chat), "CONNECTOR_ID": "livechat", "CONNECTOR_TITLE": "Live chat"},
        {"CHAT_ID": str(talk.chat.id), "CONNECTOR_ID": "shop", "CONNECTOR_TITLE": "The shop"},
    ]
    assert caller.result("imopenlines.crm.chat.getLastId", DEAL) == talk.chat.id


def test_finished_chats_are_listed_only_when_asked_for(caller: Caller, portal: Emulator, chat: int) -> None:
    portal.lines.finish(chat)
    assert caller.result("imopenlines.crm.chat.get", DEAL) == []
    assert caller.result("imopenlines.crm.chat.get", {**DEAL, "ACTIVE_ONLY": "Y"}) == []
    found = caller.result("imopenlines.crm.chat.get", {**DEAL, "ACTIVE_ONLY": "N"})
    assert [item["CHAT_ID"] for item in found] == [str(chat)]


def test_an_item_without_chats_has_an_empty_list_and_no_last_chat(caller: Caller) -> None:
    assert caller.result("imopenlines.crm.chat.get", DEAL) == []
    body = caller.post("imopenlines.crm.chat.getLastId", DEAL).json()
    assert (body["error"], body["error_description"]) == (
        "CRM_CHAT_EMPTY_CRM_DATA",
        "Could not find CRM entity",
    )
    assert caller.post("imopenlines.crm.chat.getLastId").json()["error_description"] == "Empty CRM data"


@pytest.mark.parametrize("method", ["imopenlines.crm.chat.get", "imopenlines.crm.chat.getLastId"])
def test_an_item_id_that_is_not_a_positive_number_is_refused(caller: Caller, method: str) -> None:
    body = caller.post(method, {**DEAL, "CRM_ENTITY": "x1"}).json()
    assert (body["error"], body["argument"]) == ("ERROR_ARGUMENT", "CRM_ENTITY")


# ---- conversations ----


def test_a_dialog_is_found_by_chat_dialog_session_and_user_code(
    caller: Caller, portal: Emulator, chat: int
) -> None:
    talk = portal.lines.conversations.by_chat(chat)
    assert talk is not None
    ways = [
        {"CHAT_ID": chat},
        {"dialog_id": f"chat{chat}"},
        {"Session_Id": talk.session_id},
        {"USER_CODE": talk.place.code},
        {"USER_CODE": f"imol|{talk.place.code}"},
    ]
    found = [caller.result("imopenlines.dialog.get", way) for way in ways]
    assert {item["id"] for item in found} == {chat}
    assert found[0]["entity_id"] == talk.place.code
    assert found[0]["entity_type"] == "LINES"
    assert found[0]["entity_data_1"].split("|")[:6] == ["Y", "DEAL", "288", "N", "N", str(talk.session_id)]
    assert found[0]["dialog_id"] == f"chat{chat}"


def test_a_chat_id_takes_precedence_over_a_session_id(caller: Caller, portal: Emulator, chat: int) -> None:
    talk = portal.lines.conversations.by_chat(chat)
    assert talk is not None
    params = {"CHAT_ID": 1, "SESSION_ID": talk.session_id}
    assert caller.error("imopenlines.dialog.get", params) == (400, "ACCESS_ERROR")


@pytest.mark.parametrize(
    "params", [{}, {"CHAT_ID": 1489}, {"DIALOG_ID": 2}, {"DIALOG_ID": "chatx"}, {"USER_CODE": "a|1|2|3"}]
)
def test_a_reference_to_no_dialog_of_a_line_is_refused(caller: Caller, params: dict[str, Any]) -> None:
    assert caller.error("imopenlines.dialog.get", params) == (400, "ACCESS_ERROR")


def test_the_history_has_the_newest_message_first(caller: Caller, portal: Emulator, chat: int) -> None:
    first = portal.lines.reply(chat, "hello", user_id=6)
    second = portal.lines.reply(chat, "are you there?", user_id=6)
    found = caller.result("imopenlines.session.history.get", {"CHAT_ID": chat})
    assert list(found["message"]) == [str(second.id), str(first.id)]
    assert found["message"][str(first.id)]["senderid"] == "6"
    assert found["users"]["6"]["name"] == "Elena Rossi"
    by_session = caller.result("imopenlines.session.history.get", {"SESSION_ID": found["sessionId"]})
    assert by_session == found


def test_an_empty_history_has_lists_in_place_of_maps(caller: Caller, chat: int) -> None:
    found = caller.result("imopenlines.session.history.get", {"CHAT_ID": chat})
    assert (found["message"], found["users"]) == ([], [])


def test_a_history_that_cannot_be_read_is_refused_with_a_code_for_each_cause(
    caller: Caller, portal: Emulator, chat: int
) -> None:
    method = "imopenlines.session.history.get"
    assert caller.error(method) == (400, "MISSING_REQUIRED_PARAM")
    assert caller.error(method, {"chat_id": chat}) == (400, "MISSING_REQUIRED_PARAM")
    assert caller.error(method, {"SESSION_ID": 1}) == (400, "ACCESS_DENIED")
    assert caller.error(method, {"CHAT_ID": 1}) == (400, "INVALID_SESSION_ID")
    assert caller.error(method, {"CHAT_ID": caller.general}) == (400, "INVALID_SESSION_ID")


def test_a_history_is_closed_to_who_is_neither_in_the_chat_nor_an_administrator(
    caller: Caller, portal: Emulator, chat: int
) -> None:
    portal.chat(chat).members.remove(1)
    assert caller.result("imopenlines.session.history.get", {"CHAT_ID": chat})["chatId"] == chat
    user = portal.portal.people.get(1)
    assert user is not None
    user.admin = False
    assert caller.error("imopenlines.session.history.get", {"CHAT_ID": chat}) == (400, "ACCESS_DENIED")

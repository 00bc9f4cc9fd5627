"""imconnector.*: how each message of a connector is accepted, changed or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .shop import Shop, row

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ...conftest import Caller

NOT_ALL = "Not all required data was provided"


@pytest.fixture
def shop(caller: Caller) -> Shop:
    shop = Shop(caller)
    caller.portal.lines.install_connector("shop", shop.line)
    return shop


# ---- messages ----


def test_the_reply_to_an_accepted_message_has_its_processed_fields_and_its_session(
    shop: Shop, portal: Emulator
) -> None:
    sent = row(
        user={"skip_phone_validate": "Y", "last_name": "Lind"},
        message={"disable_crm": "Y"},
        chat={"name": "Order 1", "url": "https://shop.example/1"},
    )
    [back] = shop.send(sent)
    conversation = portal.lines.conversation(shop.line)
    assert conversation is not None
    assert back == {
        "user": str(conversation.place.user_id),
        "message": {"id": "m1", "date": {}, "text": "hello"},
        "chat": {
            "id": "order-1",
            "name": "Order 1",
            "description": "Link to the original post: https://shop.example/1",
        },
        "extra": {"skip_phone_validate": "Y", "disable_tracker": "Y"},
        "SUCCESS": True,
        "session": {"ID": str(conversation.session_id), "CHAT_ID": str(conversation.chat.id)},
    }
    [message] = portal.lines.messages(shop.line)
    guest = portal.portal.people.get(message.author_id)
    assert guest is not None
    assert (message.text, guest.full_name, guest.external) == ("hello", "Maria Lind", True)


def test_a_message_has_the_time_of_arrival_and_not_its_own_date(
    shop: Shop, portal: Emulator, clock: Any
) -> None:
    shop.send(row())
    assert portal.lines.messages(shop.line)[0].date == clock.now


def test_the_same_message_twice_is_two_messages(shop: Shop, portal: Emulator) -> None:
    shop.send(row())
    shop.send(row())
    assert len(portal.lines.messages(shop.line)) == 2


def test_each_message_has_its_own_errors(shop: Shop, portal: Emulator) -> None:
    portal.lines.reject("u9", "Blocked")
    rows = [
        row("good"),
        row("no text", None),
        row("no id", user={"id": ""}),
        row("rejected", user={"id": "u9"}),
        {"user": {}, "message": {"text": "x"}, "chat": {"id": 1}},
        row("odd", type_message={}) | {"type_message": "telegram"},
        row("file", None, message={"files": [{"url": "https://shop.example/a.png?x=1"}]}),
    ]
    back = shop.send(*rows)
    assert [item["SUCCESS"] for item in back] == [True, False, False, False, False, False, True]
    assert [item.get("ERRORS") for item in back[1:6]] == [
        [NOT_ALL],
        ["The messenger user id was not received"],
        ["Blocked"],
        [NOT_ALL],
        ["Unsupported type of incoming message"],
    ]
    assert all(set(item) == {"SUCCESS", "ERRORS"} for item in back[1:6])
    assert [message.text for message in portal.lines.messages(shop.line)] == ["hello", ""]
    assert portal.lines.messages(shop.line)[1].params["FILES"][0]["name"] == "a.png"


def test_a_rejected_person_may_be_accepted_again(shop: Shop, portal: Emulator) -> None:
    portal.lines.reject("u1")
    assert shop.send(row())[0]["SUCCESS"] is False
    portal.lines.accept("u1")
    assert shop.send(row())[0]["SUCCESS"] is True


def test_a_paused_line_accepts_a_message_without_a_session(shop: Shop, portal: Emulator) -> None:
    portal.lines.pause(shop.line)
    [back] = shop.send(row())
    assert back["SUCCESS"] is True
    assert "session" not in back
    assert portal.lines.messages(shop.line) == []
    portal.lines.unpause(shop.line)
    assert "session" in shop.send(row())[0]


def test_keys_are_case_insensitive(shop: Shop, portal: Emulator) -> None:
    upper = {
        "USER": {"ID": "u1", "Name": "M"},
        "Message": {"Id": 1, "TEXT": "upper"},
        "CHAT": {"iD": "order-1"},
    }
    params = {"connector": "shop", "Line": str(shop.line), "messages": [upper]}
    sent = caller_result(shop, params)
    assert sent["DATA"]["RESULT"][0]["message"] == {"id": 1, "text": "upper"}
    assert portal.lines.messages(shop.line)[0].text == "upper"


def caller_result(shop: Shop, params: dict[str, Any]) -> Any:
    return shop.caller.result("imconnector.send.messages", params, oauth=True)


def test_results_have_the_keys_of_the_messages(shop: Shop) -> None:
    sent = shop.result("send.messages", MESSAGES={"first": row(), "second": row()})
    assert list(sent["DATA"]["RESULT"]) == ["first", "second"]


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ("hello", "The value of an argument 'MESSAGES' must be of type array"),
        (["hello"], "The MESSAGES parameter must be an array of messages (arrays)"),
        ([{"user": {"id": 1}}], "The incorrect structure of a message inside MESSAGES parameter."),
        ([[]], "The incorrect structure of a message inside MESSAGES parameter."),
    ],
)
def test_a_malformed_call_delivers_nothing(shop: Shop, portal: Emulator, messages: Any, text: str) -> None:
    wanted = [row(), *messages] if isinstance(messages, list) else messages
    body = shop.caller.post("imconnector.send.messages", shop.params(MESSAGES=wanted), oauth=True).json()
    assert (body["error"], body["error_description"]) == ("ERROR_ARGUMENT", text)
    assert portal.lines.messages(shop.line) == []


@pytest.mark.parametrize("name", ["CONNECTOR", "LINE", "MESSAGES"])
def test_a_missing_parameter_is_named(shop: Shop, name: str) -> None:
    params = {**shop.params(MESSAGES=[row()]), name: None}
    reply = shop.caller.post("imconnector.send.messages", params, oauth=True)
    body = reply.json()
    assert (reply.status_code, body["error"], body["argument"]) == (400, "ERROR_ARGUMENT", name)


def test_an_unknown_connector_is_refused_before_an_inactive_line(shop: Shop, portal: Emulator) -> None:
    wrong = {"CONNECTOR": "unknown", "LINE": 999}
    assert shop.error("send.messages", **wrong, MESSAGES=[]) == (400, "IMCONNECTOR_NO_CORRECT_PROVIDER")
    assert shop.error("send.messages", LINE=999, MESSAGES=[]) == (400, "NOT_ACTIVE_LINE")
    portal.lines.deactivate(shop.line)
    assert shop.error("send.messages", MESSAGES=[row()]) == (400, "NOT_ACTIVE_LINE")
    portal.lines.activate(shop.line)
    assert shop.send(row())[0]["SUCCESS"] is True


def test_errors_are_in_the_language_of_the_portal(shop: Shop, portal: Emulator) -> None:
    portal.quirks.language = "ru"
    assert shop.send(row(text=None))[0]["ERRORS"] == ["Переданы не все необходимые данные"]


def test_messages_are_changed_and_deleted_by_their_outside_ids(shop: Shop, portal: Emulator) -> None:
    shop.send(row("m1"), row("m2"))
    changed = shop.result("update.messages", MESSAGES=[row("m1", "better"), row("m9", "unknown")])
    deleted = shop.result("delete.messages", MESSAGES=[row("m2"), row("m9")])
    for reply in (changed, deleted):
        assert reply["SUCCESS"] is True
        assert [item["SUCCESS"] for item in reply["DATA"]["RESULT"]] == [True, True]
        assert all("session" not in item for item in reply["DATA"]["RESULT"])
    assert [message.text for message in portal.lines.messages(shop.line)] == ["better"]


def test_a_delete_keeps_the_same_message_id_in_another_outside_chat(shop: Shop, portal: Emulator) -> None:
    shop.send(row("m1"), row("m1", chat={"id": "order-2"}))
    shop.result("delete.messages", MESSAGES=[row("m1", chat={"id": "order-2"})])
    [left] = portal.lines.messages(shop.line)
    conversation = portal.lines.conversation(shop.line, chat="order-1")
    assert conversation is not None
    assert left in conversation.messages


def test_a_delivery_status_stores_the_outside_id(shop: Shop, portal: Emulator) -> None:
    chat = int(shop.send(row())[0]["session"]["CHAT_ID"])
    answer = portal.lines.reply(chat, "hi")
    state = {
        "im": {"chat_id": chat, "message_id": answer.id},
        "message": {"id": ["out-1"], "date": 1},
        "chat": {"id": "order-1"},
    }
    assert shop.result("send.status.delivery", MESSAGES=[state]) == {"SUCCESS": True, "DATA": []}
    assert answer.params["CONNECTOR_MID"] == ["out-1"]
    assert shop.result("send.status.reading", MESSAGES=[state]) == {"SUCCESS": True, "DATA": []}


# ---- conversations ----


def test_users_of_one_outside_chat_share_a_conversation_only_in_a_group_connector(
    shop: Shop, portal: Emulator
) -> None:
    portal.lines.install_connector("forum", shop.line, chat_group=True)
    both = [row("1"), row("2", user={"id": "u2"})]
    apart = {item["session"]["CHAT_ID"] for item in shop.send(*both)}
    together = shop.result("send.messages", CONNECTOR="forum", MESSAGES=both)["DATA"]["RESULT"]
    assert len(apart) == 2
    assert len({item["session"]["CHAT_ID"] for item in together}) == 1


@pytest.mark.parametrize(
    ("lacking", "error"),
    [("CHAT_ID", "ERROR_ARGUMENT"), ("NAME", "ERROR_ARGUMENT"), ("USER_ID", "ERROR_ARGUMENT")],
)
def test_chat_name_set_without_chat_name_or_user_is_refused(shop: Shop, lacking: str, error: str) -> None:
    params = {"CHAT_ID": "order-1", "NAME": "New", "USER_ID": "u1", lacking: "0"}
    reply = shop.caller.post("imconnector.chat.name.set", shop.params(**params), oauth=True).json()
    assert (reply["error"], reply["argument"]) == (error, lacking)


def test_a_conversation_is_renamed_by_outside_ids(shop: Shop, portal: Emulator) -> None:
    shop.send(row())
    done = shop.result("chat.name.set", CHAT_ID="order-1", NAME="Order one", USER_ID="u1")
    assert done == {"SUCCESS": True, "DATA": {"RESULT": {}}}
    conversation = portal.lines.conversation(shop.line)
    assert conversation is not None
    assert conversation.chat.title == "Order one"
    for unknown in ({"CHAT_ID": "order-9", "USER_ID": "u1"}, {"CHAT_ID": "order-1", "USER_ID": "u9"}):
        assert shop.error("chat.name.set", NAME="x", **unknown) == (400, "CHAT_RENAMING_FAILED")


def test_a_group_is_renamed_without_a_user(shop: Shop, portal: Emulator) -> None:
    portal.lines.install_connector("forum", shop.line, chat_group=True)
    shop.result("send.messages", CONNECTOR="forum", MESSAGES=[row()])
    done = shop.result("chat.name.set", CONNECTOR="forum", CHAT_ID="order-1", NAME="Everybody")
    assert done["SUCCESS"] is True

"""im.*: chats and messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ...conftest import by_message

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ...conftest import Caller, Clock


def test_a_new_chat_has_the_caller_and_the_known_users_as_members(caller: Caller, portal: Emulator) -> None:
    chat = caller.result("im.chat.add", {"TITLE": "Ops", "USERS": [2, 3, 99], "MESSAGE": "welcome"})
    assert caller.result("im.chat.user.list", {"CHAT_ID": chat}) == [1, 2, 3]
    assert [message.text for message in portal.messages(chat)] == ["welcome"]
    found = caller.result("im.dialog.get", {"DIALOG_ID": f"chat{chat}"})
    assert (found["id"], found["name"], found["dialog_id"]) == (chat, "Ops", f"chat{chat}")


def test_chat_get_finds_a_chat_by_its_entity_and_returns_null_for_an_unknown_one(caller: Caller) -> None:
    chat = caller.result("im.chat.add", {"TITLE": "Deal", "ENTITY_TYPE": "CRM", "ENTITY_ID": "DEAL|7"})
    assert caller.result("im.chat.get", {"ENTITY_TYPE": "CRM", "ENTITY_ID": "DEAL|7"}) == {"ID": chat}
    assert caller.result("im.chat.get", {"ENTITY_TYPE": "CRM", "ENTITY_ID": "DEAL|8"}) is None


def test_the_members_of_a_closed_chat_are_not_shown_to_outsiders(caller: Caller, portal: Emulator) -> None:
    closed = portal.add_chat("Board", [2, 3])
    assert caller.result("im.chat.user.list", {"CHAT_ID": closed}) == []
    assert caller.result("im.chat.user.list", {"CHAT_ID": 999_999}) == []
    assert caller.error("im.chat.user.list") == (400, "CHAT_ID_EMPTY")


def test_a_message_goes_to_a_chat_or_to_a_person(caller: Caller, portal: Emulator) -> None:
    sent = caller.result("im.message.add", {"DIALOG_ID": "chat1489", "MESSAGE": "to all"})
    caller.result("im.message.add", {"DIALOG_ID": 2, "MESSAGE": "to Anna"})
    caller.result("im.message.add", {"DIALOG_ID": "2", "MESSAGE": "again"})
    assert portal.messages(1489)[-1].id == sent
    dialog = caller.result("im.dialog.messages.get", {"DIALOG_ID": 2})
    assert [message["text"] for message in dialog["messages"]] == ["again", "to Anna"]
    assert caller.result("im.dialog.get", {"DIALOG_ID": 2})["name"] == "Anna Petrova"


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"DIALOG_ID": "chat1489"}, "MESSAGE_EMPTY"),
        ({"DIALOG_ID": "chat1489", "MESSAGE": " "}, "MESSAGE_EMPTY"),
        ({"MESSAGE": "x"}, "USER_ID_EMPTY"),
        ({"DIALOG_ID": 99, "MESSAGE": "x"}, "USER_NOT_FOUND"),
        ({"DIALOG_ID": "chat99", "MESSAGE": "x"}, "CHAT_ID"),
    ],
)
def test_a_message_that_cannot_be_sent_is_refused(caller: Caller, params: dict[str, Any], error: str) -> None:
    assert caller.error("im.message.add", params) == (400, error)


def test_a_message_to_a_chat_without_membership_is_refused(caller: Caller, portal: Emulator) -> None:
    closed = portal.add_chat("Board", [2, 3])
    params = {"DIALOG_ID": f"chat{closed}", "MESSAGE": "x"}
    assert caller.error("im.message.add", params) == (400, "ACCESS_ERROR")


def test_a_message_of_another_user_cannot_be_deleted(caller: Caller, portal: Emulator) -> None:
    mine = caller.send()["messageId"]
    theirs = portal.portal.chats.post(portal.chat(1489), author_id=2, text="hi").id
    assert caller.error("im.message.delete", {"MESSAGE_ID": theirs}) == (400, "CANT_EDIT_MESSAGE")
    assert caller.error("im.message.delete") == (400, "MESSAGE_ID_ERROR")
    assert caller.result("im.message.delete", {"MESSAGE_ID": mine}) is True
    assert caller.result("vote.AttachedVote.getMany", by_message(0) | {"entityIds": [mine]}) == []


def test_history_is_newest_first_and_after_an_id_oldest_first(caller: Caller) -> Any:
    ids = [
        caller.result("im.message.add", {"DIALOG_ID": "chat1489", "MESSAGE": str(number)})
        for number in range(25)
    ]
    history = {"DIALOG_ID": "chat1489"}

    def shown(**more: object) -> list[int]:
        body = caller.result("im.dialog.messages.get", history | more)
        return [message["id"] for message in body["messages"]]

    assert shown() == ids[:-21:-1]
    assert shown(LIMIT=2) == [ids[24], ids[23]]
    assert shown(LAST_ID=ids[2]) == [ids[1], ids[0]]
    assert shown(FIRST_ID=ids[22]) == [ids[23], ids[24]]
    assert shown(FIRST_ID=0, LIMIT=2) == ids[:2]


def test_a_reply_names_its_message_as_text(caller: Caller, portal: Emulator) -> None:
    poll = caller.send("Ship?")["messageId"]
    said = portal.say(1489, 2, "not before Monday", reply_to=poll)
    sent = caller.result("im.message.add", {"DIALOG_ID": "chat1489", "MESSAGE": "why?", "REPLY_ID": said})
    history = caller.result("im.dialog.messages.get", {"DIALOG_ID": "chat1489", "FIRST_ID": poll})
    assert [(row["id"], row["author_id"], row["params"]) for row in history["messages"]] == [
        (said, 2, {"REPLY_ID": str(poll)}),
        (sent, 1, {"REPLY_ID": str(said)}),
    ]
    assert [(user["id"], user["name"]) for user in history["users"]] == [
        (2, "Anna Petrova"),
        (1, "Airflow Service"),
    ]


def test_a_reply_to_a_message_of_another_chat_is_refused(caller: Caller, portal: Emulator) -> None:
    elsewhere = portal.say(portal.add_chat("Ops"), 1, "hello")
    params = {"DIALOG_ID": "chat1489", "MESSAGE": "x", "REPLY_ID": elsewhere}
    assert caller.error("im.message.add", params) == (400, "PARAMS_ERROR")
    with pytest.raises(ValueError, match=f"no message {elsewhere}"):
        portal.say(1489, 2, "x", reply_to=elsewhere)


def test_a_message_with_a_template_id_is_posted_once(caller: Caller, portal: Emulator) -> None:
    uuid = "0c3c5ad6-a1b8-4d4d-9234-f137ef862a77"
    params = {"DIALOG_ID": "chat1489", "MESSAGE": "hello", "TEMPLATE_ID": uuid}
    sent = [caller.result("im.message.add", params) for _ in range(2)]
    assert [(message.id, message.uuid) for message in portal.messages(1489)] == [(sent[0], uuid)]
    assert sent[0] == sent[1]
    portal.portal.uuids.claim(uuid := uuid.replace("0c3c", "1c3c"))
    assert caller.error("im.message.add", params | {"TEMPLATE_ID": uuid}) == (400, "PARAMS_ERROR")


def test_the_members_of_a_chat_are_those_who_joined_and_did_not_leave(
    caller: Caller, portal: Emulator
) -> None:
    chat = portal.add_chat("Ops", [1, 2])
    portal.add_member(chat, 4)
    portal.add_member(chat, 4)
    portal.remove_member(chat, 2)
    assert caller.result("im.chat.user.list", {"CHAT_ID": chat}) == [1, 4]
    with pytest.raises(ValueError, match="cannot send"):
        portal.say(chat, 2, "still here?")
    for change, user in ((portal.add_member, 99), (portal.remove_member, 2)):
        with pytest.raises(LookupError):
            change(chat, user)


def test_users_are_listed_by_id_and_nobody_is_null(caller: Caller) -> None:
    users = caller.result("im.user.list.get", {"ID": [2, "3", 99]})
    assert {number: user and user["name"] for number, user in users.items()} == {
        "2": "Anna Petrova",
        "3": "Boris Klein",
        "99": None,
    }
    assert caller.error("im.user.list.get", {"ID": ["x"]}) == (400, "INVALID_FORMAT")


def test_the_message_of_a_poll_has_its_component_id_and_uuid(caller: Caller) -> None:
    uuid = "0c3c5ad6-a1b8-4d4d-9234-f137ef862a77"
    caller.send("Ship?", template_id=uuid)
    caller.result("im.message.add", {"DIALOG_ID": "chat1489", "MESSAGE": "plain"})
    plain, poll = caller.result("im.dialog.messages.get", {"DIALOG_ID": "chat1489"})["messages"]
    assert (plain["params"], plain["uuid"]) == ([], None)
    assert (poll["params"]["COMPONENT_ID"], poll["text"], poll["uuid"]) == ("VoteMessage", "Ship?", uuid)


def test_chats_are_found_by_title_and_by_member(caller: Caller, portal: Emulator) -> None:
    ops = portal.add_chat("Ops", [1, 2])
    portal.add_chat("Secret ops", [2, 3])
    reply = caller.post("im.search.chat.list", {"FIND": "op"}).json()
    assert ([chat["id"] for chat in reply["result"]], reply["total"]) == ([ops], 1)
    by_member = caller.result("im.search.chat.list", {"FIND": "petrova"})
    assert {chat["name"] for chat in by_member} == {"General", "Ops"}
    assert caller.error("im.search.chat.list", {"FIND": "o"}) == (400, "FIND_SHORT")


def test_a_search_is_paged(caller: Caller, portal: Emulator) -> None:
    for number in range(60):
        portal.add_chat(f"Room {number}", [1])
    first = caller.post("im.search.chat.list", {"FIND": "room"}).json()
    assert (first["total"], first["next"], len(first["result"])) == (60, 50, 50)
    rest = caller.post("im.search.chat.list", {"FIND": "room", "OFFSET": 50}).json()
    assert ("next" in rest, len(rest["result"])) == (False, 10)


def test_recent_dialogs_come_latest_first(caller: Caller, portal: Emulator, clock: Clock) -> None:
    caller.result("im.message.add", {"DIALOG_ID": 2, "MESSAGE": "to Anna"})
    clock.pass_by(1)
    caller.send("Ship?")
    body = caller.result("im.recent.list")
    assert [item["id"] for item in body["items"]] == ["chat1489", 2]
    assert (body["items"][0]["message"]["text"], body["hasMore"]) == ("Ship?", False)
    assert [item["id"] for item in caller.result("im.recent.list", {"SKIP_CHAT": "Y"})["items"]] == [2]
    assert caller.result("im.recent.list", {"LIMIT": 1})["hasMore"] is True
    before = {"LAST_MESSAGE_DATE": "2027-01-15T08:00:00+00:00"}
    assert [item["id"] for item in caller.result("im.recent.list", before)["items"]] == [2]


def test_history_without_an_id_shows_the_oldest_unread_page(caller: Caller, portal: Emulator) -> None:
    read = caller.result("im.message.add", {"DIALOG_ID": "chat1489", "MESSAGE": "mine"})
    unread = [portal.say(1489, 2, str(number)) for number in range(6)]

    def shown(**more: object) -> list[int]:
        body = caller.result("im.dialog.messages.get", {"DIALOG_ID": "chat1489", **more})
        return [message["id"] for message in body["messages"]]

    assert shown(LIMIT=3) == [*unread[:3][::-1], read]
    assert shown(LIMIT=6) == [*unread[::-1], read]
    assert shown(LIMIT=3, LAST_ID=2_147_483_647) == unread[:2:-1]
    portal.quirks.newest_page = True
    assert shown(LIMIT=3) == unread[:2:-1]
    portal.quirks.newest_page = False
    body = caller.result("im.dialog.read", {"DIALOG_ID": "chat1489", "MESSAGE_ID": unread[3]})
    assert body == {"dialogId": "chat1489", "chatId": 1489, "counter": 2, "lastId": unread[3]}
    assert shown(LIMIT=1) == [unread[4], unread[3]]
    caller.result("im.message.add", {"DIALOG_ID": "chat1489", "MESSAGE": "seen"})
    assert len(shown(LIMIT=1)) == 1


def test_history_is_hidden_from_who_joined_later_where_the_portal_does_so(
    caller: Caller, portal: Emulator
) -> None:
    portal.quirks.hidden_history = True
    chat = portal.add_chat("Board", members=[2])
    portal.say(chat, 2, "before")
    portal.add_member(chat, 1)
    after = portal.say(chat, 2, "after")
    body = caller.result("im.dialog.messages.get", {"DIALOG_ID": f"chat{chat}"})
    assert [row["id"] for row in body["messages"]] == [after]

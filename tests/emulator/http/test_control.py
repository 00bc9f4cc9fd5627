"""The control API, by which other processes set up a portal and look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ..conftest import Caller


def url(portal: Emulator, name: str) -> str:
    return f"{portal.url}/emulator/{name}"


def test_the_state_shows_chats_messages_and_polls(caller: Caller, portal: Emulator) -> None:
    message = caller.send("Ship?")["messageId"]
    state = requests.get(url(portal, "state")).json()
    assert state["chats"][0]["messages"][0]["text"] == "Ship?"
    assert state["polls"][0]["message_id"] == message
    assert [line["name"] for line in state["lines"]] == ["Support"]


def test_vote_and_stop_return_the_poll(caller: Caller, portal: Emulator) -> None:
    message = caller.send()["messageId"]
    vote = {"message_id": message, "user_id": 2, "answers": ["Yes"]}
    poll = requests.post(url(portal, "vote"), json=vote).json()
    assert (poll["voters"], poll["questions"][0]["answers"][0]["votes"]) == (1, 1)
    again = requests.post(url(portal, "vote"), json=vote)
    assert (again.status_code, again.json()) == (400, {"error": "You already voted."})
    assert requests.post(url(portal, "stop"), json={"message_id": message}).json()["is_finished"]


def test_users_and_chats_are_added_and_listed(portal: Emulator) -> None:
    user = requests.post(url(portal, "users"), json={"name": "Zoe Ray"}).json()["id"]
    chat = requests.post(url(portal, "chats"), json={"title": "New", "members": [1, user]}).json()
    assert portal.chat(chat["id"]).members == [1, user]
    assert requests.get(url(portal, "users")).json()[-1]["name"] == "Zoe Ray"
    assert requests.get(url(portal, "chats")).json()[-1]["title"] == "New"


def test_people_join_say_something_and_leave(portal: Emulator) -> None:
    chat = portal.add_chat("Ops")
    member = {"chat_id": chat, "user_id": 2}
    requests.post(url(portal, "members"), json=member)
    first = requests.post(url(portal, "messages"), json=member | {"text": "hello"}).json()["id"]
    requests.post(url(portal, "messages"), json=member | {"text": "well", "reply_to": first})
    requests.delete(url(portal, "members"), json=member)
    assert [(one.author_id, one.text, one.params) for one in portal.messages(chat)] == [
        (2, "hello", {}),
        (2, "well", {"REPLY_ID": str(first)}),
    ]
    assert portal.chat(chat).members == [1]
    assert requests.delete(url(portal, "members"), json=member).status_code == 404
    assert requests.post(url(portal, "messages"), json=member | {"text": "x"}).status_code == 400


def test_reject_refuses_the_messages_of_an_outside_user(portal: Emulator) -> None:
    requests.post(f"{portal.url}/emulator/reject", json={"user": "u9", "reason": "Blocked"}, timeout=5)
    assert portal.lines.outsiders.rejection("u9") == "Blocked"


def test_an_operator_replies_and_events_are_queued(caller: Caller, portal: Emulator) -> None:
    chat = portal.lines.add_crm_chat("deal", 288)
    sent = requests.post(url(portal, "reply"), json={"chat_id": chat, "text": "Hello", "user_id": 2}).json()
    assert [(one.id, one.author_id) for one in portal.messages(chat)] == [(sent["id"], 2)]
    assert requests.post(url(portal, "reply"), json={"chat_id": 1, "text": "x"}).status_code == 404
    event = {"event": "ONCRMDEALUPDATE", "data": {"FIELDS": {"ID": "288"}}}
    assert requests.post(url(portal, "events"), json=event).json() == {"queued": 0}
    caller.result("event.bind", {"event": event["event"], "event_type": "offline"}, oauth=True)
    assert requests.post(url(portal, "events"), json=event).json() == {"queued": 1}
    state = requests.get(url(portal, "events")).json()
    assert state["handlers"] == [{"event": "ONCRMDEALUPDATE", "offline": True, "handler": ""}]
    assert [(row["data"], row["reserved"]) for row in state["queue"]] == [(event["data"], False)]


def test_a_request_from_another_site_is_refused(portal: Emulator) -> None:
    reply = requests.delete(
        f"{portal.url}/emulator/requests", headers={"Sec-Fetch-Site": "cross-site"}, timeout=5
    )
    assert reply.status_code == 403


def test_faults_and_requests_are_listed_and_cleared(caller: Caller, portal: Emulator) -> None:
    faults = url(portal, "faults")
    added = requests.post(faults, json={"kind": "slow", "method": "profile", "seconds": 0}).json()
    assert requests.get(faults).json() == [added]
    caller.post("profile")
    assert requests.delete(faults).json() is True
    assert requests.get(faults).json() == []
    assert [entry["fault"] for entry in requests.get(url(portal, "requests")).json()] == ["slow"]
    requests.delete(url(portal, "requests"))
    assert len(portal.requests) == 0


@pytest.mark.parametrize(
    ("name", "params", "status"),
    [
        ("vote", {"message_id": 1, "user_id": 2, "answers": []}, 404),
        ("vote", {}, 400),
        ("faults", {"kind": "explode"}, 400),
        ("faults", {}, 400),
        ("chats", [], 400),
    ],
)
def test_bad_input_is_refused_with_a_reason(
    portal: Emulator, name: str, params: dict[str, Any], status: int
) -> None:
    reply = requests.post(url(portal, name), json=params)
    assert (reply.status_code, bool(reply.json()["error"])) == (status, True)

"""The page's own requests: what they carry, and what they refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import requests

    from airflow_provider_b24.emulator import Emulator

    from ..conftest import Caller


def act(caller: Caller, name: str, headers: dict[str, str] | None = None, **asked: Any) -> requests.Response:
    return caller.http.post(f"{caller.portal.url}/page/{name}", json=asked, headers=headers)


def problem(caller: Caller, name: str, **asked: Any) -> tuple[int, str]:
    reply = act(caller, name, **asked)
    return reply.status_code, reply.json()["problem"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/page/result.html", "text/html"),
        *((f"/page/{name}.js", "text/javascript") for name in ("page", "dom", "poll", "faults", "result")),
        ("/page/page.css", "text/css"),
        ("/page/icon.svg", "image/svg+xml"),
    ],
)
def test_the_page_is_served_and_loads_nothing_from_elsewhere(caller: Caller, path: str, kind: str) -> None:
    reply = caller.http.get(caller.portal.url + path)
    assert (reply.status_code, reply.headers["Content-Type"].partition(";")[0]) == (200, kind)
    policy = reply.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert "//" not in reply.text.replace("// ", "").replace('"http://www.w3.org/2000/svg"', "")


@pytest.mark.parametrize("path", ["/page/page.py", "/page/..%2fpage.py", "/page/", "/nothing"])
def test_a_path_outside_the_page_is_404(caller: Caller, path: str) -> None:
    assert caller.http.get(caller.portal.url + path).status_code == 404


def test_an_unknown_user_and_chat_fall_back_to_the_first_ones(caller: Caller) -> None:
    seen = caller.http.get(f"{caller.portal.url}/page/state", params={"user": "x", "chat": "9999"}).json()
    assert (seen["me"], seen["open"]["id"]) == (1, caller.general)


def test_a_user_sees_only_chats_that_they_may_read(caller: Caller, portal: Emulator) -> None:
    board = portal.add_chat("Board", members=[2, 3])
    titles = {user: [chat["title"] for chat in _state(caller, user, board)["chats"]] for user in (2, 4)}
    assert titles == {2: ["General", "Board"], 4: ["General"]}
    assert _state(caller, 4, board)["open"]["title"] == "General"


def _state(caller: Caller, user: int, chat: int) -> Any:
    return caller.http.get(f"{caller.portal.url}/page/state", params={"user": user, "chat": chat}).json()


def test_a_request_from_another_site_is_refused(caller: Caller, portal: Emulator) -> None:
    message = caller.send()["messageId"]
    answer = next(iter(portal.poll(message).questions.values())).answers
    asked = {"user": 1, "message": message, "answers": list(answer)[:1]}
    assert act(caller, "vote", {"Sec-Fetch-Site": "cross-site"}, **asked).status_code == 403
    form = caller.http.post(f"{portal.url}/page/vote", data={"user": 1, "message": message})
    assert form.status_code == 403
    assert portal.poll(message).events == {}
    assert act(caller, "vote", {"Sec-Fetch-Site": "same-origin"}, **asked).status_code == 200
    assert list(portal.poll(message).events) == [1]


def test_an_empty_ballot_is_refused_and_keeps_the_earlier_vote(caller: Caller, portal: Emulator) -> None:
    message = caller.send(OPTIONS=1)["messageId"]
    portal.vote(message, user_id=2, answers=["Yes"])
    told = problem(caller, "vote", user=2, message=message, answers=[])
    assert told == (409, "Please select an option.")
    assert list(portal.poll(message).events) == [2]


def test_a_refused_action_says_why(caller: Caller, portal: Emulator) -> None:
    message = caller.send()["messageId"]
    answers = list(next(iter(portal.poll(message).questions.values())).answers)
    assert problem(caller, "stop", user=2, message=message)[1] == "Only the author stops and resumes a poll."
    assert problem(caller, "vote", user=99, message=message, answers=answers)[0] == 409
    assert problem(caller, "vote", user=2, message=1, answers=answers)[1].startswith("There is no such poll")
    portal.vote(message, user_id=2, answers=["Yes"])
    assert problem(caller, "vote", user=2, message=message, answers=answers)[1] == "You already voted."
    portal.stop_poll(message)
    assert problem(caller, "vote", user=3, message=message, answers=answers)[1] == "The poll is inactive."
    assert problem(caller, "reply", user=2, chat=caller.general, text="hi")[0] == 409
    assert problem(caller, "vote", user=2)[0] == 400
    assert problem(caller, "reply", user=2, chat=caller.general, text=" ")[1] == "There is nothing to send."


def test_a_vote_in_the_poll_of_a_closed_chat_is_refused(caller: Caller, portal: Emulator) -> None:
    chat = portal.add_chat("Board", members=[1, 2])
    message = caller.send(chat_id=chat)["messageId"]
    answers = list(next(iter(portal.poll(message).questions.values())).answers)
    assert problem(caller, "vote", user=4, message=message, answers=answers)[0] == 409
    assert portal.poll(message).events == {}


def test_a_person_writes_in_a_chat_and_replies_to_a_message(caller: Caller, portal: Emulator) -> None:
    poll = caller.send("Deploy?")["messageId"]
    said = {"user": 2, "chat": caller.general, "text": " not on Friday ", "replyTo": poll}
    assert act(caller, "say", **said).status_code == 200
    assert act(caller, "say", **said | {"replyTo": None}).status_code == 200
    *_, reply, plain = _state(caller, 3, caller.general)["open"]["messages"]
    assert (reply["author"], reply["text"]) == ("Anna Petrova", "not on Friday")
    assert reply["quote"] == {"author": "Airflow Service", "text": "Deploy?"}
    assert plain["quote"] is None


def test_a_message_that_cannot_be_written_says_why(caller: Caller, portal: Emulator) -> None:
    board, line = portal.add_chat("Board", members=[2, 3]), portal.lines.add_crm_chat("deal", 288)
    elsewhere = portal.say(board, 2, "hello")
    said = {"user": 4, "chat": caller.general, "text": "x"}
    for change in ({"chat": board}, {"chat": line}, {"chat": 9999}):
        assert problem(caller, "say", **said | change)[1].startswith("You cannot send messages")
    assert problem(caller, "say", **said | {"text": " "})[1] == "There is nothing to send."
    assert problem(caller, "say", **said | {"replyTo": elsewhere})[1].endswith("is deleted.")
    assert portal.messages(caller.general) == []


def test_the_result_url_of_a_poll_is_a_page(caller: Caller) -> None:
    attach = caller.attach(caller.send()["messageId"])
    reply = caller.http.get(caller.portal.url + attach["resultUrl"])
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_an_unknown_result_url_is_404(caller: Caller) -> None:
    for path in ("/vote-result/nothing", "/page/result/nothing"):
        assert caller.http.get(caller.portal.url + path).status_code == 404


def result(caller: Caller, message: int, user: int) -> requests.Response:
    uid = caller.portal.poll(message).uid
    return caller.http.get(f"{caller.portal.url}/page/result/{uid}", params={"user": user})


def test_results_of_a_public_poll_name_the_voters(caller: Caller, portal: Emulator) -> None:
    message = caller.send()["messageId"]
    portal.vote(message, user_id=3, answers=["Yes"])
    portal.vote(message, user_id=2, answers=["Yes"])
    seen = result(caller, message, 1).json()
    assert (seen["voters"], seen["finished"], seen["author"]) == (2, False, "Airflow Service")
    (question,) = seen["questions"]
    shown = [(answer["text"], answer["votes"], answer["voters"]) for answer in question["answers"]]
    assert shown == [("Yes", 2, ["Boris Klein", "Anna Petrova"]), ("No", 0, [])]


def test_results_of_an_anonymous_poll_name_no_one(caller: Caller, portal: Emulator) -> None:
    message = caller.send(ANONYMITY=2)["messageId"]
    portal.vote(message, user_id=3, answers=["Yes"])
    assert "Boris" not in result(caller, message, 3).text
    assert result(caller, message, 3).json()["voters"] == 1
    card = _state(caller, 3, caller.general)["open"]["messages"][0]["poll"]
    assert [answer["voters"] for answer in card["answers"]] == [[], []]


def test_results_show_all_questions_of_a_feed_post(caller: Caller, portal: Emulator) -> None:
    portal.add_feed_post({"One?": ["a", "b"], "Two?": ["c"]})
    (poll,) = portal.polls()
    seen = caller.http.get(f"{portal.url}/page/result/{poll.uid}").json()
    assert [question["question"] for question in seen["questions"]] == ["One?", "Two?"]


def test_results_are_refused_to_a_user_outside_the_chat(caller: Caller, portal: Emulator) -> None:
    board = portal.add_chat("Board", members=[1, 2])
    message = caller.send(chat_id=board)["messageId"]
    assert result(caller, message, 2).status_code == 200
    refused = result(caller, message, 4)
    assert refused.status_code == 403
    assert refused.json() == {"problem": "Clara Moreau is no member of the poll's chat."}


def test_messages_carry_their_codes_as_parts_and_lists_show_plain_text(caller: Caller) -> None:
    caller.result("im.message.add", {"DIALOG_ID": f"chat{caller.general}", "MESSAGE": "[b]Hi[/b][br]you"})
    seen = _state(caller, 1, caller.general)
    (message,) = seen["open"]["messages"]
    assert (message["text"], seen["chats"][0]["last"]) == ("Hi\nyou", "Hi\nyou")
    assert message["parts"] == [{"tag": "b", "in": ["Hi"]}, "\nyou"]

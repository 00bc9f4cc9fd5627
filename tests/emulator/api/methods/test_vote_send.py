"""vote.Integration.Im.send: a poll into a chat."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from ...conftest import Caller, Clock, by_message

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

UUID = "0c3c5ad6-a1b8-4d4d-9234-f137ef862a77"


def draft(*answers: str, question: str = "Deploy?", **more: object) -> dict:
    return {"QUESTIONS": [{"QUESTION": question, "ANSWERS": [{"MESSAGE": text} for text in answers]}], **more}


def refused(caller: Caller, data: object) -> tuple:
    reply = caller.post("vote.Integration.Im.send", {"chatId": caller.general, "IM_MESSAGE_VOTE_DATA": data})
    body = reply.json()
    return reply.status_code, body["error"], body["error_description"]


def test_a_poll_becomes_a_message_with_the_question_as_its_text(caller: Caller, portal: Emulator) -> None:
    sent = caller.send("Ship it?")
    message = portal.messages(caller.general)[-1]
    assert (message.id, message.text, message.author_id) == (sent["messageId"], "Ship it?", 1)
    assert message.params["COMPONENT_ID"] == "VoteMessage"
    assert message.params["COMPONENT_PARAMS"]["id"] == sent["voteId"]


def test_the_ids_of_a_poll_its_message_and_its_chat_all_differ(caller: Caller) -> None:
    sent = caller.send()
    attach = caller.attach(sent["messageId"])
    question = next(iter(attach["QUESTIONS"].values()))
    ids = {sent["messageId"], sent["voteId"], attach["ID"], int(question["ID"]), caller.general}
    ids |= {int(number) for number in question["ANSWERS"]}
    assert len(ids) == 7
    assert attach["VOTE_ID"] == sent["voteId"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, "Poll question and answer options are required."),
        (draft(question=""), "Poll question and answer options are required."),
        (draft("Yes", "No", question=" "), "Poll question and answer options are required."),
        (draft(), "Poll question and answer options are required."),
        (draft("Only"), "Minimum possible answer options: 2."),
        (draft("One", "  "), "Minimum possible answer options: 2."),
        (draft(*map(str, range(11))), "Maximum possible answer options: 10."),
        ({"QUESTIONS": draft("a", "b")["QUESTIONS"] * 2}, "Maximum possible questions: 1."),
    ],
)
def test_a_bad_draft_is_refused_with_code_zero(
    caller: Caller, portal: Emulator, data: Any, text: str
) -> None:
    assert refused(caller, data) == (400, "0", text)
    assert portal.messages(caller.general) == []


def test_deleted_rows_and_blank_answers_are_dropped_and_texts_trimmed(caller: Caller) -> None:
    row = {
        "QUESTION": " Deploy? ",
        "ANSWERS": [{"MESSAGE": " Yes "}, {"MESSAGE": ""}, {"MESSAGE": "x", "DEL": "Y"}, {"MESSAGE": "Yes"}],
    }
    data = {"QUESTIONS": [row, {"QUESTION": "", "ANSWERS": []}, {**row, "DEL": "Y"}]}
    sent = caller.result("vote.Integration.Im.send", {"chatId": caller.general, "IM_MESSAGE_VOTE_DATA": data})
    question = next(iter(caller.attach(sent["messageId"])["QUESTIONS"].values()))
    assert question["QUESTION"] == "Deploy?"
    assert [answer["MESSAGE"] for answer in question["ANSWERS"].values()] == ["Yes", "Yes"]


def test_texts_are_in_the_portals_language_and_may_end_with_internal_error(
    caller: Caller, portal: Emulator
) -> None:
    portal.quirks.language = "ru"
    portal.quirks.internal_error_suffix = True
    _, _, text = refused(caller, draft("a"))
    assert text == "Минимальное количество вариантов ответа: 2. (internal error)"


def test_missing_and_mistyped_parameters_have_code_100(caller: Caller) -> None:
    send = "vote.Integration.Im.send"
    assert caller.post(send, {}).json()["error_description"] == "Could not find value for parameter {chatId}"
    body = caller.post(send, {"chatId": "chat5", "IM_MESSAGE_VOTE_DATA": {}}).json()
    assert (body["error"], "{chat5}" in body["error_description"]) == ("100", True)
    assert caller.error(send, {"chatId": 5, "IM_MESSAGE_VOTE_DATA": "x"}) == (400, "100")
    assert caller.error(send, {"CHATID": 5, "IM_MESSAGE_VOTE_DATA": {}}) == (400, "100")


def test_a_closed_chat_is_refused_with_canceled_and_a_missing_one_with_chat_id(
    caller: Caller, portal: Emulator
) -> None:
    closed = portal.add_chat("Board", [2, 3])
    data = draft("a", "b")
    assert caller.error("vote.Integration.Im.send", {"chatId": closed, "IM_MESSAGE_VOTE_DATA": data}) == (
        400,
        "CANCELED",
    )
    assert caller.error("vote.Integration.Im.send", {"chatId": 9, "IM_MESSAGE_VOTE_DATA": data}) == (
        400,
        "CHAT_ID",
    )


def test_a_failed_send_leaves_an_orphan_vote_behind(caller: Caller, portal: Emulator) -> None:
    first = caller.send()["voteId"]
    caller.error("vote.Integration.Im.send", {"chatId": 9, "IM_MESSAGE_VOTE_DATA": draft("a", "b")})
    assert caller.send()["voteId"] == first + 2
    assert len(portal.polls()) == 2


def test_the_same_template_id_gives_the_old_message_and_a_new_vote(caller: Caller, portal: Emulator) -> None:
    first = caller.send(template_id=UUID)
    again = caller.send(template_id=UUID)
    assert again["messageId"] == first["messageId"]
    assert again["voteId"] != first["voteId"]
    assert len(portal.messages(caller.general)) == 1
    assert portal.messages(caller.general)[0].uuid == UUID


def test_the_same_template_id_in_another_chat_returns_the_old_message(
    caller: Caller, portal: Emulator
) -> None:
    other = portal.add_chat("Other", [1])
    first = caller.send(template_id=UUID)
    assert caller.send(template_id=UUID, chat_id=other)["messageId"] == first["messageId"]
    assert portal.messages(other) == []


@pytest.mark.parametrize(
    "ignored",
    [
        UUID.upper(),
        str(uuid.uuid5(uuid.NAMESPACE_DNS, "a")),
        "5f8bb2a2-e558-11f1-8bd9-02fc00000001",
        UUID.replace("-", ""),
        "run-1",
        7,
    ],
)
def test_a_template_id_that_is_not_a_lower_case_uuid_v4_is_ignored(caller: Caller, ignored: Any) -> None:
    assert caller.send(template_id=ignored)["messageId"] != caller.send(template_id=ignored)["messageId"]


def test_a_template_id_expires_after_a_month(caller: Caller, clock: Clock) -> None:
    first = caller.send(template_id=UUID)
    clock.pass_by(32 * 86_400)
    assert caller.send(template_id=UUID)["messageId"] != first["messageId"]


def test_a_duplicate_of_a_send_in_flight_fails_until_the_first_has_ended(
    caller: Caller, portal: Emulator
) -> None:
    portal.faults.add("hold", method="vote.Integration.Im.send")
    held: list = []
    thread = threading.Thread(target=lambda: held.append(Caller(portal).send(template_id=UUID)))
    thread.start()
    while not portal.faults.log:
        thread.join(0.005)
    data = {"chatId": caller.general, "IM_MESSAGE_VOTE_DATA": draft("a", "b"), "templateId": UUID}
    body = caller.post("vote.Integration.Im.send", data).json()
    assert (body["error"], body["error_description"]) == ("0", "Insufficient permission to create a poll.")
    portal.faults.release()
    thread.join()
    assert caller.send(template_id=UUID)["messageId"] == held[0]["messageId"]


def test_a_send_that_failed_in_flight_blocks_its_template_id_for_an_hour(
    caller: Caller, portal: Emulator, clock: Clock
) -> None:
    portal.faults.add("hold", seconds=0, abandon=True)
    data = {"chatId": caller.general, "IM_MESSAGE_VOTE_DATA": draft("a", "b"), "templateId": UUID}
    assert caller.error("vote.Integration.Im.send", data) == (500, "INTERNAL_SERVER_ERROR")
    clock.pass_by(3599)
    assert caller.error("vote.Integration.Im.send", data) == (400, "0")
    clock.pass_by(1)
    assert caller.send(template_id=UUID)["messageId"]


def test_only_two_is_anonymous_and_one_is_what_an_omitted_anonymity_means(
    caller: Caller, portal: Emulator
) -> None:
    kinds = {
        sent: portal.poll(caller.send(**sent_as)["messageId"])
        for sent, sent_as in {"omitted": {}, "one": {"ANONYMITY": 1}, "two": {"ANONYMITY": 2}}.items()
    }
    assert [kinds[name].is_anonymous for name in ("omitted", "one", "two")] == [False, False, True]
    assert caller.attach(kinds["omitted"].entity_id)["ANONYMITY"] == 1


def test_a_poll_ends_in_ten_years_whatever_end_the_caller_wants(caller: Caller, clock: Clock) -> None:
    sent = caller.send(DATE_END="2020-01-01")
    clock.pass_by(9.9 * 365 * 86_400)
    assert not caller.attach(sent["messageId"])["isFinished"]
    clock.pass_by(0.2 * 365 * 86_400)
    assert caller.attach(sent["messageId"])["isFinished"]


def test_deleting_the_message_deletes_the_poll(caller: Caller) -> None:
    sent = caller.send()
    assert caller.result("im.message.delete", {"MESSAGE_ID": sent["messageId"]}) is True
    assert caller.error("vote.AttachedVote.get", by_message(sent["messageId"])) == (400, "ATTACH_NOT_FOUND")

"""The official Python SDK, as it is, asks and votes in the emulated portal."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("b24pysdk", reason="b24pysdk is not installed")

from b24pysdk.constants.vote import VoteAttachedEntityType
from b24pysdk.errors import (
    BitrixAPIBadRequest,
    BitrixAPIError,
    BitrixResponseJSONDecodeError,
)

from .pysdk import ask

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

# ---- polls ----


def test_a_poll_is_sent_and_read_by_message(webhook: Any, poll: dict[str, Any]) -> None:
    attach = poll["attach"]
    assert (attach["entityId"], attach["COUNTER"], attach["ANONYMITY"]) == (poll["message"], 0, 1)
    assert attach["userAnswerMap"] == []
    assert (attach["canVote"], attach["canEdit"], attach["isFinished"]) == (True, True, False)
    question = attach["QUESTIONS"][poll["question"]]
    assert (question["QUESTION"], question["COUNTER"], question["FIELD_TYPE"]) == ("Deploy?", "0", "0")
    assert [answer["MESSAGE"] for answer in question["ANSWERS"].values()] == ["Yes", "No"]


def test_the_time_of_a_reply_is_understood(webhook: Any, chat_id: int) -> None:
    taken = webhook.im.dialog.get(dialog_id=f"chat{chat_id}").time
    assert taken.finish >= taken.start
    assert taken.date_start.tzinfo is not None
    assert taken.operating == 0
    assert taken.operating_reset_at is not None


def test_a_poll_is_named_by_attach_id_and_by_signature_too(webhook: Any, poll: dict[str, Any]) -> None:
    attached = webhook.vote.attached_vote
    by_id = attached.get(attach_id=poll["attach"]["ID"]).result["attach"]
    signed = attached.get(signed_attach_id=poll["attach"]["signedAttachId"]).result["attach"]
    assert by_id["entityId"] == signed["entityId"] == poll["message"]


def test_the_same_template_id_sends_one_poll(webhook: Any, portal: Emulator, chat_id: int) -> None:
    template_id = str(uuid.uuid4())
    first = ask(webhook, chat_id, template_id=template_id)
    second = ask(webhook, chat_id, template_id=template_id)
    assert second["messageId"] == first["messageId"]
    assert second["voteId"] != first["voteId"]
    assert len(portal.messages(chat_id)) == 1


def test_a_vote_is_counted(webhook: Any, poll: dict[str, Any]) -> None:
    ballot = {poll["question"]: [poll["answers"][0]]}
    attach = webhook.vote.attached_vote.vote(ballot=ballot, **poll["where"]).result["attach"]
    assert (attach["COUNTER"], attach["isVoted"], attach["canRevote"]) == (1, True, True)
    assert attach["QUESTIONS"][poll["question"]]["ANSWERS"][poll["answers"][0]]["COUNTER"] == 1
    assert list(attach["userAnswerMap"][poll["question"]]) == [poll["answers"][0]]


def test_a_ballot_with_an_unknown_answer_comes_back_empty(webhook: Any, poll: dict[str, Any]) -> None:
    voted = webhook.vote.attached_vote.vote(ballot={poll["question"]: ["1"]}, **poll["where"])
    assert voted.result == []


def test_a_vote_is_taken_back(webhook: Any, poll: dict[str, Any]) -> None:
    attached = webhook.vote.attached_vote
    _ = attached.vote(ballot={poll["question"]: [poll["answers"][0]]}, **poll["where"]).result
    attach = attached.recall(**poll["where"]).result["attach"]
    assert (attach["COUNTER"], attach["isVoted"]) == (0, False)


def test_a_poll_is_stopped_and_resumed(webhook: Any, poll: dict[str, Any]) -> None:
    attached, where = webhook.vote.attached_vote, poll["where"]
    assert attached.stop(**where).result == []
    assert attached.get(**where).result["attach"]["isFinished"] is True
    assert attached.resume(**where).result == []
    assert attached.get(**where).result["attach"]["isFinished"] is False


def test_many_polls_are_read_at_once(webhook: Any, chat_id: int) -> None:
    ids = [ask(webhook, chat_id)["messageId"] for _ in range(3)]
    kind = VoteAttachedEntityType.IM_MESSAGE.value
    wanted = [ids[2], ids[0]]
    items = webhook.vote.attached_vote.get_many("Im", kind, wanted).result["items"]
    assert [item["entityId"] for item in items] == wanted
    assert webhook.vote.attached_vote.get_many("Im", kind, [*ids, 1]).result == []


def test_voters_are_listed(webhook: Any, portal: Emulator, poll: dict[str, Any]) -> None:
    for user_id in (2, 3):
        portal.vote(poll["message"], user_id=user_id, answers=["Yes"])
    yes = poll["answers"][0]
    listed = webhook.vote.attached_vote.get_with_voted(**poll["where"]).result
    assert [user["ID"] for user in listed["voted"][yes]] == [2, 3]
    answer = webhook.vote.attached_vote.get_answer_voted(answer_id=int(yes), **poll["where"]).response
    assert [user["ID"] for user in answer.result["items"]] == [2, 3]
    assert answer.total == 2


def test_the_report_is_a_spreadsheet_and_no_json(webhook: Any, poll: dict[str, Any]) -> None:
    with pytest.raises(BitrixResponseJSONDecodeError) as refused:
        _ = webhook.vote.attached_vote.download(**poll["where"]).result
    reply = refused.value.response
    assert reply.headers["Content-Disposition"].endswith(f"vote{poll['attach']['VOTE_ID']}.xls")
    assert b"Deploy?" in reply.content


def test_a_poll_that_is_not_there_is_a_bad_request(webhook: Any) -> None:
    with pytest.raises(BitrixAPIBadRequest) as refused:
        _ = webhook.vote.attached_vote.get(attach_id=1).result
    assert refused.value.error == "ATTACH_NOT_FOUND"


def test_a_stopped_poll_takes_no_vote(webhook: Any, portal: Emulator, poll: dict[str, Any]) -> None:
    portal.poll(poll["message"]).date_end = int(time.time()) - 5
    with pytest.raises(BitrixAPIError) as refused:
        _ = webhook.vote.attached_vote.vote(
            ballot={poll["question"]: poll["answers"][:1]}, **poll["where"]
        ).result
    assert refused.value.error_description == "The poll is inactive."


# ---- chats ----


def test_a_chat_is_opened_written_to_and_read(webhook: Any) -> None:
    chat_id = webhook.im.chat.add(title="Nightly", users=[2, 3], type="CHAT").result
    assert isinstance(chat_id, int)
    message_id = webhook.im.message.add(dialog_id=f"chat{chat_id}", message="Loaded").result
    read = webhook.im.dialog.messages.get(dialog_id=f"chat{chat_id}").result
    assert read["chat_id"] == chat_id
    assert (read["messages"][0]["id"], read["messages"][0]["text"]) == (message_id, "Loaded")
    assert webhook.im.dialog.get(dialog_id=f"chat{chat_id}").result["name"] == "Nightly"


def test_chats_are_found_by_title_and_listed(webhook: Any, chat_id: int) -> None:
    found = webhook.im.search.chat.list(find="Relea").result
    assert [chat["id"] for chat in found] == [chat_id]
    listed = webhook.im.recent.list().result["items"]
    assert f"chat{chat_id}" in [item["id"] for item in listed]


def test_a_deleted_message_takes_its_poll_along(webhook: Any, poll: dict[str, Any]) -> None:
    assert webhook.im.message.delete(message_id=poll["message"]).result is True
    with pytest.raises(BitrixAPIBadRequest):
        _ = webhook.vote.attached_vote.get(**poll["where"]).result

"""What each reader makes of a reply that is not what was promised: an error, never a made-up value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_b24.chats.api import ChatsApi
from airflow_provider_b24.exceptions import (
    Bitrix24Error,
    Bitrix24ListIncompleteError,
    Bitrix24NoAnswerError,
    Bitrix24OutcomeUnknownError,
    Bitrix24PollError,
    Bitrix24ServerError,
    Outcome,
)
from airflow_provider_b24.polls.api import PollsApi
from airflow_provider_b24.rest.transport import HttpReply
from tests.support.canned_portal import MESSAGE, TEMPLATE, VOTE, CannedPortal, attach
from tests.support.mutations import REMOVED, VALUES, mutated, paths_in
from tests.support.readers import GET, POLL, SEND, USES, polls

if TYPE_CHECKING:
    from tests.support.mutations import Path


def bodies_of_send() -> list[Any]:
    reply = CannedPortal().replies[SEND]
    every = ((path, value) for path in paths_in(reply) for value in VALUES)
    return [mutated(reply, path, value) for path, value in every]


def send_with(body: Any, template_id: str | None) -> tuple[Any, CannedPortal]:
    """Return what a send makes of a reply to it, and the portal that was asked."""
    portal = CannedPortal(lambda method, reply: json.dumps(body if method == SEND else reply).encode())
    try:
        return polls(portal.client()).send(**POLL, template_id=template_id, may_have_sent=False), portal
    except Bitrix24Error as error:
        return error, portal


@pytest.mark.parametrize("template_id", [None, TEMPLATE])
def test_a_poll_that_was_posted_is_returned_or_of_unknown_outcome(template_id: str | None) -> None:
    for body in bodies_of_send():
        found, portal = send_with(body, template_id)
        if isinstance(found, dict):
            assert found["message_id"] > 0
            assert found["vote_id"] > 0
        else:
            used = portal.sent[0][1]["templateId"]
            assert isinstance(found, Bitrix24Error)
            assert found.outcome is Outcome.UNKNOWN
            assert f"template_id={used!r}" in found.advice
            # A retry of the task posts nothing else: it is not made, or it has the same template id.
            assert template_id or isinstance(found, AirflowFailException)


@pytest.mark.parametrize("message_id", ["x", None, [], {}, 0, -1, "", True, 1.5, "9" * 30])
def test_a_message_id_that_is_no_id_makes_the_outcome_unknown(message_id: Any) -> None:
    found, portal = send_with({"result": {"messageId": message_id, "voteId": 7}}, None)
    assert isinstance(found, Bitrix24OutcomeUnknownError)
    assert portal.sent[0][1]["templateId"] in str(found)
    assert len(portal.sent) == 1


@pytest.mark.parametrize("vote_id", ["x", None, [], 0, -1])
def test_a_vote_id_that_is_no_id_is_read_from_the_poll(vote_id: Any) -> None:
    found, portal = send_with({"result": {"messageId": MESSAGE, "voteId": vote_id}}, None)
    assert found == {"message_id": MESSAGE, "vote_id": VOTE, "chat_id": 1489}
    assert [method for method, _ in portal.sent] == [SEND, GET]


#: Parts of a reply that say nothing of the result.
BESIDES: list[Path] = [("total",), ("time",), *(("time", key) for key in ("operating", "operating_reset_at"))]


@pytest.mark.parametrize("name", [name for name in USES if name != "report"])
def test_absurd_totals_and_times_never_change_a_result(name: str) -> None:
    use, replies = USES[name]
    expected = repr(use(CannedPortal(replies=replies).client()))
    for path in BESIDES:
        for value in VALUES:

            def change(_: str, reply: Any, *, path: Path = path, value: Any = value) -> bytes:
                return json.dumps(mutated(reply, path, value)).encode()

            try:
                found = use(CannedPortal(change, replies=replies).client())
            except Bitrix24ListIncompleteError:
                # A list that is shorter than its total is refused.
                assert path == ("total",)
                continue
            assert repr(found) == expected, f"{path} = {value!r}"


@pytest.mark.parametrize("value", VALUES)
def test_an_absurd_next_never_matters_to_a_call(value: Any) -> None:
    client = CannedPortal(lambda _, reply: json.dumps(mutated(reply, ("next",), value)).encode()).client()
    assert client.call("user.get") == [{"ID": "1"}, {"ID": "2"}]


POLL_READS = ["get", "get many", "vote", "recall", "stop", "resume", "voters"]


@pytest.mark.parametrize("name", POLL_READS)
@pytest.mark.parametrize("key", ["ID", "VOTE_ID", "COUNTER", "QUESTIONS"])
@pytest.mark.parametrize("value", [REMOVED, None, "", [], {}, "x", -1])
def test_a_poll_without_id_counter_or_questions_is_an_error(name: str, key: str, value: Any) -> None:
    use, replies = USES[name]

    def change(_: str, reply: Any) -> bytes:
        return json.dumps(in_every_attach(reply, key, value)).encode()

    try:
        found = use(CannedPortal(change, replies=replies).client())
    except Bitrix24ServerError as error:
        found = [error]
    assert all(isinstance(item, Bitrix24ServerError) for item in found)


def in_every_attach(value: Any, key: str, other: Any) -> Any:
    """Return a reply with another value at a key of each of its polls."""
    if isinstance(value, list):
        return [in_every_attach(item, key, other) for item in value]
    if not isinstance(value, dict):
        return value
    if "entityId" in value:
        return mutated(value, (key,), other)
    return {name: in_every_attach(inner, key, other) for name, inner in value.items()}


@pytest.mark.parametrize("value", ["N", "0", 0, False, "false"])
def test_a_flag_that_says_no_in_php_s_ways_is_no(value: Any) -> None:
    portal = CannedPortal(lambda _, reply: json.dumps(in_every_attach(reply, "isFinished", value)).encode())
    assert polls(portal.client()).get(MESSAGE).is_finished is False


@pytest.mark.parametrize(("name", "state"), [("stop", "open"), ("resume", "stopped")])
def test_a_poll_that_stays_as_it_was_is_not_switched(name: str, state: str) -> None:
    naps: list[float] = []
    finished = state == "stopped"
    replies = {GET: {"result": {"attach": attach(finished=finished, voted=False)}}}
    api = PollsApi(CannedPortal(replies=replies).client(), sleep=naps.append)
    with pytest.raises(Bitrix24ServerError, match=f"the poll is still {state}"):
        getattr(api, name)(MESSAGE)
    assert naps == [1.0]


@pytest.mark.parametrize(
    "reply",
    [
        HttpReply(200, b"null", "application/json"),
        HttpReply(200, b"null", "text/plain"),
        HttpReply(200, b'{"result":null}', "application/json"),
        HttpReply(200, b'{"result":"x"}', "application/json"),
        HttpReply(200, b'{"time":{}}', "application/vnd.ms-excel", disposition="attachment"),
        HttpReply(200, b'"x"', "application/json", disposition="attachment"),
        HttpReply(200, b"", "application/vnd.ms-excel", disposition="attachment"),
    ],
)
def test_a_report_is_a_file(monkeypatch: pytest.MonkeyPatch, reply: HttpReply) -> None:
    portal = CannedPortal()
    monkeypatch.setattr(portal, "send", lambda _: reply)
    with pytest.raises((Bitrix24PollError, Bitrix24NoAnswerError)):
        polls(portal.client()).report(MESSAGE)


@pytest.mark.parametrize("row", [None, "x", 5, {}, {"name": "Team"}, {"id": "²", "name": "Team"}, {"id": 0}])
def test_a_found_chat_without_an_id_is_an_error(row: Any) -> None:
    portal = CannedPortal(replies={"im.search.chat.list": {"result": [{"id": 1, "name": "Team"}, row]}})
    with pytest.raises(Bitrix24ServerError, match="not a list of chats"):
        ChatsApi(portal.client()).find("Team")

"""A poll is sent exactly once, whatever happens on the way."""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_b24.exceptions import (
    Bitrix24ChatAccessError,
    Bitrix24ChatNotFoundError,
    Bitrix24Error,
    Bitrix24OutcomeUnknownError,
    Bitrix24PollRejectedError,
    Outcome,
)
from airflow_provider_b24.polls.api import PollsApi
from tests.support.clients import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

SEND = "vote.Integration.Im.send"
TEMPLATE = "0c3c5ad6-a1b8-4d4d-9234-f137ef862a77"

FAULTS = [
    ("drop_before", {}),
    ("drop_after", {}),
    ("status_502", {"executed": False}),
    ("status_502", {"executed": True}),
    ("status_504", {"executed": False}),
    ("status_504", {"executed": True}),
    ("html", {"executed": False}),
    ("html", {"executed": True}),
    ("empty", {"executed": False}),
    ("empty", {"executed": True}),
    ("truncated", {"executed": False}),
    ("truncated", {"executed": True}),
    ("status_503_limit", {}),
    ("slow", {"executed": False, "seconds": 0.05}),
    ("slow", {"executed": True, "seconds": 0.05}),
    ("expired_token", {}),
]


def until(true: Callable[[], bool]) -> None:
    """Wait for another thread, a few milliseconds as a rule."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.001)


def one_poll_is_there(portal: Emulator, chat: int, sent: dict[str, int]) -> None:
    until(lambda: all(request.status or request.fault.startswith("drop") for request in portal.requests))
    (poll,) = portal.polls()
    assert sent == {"message_id": poll.entity_id, "vote_id": poll.vote_id, "chat_id": chat}
    (message,) = portal.messages(chat)
    assert message.id == sent["message_id"]


def send(polls: PollsApi, chat: int, **options: Any) -> dict[str, int]:
    return polls.send(chat_id=chat, question="Deploy?", answers=["Yes", "No"], **options)


def send_in_tries(polls: PollsApi, chat: int, *, tries: int) -> dict[str, int]:
    """Send as a task does that Airflow retries."""
    for number in range(tries):
        try:
            return send(polls, chat, template_id=TEMPLATE, may_have_sent=number > 0)
        except Bitrix24Error as error:
            assert number < tries - 1, error
    raise AssertionError("no try was made")


def quick(portal: Emulator, auth: str) -> PollsApi:
    """Polls whose client waits shorter for a reply than the slow fault takes."""
    return PollsApi(client_of(portal, auth=auth, timeout=0.025), sleep=lambda _: None)


@pytest.mark.parametrize("auth", ["webhook", "oauth"])
@pytest.mark.parametrize("times", [1, 6])
@pytest.mark.parametrize(("kind", "details"), FAULTS, ids=str)
def test_a_fault_on_the_way_leaves_one_poll_and_its_ids(
    *, portal: Emulator, chat: int, kind: str, details: dict[str, Any], times: int, auth: str
) -> None:
    polls = quick(portal, auth) if kind == "slow" else PollsApi(client_of(portal, auth=auth))
    portal.faults.add(kind, method=SEND, times=times, **details)
    sent = send_in_tries(polls, chat, tries=times + 1)
    one_poll_is_there(portal, chat, sent)
    assert polls.get(sent).vote_id == sent["vote_id"]
    assert portal.faults.log


@pytest.mark.parametrize("auth", ["webhook", "oauth"])
def test_a_mixture_of_faults_leaves_one_poll(portal: Emulator, chat: int, auth: str) -> None:
    for kind, details in FAULTS:
        if kind != "slow":
            portal.faults.add(kind, method=SEND, **details)
    polls = PollsApi(client_of(portal, auth=auth))
    one_poll_is_there(portal, chat, send_in_tries(polls, chat, tries=len(FAULTS)))


def test_a_token_that_expires_while_a_poll_is_sent_leaves_one_poll(portal: Emulator, chat: int) -> None:
    polls = PollsApi(client_of(portal, auth="oauth"))
    portal.expire_access_token()
    one_poll_is_there(portal, chat, send(polls, chat))


def test_a_poll_that_was_sent_by_the_first_request_is_not_read_back(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    one_poll_is_there(portal, chat, send(polls, chat))
    assert portal.requests.count() == 1


def test_the_first_try_of_a_task_is_not_read_back(portal: Emulator, polls: PollsApi, chat: int) -> None:
    one_poll_is_there(portal, chat, send(polls, chat, template_id=TEMPLATE, may_have_sent=False))
    assert portal.requests.count() == 1


def test_a_repeated_template_id_returns_the_poll_that_exists(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    first = send(polls, chat, template_id=TEMPLATE)
    assert send(polls, chat, template_id=TEMPLATE) == first
    one_poll_is_there(portal, chat, first)


def test_each_send_without_a_template_id_is_a_poll_of_its_own(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    first, second = send(polls, chat), send(polls, chat)
    assert first["message_id"] != second["message_id"]
    assert len(portal.polls()) == 2


# An in-flight duplicate


def test_an_in_flight_duplicate_is_waited_for(portal: Emulator, polls: PollsApi, chat: int) -> None:
    portal.faults.add("hold", method=SEND)
    first: list[dict[str, int]] = []
    thread = threading.Thread(
        target=lambda: first.append(send(PollsApi(client_of(portal)), chat, template_id=TEMPLATE))
    )
    thread.start()
    until(lambda: bool(portal.faults.log))
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            portal.faults.release()
            thread.join(60)

    second = send(PollsApi(client_of(portal), sleep=nap), chat, template_id=TEMPLATE)
    assert naps == [1.0, 2.0]
    assert [second] == first
    one_poll_is_there(portal, chat, second)


def test_a_client_waits_for_its_own_lost_attempt_and_reads_the_vote_id_back(
    portal: Emulator, chat: int
) -> None:
    portal.faults.add("hold", method=SEND)

    def nap(_: float) -> None:
        portal.faults.release()
        until(lambda: bool(portal.polls()))

    polls = PollsApi(client_of(portal, timeout=0.05), sleep=nap)
    one_poll_is_there(portal, chat, send(polls, chat))


def test_an_in_flight_duplicate_that_never_ends_is_waited_for_a_limited_time(
    portal: Emulator, chat: int
) -> None:
    portal.faults.add("hold", method=SEND, seconds=0.0, abandon=True)
    naps: list[float] = []
    polls = PollsApi(client_of(portal), sleep=naps.append)
    with pytest.raises(Bitrix24PollRejectedError) as caught:
        send(polls, chat, template_id=TEMPLATE)
    assert naps == sorted(naps)
    assert 20 < sum(naps) < 60
    assert caught.value.outcome is Outcome.UNKNOWN
    assert "an hour" in str(caught.value)
    assert not portal.polls()


def test_an_abandoned_duplicate_is_replaced_after_an_hour(portal: Emulator, chat: int) -> None:
    portal.faults.add("hold", method=SEND, seconds=0.0, abandon=True)
    polls = PollsApi(client_of(portal), sleep=lambda _: None)
    with pytest.raises(Bitrix24PollRejectedError):
        send(polls, chat, template_id=TEMPLATE)
    now = portal.portal.clock()
    portal.portal.clock = lambda: now + 3601
    one_poll_is_there(portal, chat, send(polls, chat, template_id=TEMPLATE))


def test_a_refusal_of_a_poll_that_was_never_sent_before_is_final(portal: Emulator, chat: int) -> None:
    portal.portal.uuids.claim(TEMPLATE)
    naps: list[float] = []
    polls = PollsApi(client_of(portal), sleep=naps.append)
    with pytest.raises(Bitrix24PollRejectedError) as caught:
        send(polls, chat, template_id=TEMPLATE, may_have_sent=False)
    assert naps == []
    assert caught.value.outcome is Outcome.REFUSED
    assert caught.value.code == "0"
    assert portal.requests.count(SEND) == 1


def refuse_for_now(portal: Emulator) -> None:
    """Answer the first request with an error that says that nothing was executed."""
    portal.faults.add("status_503_limit", method=SEND)


def test_a_refusal_after_an_attempt_that_was_not_executed_is_final(portal: Emulator, chat: int) -> None:
    refuse_for_now(portal)
    portal.portal.uuids.claim(TEMPLATE)
    naps: list[float] = []
    with pytest.raises(Bitrix24PollRejectedError) as caught:
        send(PollsApi(client_of(portal), sleep=naps.append), chat, template_id=TEMPLATE, may_have_sent=False)
    assert naps == []
    assert caught.value.attempts == 2
    assert caught.value.outcome is Outcome.REFUSED


def test_a_poll_that_was_sent_after_an_attempt_that_was_not_executed_is_not_read_back(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    refuse_for_now(portal)
    one_poll_is_there(portal, chat, send(polls, chat))
    assert portal.requests.count("vote.AttachedVote.get") == 0


@pytest.mark.parametrize("template_id", [None, TEMPLATE])
def test_a_portal_that_is_still_busy_with_a_crashed_send_is_named_with_the_template_id(
    portal: Emulator, chat: int, template_id: str | None
) -> None:
    portal.faults.add("hold", method=SEND, seconds=0.0, abandon=True)
    portal.faults.add("drop_after", method=SEND)
    naps: list[float] = []
    with pytest.raises(Bitrix24Error) as caught:
        send(PollsApi(client_of(portal, timeout=0.2), sleep=naps.append), chat, template_id=template_id)
    assert 20 < sum(naps) < 60
    assert caught.value.outcome is Outcome.UNKNOWN
    assert caught.value.may_have_executed
    assert "an hour" in str(caught.value)
    used = portal.requests[-1].params["templateId"]
    assert f"template_id={used!r}" in str(caught.value)


def test_a_limit_after_a_lost_attempt_and_a_refusal_is_not_called_safe_to_repeat(
    portal: Emulator, chat: int
) -> None:
    portal.faults.add("hold", method=SEND, seconds=0.0, abandon=True)

    def limit(_: float) -> None:
        portal.faults.add("status_503_limit", method=SEND, times=None)

    polls = PollsApi(client_of(portal, timeout=0.2), sleep=limit)
    with pytest.raises(Bitrix24OutcomeUnknownError, match="template_id="):
        send(polls, chat)


def test_a_refusal_after_a_lost_attempt_is_not_called_safe_to_repeat(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    portal.faults.add("drop_after", method=SEND)
    client = client_of(portal)
    client._caller._sleep = lambda _: portal.chat(chat).members.remove(1)
    with pytest.raises(Bitrix24OutcomeUnknownError, match="template_id=") as caught:
        send(PollsApi(client), chat)
    assert caught.value.may_have_executed
    assert len(portal.polls()) == 1


# Without a template id of the caller's own the send can't be repeated


@pytest.mark.parametrize("kind", ["drop_after", "status_502", "empty"])
def test_a_poll_that_may_be_there_is_not_called_safe_to_repeat(
    portal: Emulator, polls: PollsApi, chat: int, kind: str
) -> None:
    portal.faults.add(kind, method=SEND, times=4)
    with pytest.raises(Bitrix24OutcomeUnknownError) as caught:
        send(polls, chat)
    assert isinstance(caught.value, AirflowFailException)
    assert caught.value.outcome is Outcome.UNKNOWN


def test_the_error_names_the_template_id_that_finds_the_poll(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    portal.faults.add("drop_after", method=SEND, times=4)
    with pytest.raises(Bitrix24OutcomeUnknownError) as caught:
        send(polls, chat)
    template_id = str(caught.value).split("template_id='")[1][:36]
    assert uuid.UUID(template_id).version == 4
    one_poll_is_there(portal, chat, send(polls, chat, template_id=template_id))


def test_a_poll_that_is_sent_but_can_not_be_read_back_is_not_called_safe_to_repeat(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    portal.faults.add("drop_after", method=SEND)
    portal.faults.add("status_502", method="vote.AttachedVote.get", times=None)
    with pytest.raises(Bitrix24OutcomeUnknownError, match="template_id="):
        send(polls, chat)


def test_a_poll_that_is_sent_but_hidden_meanwhile_is_not_called_safe_to_repeat(
    portal: Emulator, chat: int
) -> None:
    portal.faults.add("drop_after", method=SEND)
    board = portal.add_chat("Board", members=[2])
    client = client_of(portal)

    def hide(_: float) -> None:
        portal.polls()[0].chat_id = board

    client._caller._sleep = hide
    with pytest.raises(Bitrix24OutcomeUnknownError) as caught:
        send(PollsApi(client), chat)
    assert caught.value.code == "ATTACH_READ_ACCESS_DENIED"


def test_an_earlier_lost_try_is_not_forgotten_when_the_last_one_was_not_executed(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    portal.faults.add("drop_after", method=SEND)
    portal.faults.add("status_503_limit", method=SEND, times=None)
    with pytest.raises(Bitrix24OutcomeUnknownError):
        send(polls, chat)
    assert len(portal.polls()) == 1


def test_a_poll_that_was_certainly_not_sent_keeps_its_own_error(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    portal.faults.add("status_503_limit", method=SEND, times=None)
    with pytest.raises(Bitrix24Error) as caught:
        send(polls, chat)
    assert not isinstance(caught.value, Bitrix24OutcomeUnknownError)
    assert caught.value.outcome is Outcome.NOT_EXECUTED
    assert not portal.polls()


def test_a_retried_task_is_not_told_that_its_outcome_is_final(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    portal.faults.add("drop_after", method=SEND, times=4)
    with pytest.raises(Bitrix24Error) as caught:
        send(polls, chat, template_id=TEMPLATE)
    assert not isinstance(caught.value, AirflowFailException)


# What is sent


def wire(portal: Emulator) -> dict[str, Any]:
    sends = [request for request in portal.requests if request.method == "vote.Integration.Im.send"]
    return sends[-1].params


def test_a_poll_is_sent_as_the_page_shows_it(portal: Emulator, polls: PollsApi, chat: int) -> None:
    polls.send(
        chat_id=f"chat{chat}",
        question=" Обед? ",
        answers=[" Пицца", "Суши "],
        multiple_choice=True,
        anonymous=True,
        allow_revote=True,
        template_id=TEMPLATE,
        may_have_sent=False,
    )
    assert wire(portal) == {
        "chatId": chat,
        "templateId": TEMPLATE,
        "IM_MESSAGE_VOTE_DATA": {
            "QUESTIONS": [
                {
                    "QUESTION": "Обед?",
                    "FIELD_TYPE": 1,
                    "ANSWERS": [{"MESSAGE": "Пицца"}, {"MESSAGE": "Суши"}],
                }
            ],
            "ANONYMITY": 2,
            "OPTIONS": 1,
        },
    }


@pytest.mark.parametrize(("anonymous", "number"), [(False, 1), (True, 2)])
def test_anonymous_is_what_the_official_clients_send(
    portal: Emulator, polls: PollsApi, chat: int, anonymous: bool, number: int
) -> None:
    sent = send(polls, chat, anonymous=anonymous)
    assert wire(portal)["IM_MESSAGE_VOTE_DATA"]["ANONYMITY"] == number
    assert polls.get(sent).anonymous is anonymous


def test_a_poll_without_a_template_id_takes_a_fresh_one_that_the_portal_honours(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    send(polls, chat)
    send(polls, chat)
    ids = [request.params["templateId"] for request in portal.requests]
    assert len(set(ids)) == 2
    assert [message.uuid for message in portal.messages(chat)] == ids


def test_data_as_the_page_shows_it_goes_out_unchanged(portal: Emulator, polls: PollsApi, chat: int) -> None:
    data = {
        "QUESTIONS": [
            {"QUESTION": "Lunch?", "ANSWERS": [{"MESSAGE": "Yes", "REACTION": "+"}, {"MESSAGE": "No"}]}
        ],
        "ANONYMITY": 0,
        "OPTIONS": 3,
    }
    sent = polls.send_data(chat_id=chat, data=data)
    assert wire(portal)["IM_MESSAGE_VOTE_DATA"] == data
    one_poll_is_there(portal, chat, sent)


def test_send_data_sends_a_poll_once(portal: Emulator, polls: PollsApi, chat: int) -> None:
    data = {"QUESTIONS": [{"QUESTION": "Lunch?", "ANSWERS": [{"MESSAGE": "Yes"}, {"MESSAGE": "No"}]}]}
    portal.faults.add("drop_after", method=SEND)
    one_poll_is_there(portal, chat, polls.send_data(chat_id=chat, data=data))


# What the portal refuses


def test_a_poll_for_a_chat_that_does_not_exist_is_refused(portal: Emulator, polls: PollsApi) -> None:
    with pytest.raises(Bitrix24ChatNotFoundError) as caught:
        send(polls, 999_999)
    assert caught.value.code == "CHAT_ID"


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_poll_for_a_chat_that_the_user_may_not_write_in_is_refused(
    portal: Emulator, polls: PollsApi, language: str
) -> None:
    portal.quirks.language = language
    with pytest.raises(Bitrix24ChatAccessError) as caught:
        send(polls, portal.add_chat("Board", members=[2]), template_id=TEMPLATE)
    assert caught.value.code == "CANCELED"
    assert portal.requests.count(SEND) == 1

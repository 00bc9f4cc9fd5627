"""An anonymous poll reaches only a portal that keeps it anonymous."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AnonymityError,
    Bitrix24Error,
    Bitrix24ScopeError,
    Outcome,
)
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.polls import anonymity_memory
from airflow_provider_b24.polls.anonymity import AnonymityGuard
from airflow_provider_b24.polls.api import PollsApi
from tests.support.clients import client_of

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_b24.emulator import Emulator

BOB = 3
OPEN, SEND, DELETE = "im.chat.add", "vote.Integration.Im.send", "im.message.delete"


RAW = {"QUESTIONS": [{"QUESTION": "Leave?", "ANSWERS": [{"MESSAGE": "Yes"}, {"MESSAGE": "No"}]}]}


def send(polls: PollsApi, chat: int, **options: Any) -> dict[str, int]:
    poll = {"chat_id": chat, "question": "Leave?", "answers": ["Yes", "No"], "anonymous": True}
    return polls.send(**poll | options)


def hook_of(portal: Emulator, monkeypatch: pytest.MonkeyPatch, value: str | int | None) -> Bitrix24Hook:
    fields = portal.connection()
    fields["extra"] = {} if value is None else {"anonymous_value": value}
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_ANONYMITY", json.dumps(fields))
    return Bitrix24Hook("bitrix24_anonymity")


def own_chats(portal: Emulator) -> list[Any]:
    return [chat for chat in portal.portal.chats if chat.title.startswith("Airflow")]


def is_public(portal: Emulator, message_id: int) -> bool:
    return not portal.poll(message_id).is_anonymous


def test_the_first_anonymous_poll_is_checked_where_nobody_sees_it(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    sent = send(polls, chat)

    assert [message.id for message in portal.messages(chat)] == [sent["message_id"]]
    assert [(own.members, own.messages) for own in own_chats(portal)] == [([], [])]
    assert portal.poll(sent["message_id"]).events == {}


def test_a_portal_is_checked_once_for_all_processes_of_a_host(portal: Emulator, chat: int) -> None:
    for _ in range(3):
        polls = PollsApi(client_of(portal))
        send(polls, chat)
        send(polls, chat)

    assert portal.requests.count(OPEN) == 1
    assert len(portal.messages(chat)) == 6


def test_a_public_poll_is_not_checked(portal: Emulator, polls: PollsApi, chat: int) -> None:
    send(polls, chat, anonymous=False)

    assert portal.requests.count(OPEN) == 0


def test_a_portal_is_checked_again_after_a_month(portal: Emulator, polls: PollsApi, chat: int) -> None:
    send(polls, chat)
    now = portal.portal.clock()

    AnonymityGuard(client_of(portal), clock=lambda: now + 29 * 86_400).number()
    assert portal.requests.count(OPEN) == 1
    AnonymityGuard(client_of(portal), clock=lambda: now + 31 * 86_400).number()
    assert portal.requests.count(OPEN) == 2


@pytest.mark.parametrize("raw", [2, "2"])
def test_raw_data_for_an_anonymous_poll_is_checked_too(
    portal: Emulator, polls: PollsApi, chat: int, raw: Any
) -> None:
    portal.quirks.anonymous_number = 1
    question = {"QUESTION": "Leave?", "ANSWERS": [{"MESSAGE": "Yes"}, {"MESSAGE": "No"}]}

    with pytest.raises(Bitrix24Error):
        polls.send_data(chat_id=chat, data={"QUESTIONS": [question], "ANONYMITY": raw})
    assert portal.messages(chat) == []


def test_on_a_portal_as_documented_raw_data_with_the_other_number_is_refused(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    portal.quirks.anonymous_number = 1

    with pytest.raises(
        Bitrix24AnonymityError, match=r"ANONYMITY 1, and not with 2.*anonymous_value"
    ) as error:
        polls.send_data(chat_id=chat, data=RAW | {"ANONYMITY": 2})
    assert portal.messages(chat) == []
    assert error.value.outcome is Outcome.REFUSED
    assert [(own.members, own.messages) for own in own_chats(portal)] == [([], [])]


def test_on_a_portal_as_documented_the_extra_makes_polls_what_they_are_called(
    portal: Emulator, chat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.quirks.anonymous_number = 1
    polls = hook_of(portal, monkeypatch, 1).polls

    anonymous, public = (send(polls, chat, anonymous=flag)["message_id"] for flag in (True, False))

    assert not is_public(portal, anonymous)
    assert is_public(portal, public)
    assert [polls.get(message).anonymous for message in (anonymous, public)] == [True, False]
    for message in (anonymous, public):
        portal.vote(message, user_id=BOB, answers=["Yes"])
    people = [polls.voters(message) for message in (anonymous, public)]
    assert [[row["id"] for rows in each.values() for row in rows] for each in people] == [[], [BOB]]


@pytest.mark.parametrize("value", [2, "2", "1"])
def test_an_extra_that_says_the_number_is_not_checked(
    portal: Emulator, chat: int, monkeypatch: pytest.MonkeyPatch, value: str | int
) -> None:
    send(hook_of(portal, monkeypatch, value).polls, chat)

    assert portal.requests.count(OPEN) == 0
    assert len(portal.messages(chat)) == 1


def test_a_portal_that_shows_all_voters_gets_no_anonymous_poll(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    portal.quirks.keeps_anonymity = False

    with pytest.raises(Bitrix24AnonymityError, match="shows who voted with ANONYMITY 2 and 1"):
        send(polls, chat)
    assert portal.messages(chat) == []


def test_a_portal_that_names_no_voter_at_all_gets_the_poll_with_a_warning(
    portal: Emulator, polls: PollsApi, chat: int, caplog: pytest.LogCaptureFixture
) -> None:
    portal.quirks.lists_voters = False

    send(polls, chat)

    assert len(portal.messages(chat)) == 1
    assert "names no voter of a public poll either" in caplog.text


def test_a_poll_that_comes_back_as_public_is_deleted_at_once(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    send(polls, chat)
    portal.quirks.keeps_anonymity = False

    with pytest.raises(Bitrix24AnonymityError, match="was deleted at once"):
        send(polls, chat)
    assert len(portal.messages(chat)) == len(portal.polls()) == 1


def test_a_public_poll_that_cannot_be_deleted_is_stopped_at_once(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    send(polls, chat)
    portal.quirks.keeps_anonymity = False
    refusal = {"error": "CANT_EDIT_MESSAGE", "error_description": "Time has expired"}
    portal.faults.add(
        "reply", method=DELETE, times=None, body=json.dumps(refusal), status=400, executed=False
    )

    with pytest.raises(Bitrix24AnonymityError, match="was stopped at once"):
        send(polls, chat)
    now = portal.portal.clock()
    assert [poll.is_finished(now) for poll in portal.polls()] == [False, True]


def test_a_repeat_whose_first_reply_was_lost_is_withdrawn_too(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    send(polls, chat)
    portal.quirks.keeps_anonymity = False
    portal.faults.add("drop_after", method=SEND)

    with pytest.raises(Bitrix24AnonymityError):
        send(polls, chat)
    assert len(portal.polls()) == 1


@pytest.mark.parametrize("missing", [OPEN, "im"])
def test_where_the_check_is_refused_the_poll_is_sent_as_bitrix24s_clients_do(
    portal: Emulator, polls: PollsApi, chat: int, missing: str, caplog: pytest.LogCaptureFixture
) -> None:
    forbid(portal, missing)

    sent = send(polls, chat)

    assert not is_public(portal, sent["message_id"])
    assert re.search(r"can't be checked.*conformance", caplog.text)


def forbid(portal: Emulator, what: str) -> None:
    if what == "im":
        portal.portal.credentials.webhook.scopes.discard("im")
    else:
        refusal = {"error": "ACCESS_DENIED", "error_description": "No chats for you"}
        portal.faults.add(
            "reply", method=what, times=None, body=json.dumps(refusal), status=403, executed=False
        )


def test_a_missing_scope_of_polls_says_so_itself(portal: Emulator, polls: PollsApi, chat: int) -> None:
    portal.portal.credentials.webhook.scopes.discard("vote")

    with pytest.raises(Bitrix24ScopeError):
        send(polls, chat)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("method", [OPEN, SEND, "vote.AttachedVote.vote", "vote.AttachedVote.getWithVoted"])
def test_a_check_that_gets_no_answer_leaves_the_poll_unsent_and_may_be_retried(
    portal: Emulator, chat: int, method: str
) -> None:
    polls = PollsApi(client_of(portal), sleep=lambda _: None)
    portal.faults.add("drop_before", method=method, times=None)

    with pytest.raises(Bitrix24Error) as error:
        send(polls, chat)
    assert error.value.transient is True
    assert (error.value.outcome, error.value.may_have_executed) == (Outcome.NOT_EXECUTED, False)
    assert portal.messages(chat) == []
    portal.faults.clear()
    assert not is_public(portal, send(polls, chat)["message_id"])


def test_a_check_whose_replies_are_lost_ends_right(portal: Emulator, polls: PollsApi, chat: int) -> None:
    for method in (OPEN, SEND, "vote.AttachedVote.vote"):
        portal.faults.add("drop_after", method=method)

    send(polls, chat)

    assert len(portal.messages(chat)) == 1
    assert not any(own.messages for own in own_chats(portal))


def test_without_a_state_directory_the_variable_is_enough(
    portal: Emulator, chat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BITRIX24_STATE_DIR", "/proc/no/such/directory")

    for _ in range(2):
        AnonymityGuard(client_of(portal)).number()
    assert portal.requests.count(OPEN) == 1


def test_on_a_portal_as_documented_the_number_that_was_found_is_used(
    portal: Emulator, polls: PollsApi, chat: int
) -> None:
    portal.quirks.anonymous_number = 1

    secret = send(polls, chat)["message_id"]
    public = send(polls, chat, anonymous=False)["message_id"]

    assert (is_public(portal, secret), is_public(portal, public)) == (False, True)
    assert [polls.get(message).anonymous for message in (secret, public)] == [True, False]


@pytest.mark.parametrize("number", [2, 1])
def test_another_host_uses_what_the_first_one_found(
    portal: Emulator, chat: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int
) -> None:
    portal.quirks.anonymous_number = number
    for host in range(3):
        monkeypatch.setenv("BITRIX24_STATE_DIR", str(tmp_path / f"host-{host}"))
        assert not is_public(portal, send(PollsApi(client_of(portal)), chat)["message_id"])

    assert portal.requests.count(OPEN) == 1


@pytest.mark.parametrize("entry", ["3 1700000000", "1 99999999999", "1", "", "one two", "1 1600000000"])
def test_an_entry_that_says_nothing_of_today_is_looked_at_again(
    portal: Emulator, polls: PollsApi, chat: int, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    monkeypatch.setattr(anonymity_memory, "read_variable", lambda _: entry)
    assert not is_public(portal, send(polls, chat)["message_id"])
    assert portal.requests.count(OPEN) == 1


def test_variables_that_fail_do_not_fail_the_poll(
    portal: Emulator, polls: PollsApi, chat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: str) -> None:
        raise OSError("no database")

    monkeypatch.setattr(anonymity_memory, "read_variable", fail)
    monkeypatch.setattr(anonymity_memory, "write_variable", fail)
    assert not is_public(portal, send(polls, chat)["message_id"])

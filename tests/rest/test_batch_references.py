"""Texts that the server would replace in a batch arrive as they were written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import (
    Bitrix24AuthError,
    Bitrix24MessageError,
    Bitrix24MethodNotFoundError,
    Bitrix24NoAnswerError,
    Bitrix24OperatingLimitError,
    Bitrix24OutcomeUnknownError,
    Bitrix24ScopeError,
    Bitrix24ValidationError,
    Outcome,
)
from airflow_provider_b24.rest.auth import WebhookCredentials
from airflow_provider_b24.rest.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.rest.client import Bitrix24Client

CHAT = 1489
#: A person's text that would pull another command's reply into the chat.
TEXT = "$result[c0][NAME]"
READ = ("user.current", {})

PIECES = st.sampled_from(
    [
        *(
            "$",
            "$result",
            "$RESULT",
            "$error",
            "$total",
            "$next",
            "$time",
            "$argument",
            "$x",
            "result",
            "s",
            "-",
        ),
        *("[c0]", "[c1]", "[NAME]", "[", "]", "[]", "[[c0]", "[ c0]", "[c0", "c0]"),
        *(" ", "\t", "\n", "\f", "\v", "\r", "\x1c", "\u00a0", "\u2028", "\x85", "я", "😀", "a", "1"),
    ]
)
TEXTS = st.lists(PIECES, min_size=1, max_size=8).map("".join)


def post(text: str) -> tuple[str, dict[str, Any]]:
    return "im.message.add", {"DIALOG_ID": f"chat{CHAT}", "MESSAGE": text}


def texts(portal: Emulator) -> list[str]:
    return [message.text for message in portal.messages(CHAT)]


def requests(portal: Emulator) -> list[str]:
    return [request.method for request in portal.requests]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_any_text_arrives_as_it_was_written(
    make_client: Callable[..., Bitrix24Client], portal: Emulator, written: list[str]
) -> None:
    # The portal refuses an empty message, and trims it.
    written = [f"<{text}>" for text in written]
    before = len(texts(portal))
    done = make_client().call_batch(
        {"profile": "profile", "bad": "imopenlines.crm.message.add"}
        | {number: post(text) for number, text in enumerate(written)}
    )

    assert list(done.errors) == ["bad"]
    assert texts(portal)[before:] == written


def test_a_command_with_a_reference_goes_alone_in_its_place(client: Bitrix24Client, portal: Emulator) -> None:
    commands = {"a": post("a"), "b": post("b"), "c": post(TEXT), "d": post("d"), "e": post(f"say {TEXT}")}
    done = client.call_batch(commands)

    assert requests(portal) == ["batch", "im.message.add", "batch", "im.message.add"]
    assert texts(portal) == ["a", "b", TEXT, "d", f"say {TEXT}"]
    assert list(done.results) == list("abcde")
    assert list(done.results.values()) == [message.id for message in portal.messages(CHAT)]


EMPTY = [None, [], {}, {"NAME": None}, {"@ID": []}, [None]]


@pytest.mark.parametrize("value", EMPTY)
def test_a_value_without_a_form_in_a_query_arrives_as_a_single_call_brings_it(
    client: Bitrix24Client, portal: Emulator, value: Any
) -> None:
    done = client.call_batch({"one": ("user.get", {"FILTER": value, "sort": "ID"}), "two": READ})

    assert list(done.results) == ["one", "two"]
    single = next(request for request in portal.requests if request.method == "user.get")
    assert single.params["FILTER"] == value


def test_a_filter_for_nothing_finds_the_same_by_call_and_by_batch(client: Bitrix24Client) -> None:
    command = ("user.get", {"FILTER": {"NAME": None}})

    assert client.call_batch({"one": command}).results["one"] == client.call(*command)


def test_reads_with_references_go_after_the_others(client: Bitrix24Client, portal: Emulator) -> None:
    search = ("im.search.chat.list", {"FIND": TEXT})
    done = client.call_batch({number: search if number % 2 else READ for number in range(6)})

    assert sorted(requests(portal)) == ["batch", *["im.search.chat.list"] * 3]
    assert list(done.results) == list(range(6))


def test_a_batch_of_references_alone_has_a_result_for_each(client: Bitrix24Client, portal: Emulator) -> None:
    done = client.call_batch(dict.fromkeys(range(3), post(TEXT)))

    assert len(done.results) == 3
    assert texts(portal) == [TEXT] * 3


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (("im.message.add", {"DIALOG_ID": "chat1489", "x": TEXT}), Bitrix24MessageError),
        (("no.such.method", {"x": TEXT}), Bitrix24MethodNotFoundError),
    ],
)
def test_an_error_of_a_single_call_is_its_own(
    client: Bitrix24Client, portal: Emulator, command: Any, error: type[Exception]
) -> None:
    done = client.call_batch({"a": post("a"), "bad": command, "b": post("b")})

    assert list(done.results) == ["a", "b"]
    assert type(done.errors["bad"]) is error
    assert done.errors["bad"].method == command[0]
    assert texts(portal) == ["a", "b"]


def test_a_missing_scope_of_a_single_call_is_its_own(client: Bitrix24Client, portal: Emulator) -> None:
    portal.portal.credentials.webhook.scopes.discard("im")
    done = client.call_batch({"bad": post(TEXT), "me": READ})

    assert type(done.errors["bad"]) is Bitrix24ScopeError
    assert list(done.results) == ["me"]


def test_a_lost_reply_to_a_single_call_leaves_that_command_unknown(
    client: Bitrix24Client, portal: Emulator
) -> None:
    portal.faults.add("drop_after", method="im.message.add")
    done = client.call_batch({"a": post("a"), "bad": post(TEXT), "b": post("b")})

    assert type(done.errors["bad"]) is Bitrix24OutcomeUnknownError
    assert texts(portal) == ["a", TEXT, "b"]


def test_a_lost_reply_to_a_single_read_is_retried(client: Bitrix24Client, portal: Emulator) -> None:
    portal.faults.add("drop_after", method="user.get")
    done = client.call_batch({"a": post("a"), "b": ("user.get", {"NAME": TEXT})})

    assert len(done.results) == 2
    assert portal.requests.count("user.get") == 2


def test_a_limit_on_a_single_call_is_waited_for(client: Bitrix24Client, portal: Emulator) -> None:
    portal.faults.add("status_503_limit", method="im.message.add", times=3)

    assert len(client.call_batch({"a": post(TEXT)}).results) == 1


def test_operating_time_of_a_single_call_concerns_that_command(
    client: Bitrix24Client, portal: Emulator
) -> None:
    portal.faults.add("operating_limit", method="im.message.add")
    done = client.call_batch({"bad": post(TEXT), "me": READ})

    assert type(done.errors["bad"]) is Bitrix24OperatingLimitError
    assert list(done.results) == ["me"]


def test_a_portal_that_does_not_answer_a_single_read_ends_the_run(
    client: Bitrix24Client, portal: Emulator
) -> None:
    portal.faults.add("drop_after", method="user.get", times=None)
    done = client.call_batch({"a": post("a"), "bad": ("user.get", {"NAME": TEXT}), "b": post("b")})

    assert type(done.errors["bad"]) is Bitrix24NoAnswerError
    assert done.errors["b"].outcome is Outcome.NOT_EXECUTED
    assert texts(portal) == ["a"]


def test_refused_credentials_end_a_run_of_single_calls(
    make_client: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    old = WebhookCredentials(portal=portal.url, user_id="1", code=Secret("the-old-code"))
    with pytest.raises(Bitrix24AuthError):
        make_client(credentials=old).call_batch(dict.fromkeys(range(5), post(TEXT)))

    assert portal.requests.count() == 1


def test_a_single_call_that_cannot_be_written_is_refused_before_anything_is_sent(
    client: Bitrix24Client, portal: Emulator
) -> None:
    with pytest.raises(Bitrix24ValidationError, match=r"commands\['bad'\]"):
        client.call_batch({"a": post("a"), "bad": ("im.message.add", {"MESSAGE": TEXT, "x": object()})})

    assert portal.requests.count() == 0


def test_a_single_call_keeps_the_types_of_its_parameters(client: Bitrix24Client, portal: Emulator) -> None:
    params = {"DIALOG_ID": "chat1489", "MESSAGE": TEXT, "SYSTEM": False, "ATTACH": None}
    client.call_batch({"a": ("im.message.add", params)})

    assert portal.requests[0].params == params

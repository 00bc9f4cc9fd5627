"""Many commands in few requests, and no answer lost with another's error."""

from __future__ import annotations

import json
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AccessDeniedError,
    Bitrix24ApiError,
    Bitrix24AuthError,
    Bitrix24BatchError,
    Bitrix24Error,
    Bitrix24MethodNotFoundError,
    Bitrix24NoAnswerError,
    Bitrix24OperatingLimitError,
    Bitrix24OutcomeUnknownError,
    Bitrix24RateLimitError,
    Bitrix24ServerError,
    Bitrix24ValidationError,
    Outcome,
)
from airflow_provider_b24.rest.auth import WebhookCredentials
from airflow_provider_b24.rest.batch import MAX_BATCH_COMMANDS, MAX_PARALLEL_REQUESTS, BatchResult
from airflow_provider_b24.rest.limiter import NoLimit
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.retry import RetryPolicy
from airflow_provider_b24.rest.token_replacement import TokenReplacement
from airflow_provider_b24.rest.transport import HttpReply, HttpRequest, NoReply

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.rest.client import Bitrix24Client

    from .conftest import Time

POLICY = RetryPolicy()
READ = ("user.current", {})
Commands = dict[str, Any]


def posts(portal: Emulator, count: int) -> Commands:
    """Return commands that write numbered messages into the first chat."""
    chat = next(iter(portal.portal.chats)).id
    return {
        f"m{number}": ("im.message.add", {"DIALOG_ID": f"chat{chat}", "MESSAGE": f"number {number}"})
        for number in range(count)
    }


def texts(portal: Emulator) -> list[str]:
    chat = next(iter(portal.portal.chats)).id
    found = [message.text for message in portal.messages(chat)]
    return [text for text in found if text.startswith("number ")]


class Canned:
    """A portal that answers each request for a batch with what a test says."""

    def __init__(self, *bodies: Any) -> None:
        self.bodies = list(bodies)
        self.sent: list[dict[str, str]] = []

    def send(self, request: HttpRequest) -> HttpReply | NoReply:
        self.sent.append(json.loads(request.body)["cmd"])
        body = self.bodies.pop(0)
        if isinstance(body, NoReply | HttpReply):
            return body
        return HttpReply(200, json.dumps({"result": body}).encode())


class Credentials:
    portal = "https://acme.bitrix24.com"

    def request(self, method: str, body: bytes) -> HttpRequest:
        return HttpRequest(Secret(self.portal), body)

    def refresh(self, refused: HttpRequest) -> TokenReplacement:
        return TokenReplacement.NONE


@pytest.fixture
def canned(make_client: Callable[..., Bitrix24Client]) -> Callable[..., tuple[Bitrix24Client, Canned]]:
    def make(*bodies: Any) -> tuple[Bitrix24Client, Canned]:
        transport = Canned(*bodies)
        return make_client(credentials=Credentials(), transport=transport), transport

    return make


def test_no_commands_send_nothing(client: Bitrix24Client, portal: Emulator) -> None:
    assert client.call_batch({}) == BatchResult()
    assert portal.requests.count() == 0


@pytest.mark.parametrize(("commands", "requests"), [(1, 1), (50, 1), (51, 2), (120, 3)])
def test_a_request_has_up_to_fifty_commands(
    client: Bitrix24Client, portal: Emulator, commands: int, requests: int
) -> None:
    done = client.call_batch(posts(portal, commands))

    assert portal.requests.count("batch") == requests
    assert portal.requests.count_commands("im.message.add") == commands
    assert (len(done.results), len(done.errors)) == (commands, 0)


def test_commands_run_in_the_order_in_which_they_are_given(client: Bitrix24Client, portal: Emulator) -> None:
    done = client.call_batch(posts(portal, 130))

    assert texts(portal) == [f"number {number}" for number in range(130)]
    assert list(done.results) == [f"m{number}" for number in range(130)]


def test_keys_may_be_any_hashable_values(client: Bitrix24Client) -> None:
    keys = [0, 1, "0", ("a", 1), None, "c1", "key[with]brackets", 2.5]
    done = client.call_batch(dict.fromkeys(keys, READ))

    assert list(done.results) == keys


def test_one_failed_command_keeps_the_results_of_the_others(client: Bitrix24Client, portal: Emulator) -> None:
    commands = posts(portal, 200)
    commands["m120"] = ("im.message.add", {"DIALOG_ID": "chat1", "MESSAGE": ""})
    done = client.call_batch(commands)

    assert (len(done.results), list(done.errors)) == (199, ["m120"])
    error = done.errors["m120"]
    assert isinstance(error, Bitrix24ApiError)
    assert (error.code, error.method, error.conn_id) == ("MESSAGE_EMPTY", "im.message.add", "test_portal")
    assert error.outcome is Outcome.REFUSED


def test_when_all_fail_each_has_its_error(client: Bitrix24Client) -> None:
    done = client.call_batch(dict.fromkeys(range(3), "no.such.method"))

    assert done.results == {}
    assert [type(error) for error in done.errors.values()] == [Bitrix24MethodNotFoundError] * 3


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}, {"error": "a field"}])
def test_an_empty_result_is_a_result(
    canned: Callable[..., tuple[Bitrix24Client, Canned]], value: Any
) -> None:
    client, _ = canned({"result": {"c0": value}, "result_error": []})

    assert client.call_batch({"a": READ}).results == {"a": value}


@pytest.mark.parametrize(
    "reply",
    [
        {"result": {"c0": False}, "result_error": {"c0": {"result": False, "error": "ICON_REQUIRED"}}},
        {"result": {"c0": {"result": False, "error": "ICON_REQUIRED"}}, "result_error": []},
    ],
)
def test_an_error_inside_a_result_is_an_error(
    canned: Callable[..., tuple[Bitrix24Client, Canned]], reply: Any
) -> None:
    client, _ = canned(reply)

    assert client.call_batch({"a": "imconnector.register"}).errors["a"].code == "ICON_REQUIRED"


@pytest.mark.parametrize("problem", ["words", {"error": 0}, {"error": ""}, {"error": None}, {}, []])
def test_a_malformed_error_is_a_refusal(
    canned: Callable[..., tuple[Bitrix24Client, Canned]], problem: Any
) -> None:
    client, _ = canned({"result": [], "result_error": {"c0": problem}})

    assert client.call_batch({"a": READ}).errors["a"].outcome is Outcome.REFUSED


def test_a_command_missing_from_the_reply_has_an_unknown_outcome(
    canned: Callable[..., tuple[Bitrix24Client, Canned]],
) -> None:
    client, _ = canned(*[{"result": [], "result_error": []}] * POLICY.max_attempts)
    done = client.call_batch({"read": READ, "write": ("vote.Integration.Im.send", {"chatId": 1})})

    assert type(done.errors["read"]) is Bitrix24NoAnswerError
    assert type(done.errors["write"]) is Bitrix24OutcomeUnknownError


@pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "ERROR_CORE", "ERROR_UNEXPECTED_ANSWER"])
def test_a_server_error_of_a_command_has_an_unknown_outcome(
    canned: Callable[..., tuple[Bitrix24Client, Canned]], code: str
) -> None:
    broken = {"result": [], "result_error": {key: {"error": code} for key in ("c0", "c1")}}
    client, _ = canned(*[broken] * POLICY.max_attempts)
    done = client.call_batch({"read": READ, "write": "im.message.add"})

    assert type(done.errors["read"]) is Bitrix24ServerError
    assert type(done.errors["write"]) is Bitrix24OutcomeUnknownError
    assert done.errors["write"].code == code


@pytest.mark.parametrize("body", [[], None, "text", True])
def test_a_reply_that_is_no_object_has_an_unknown_outcome(
    canned: Callable[..., tuple[Bitrix24Client, Canned]], body: Any
) -> None:
    client, _ = canned(body)
    with pytest.raises(Bitrix24BatchError) as caught:
        client.call_batch({"a": READ})

    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "given",
    [
        5,
        None,
        ("user.get",),
        ("user.get", {}, {}),
        (5, {}),
        ("user.get", [1]),
        "",
        "user get",
        ["user.get", 5],
    ],
)
def test_a_malformed_command_is_refused_before_anything_is_sent(
    client: Bitrix24Client, portal: Emulator, given: Any
) -> None:
    with pytest.raises(Bitrix24ValidationError, match=r"commands\['bad'\]"):
        client.call_batch({**posts(portal, 60), "bad": given})

    assert portal.requests.count() == 0


def test_the_parameters_of_a_command_are_optional(client: Bitrix24Client) -> None:
    done = client.call_batch({"a": "user.current", "b": ("user.current", None), "c": ["user.current", {}]})

    assert len(done.results) == 3


# A lost reply


@pytest.mark.parametrize(
    "kind", ["drop_after", "drop_before", "status_502", "status_504", "truncated", "empty", "html"]
)
def test_only_idempotent_commands_are_retried_after_a_lost_reply(
    client: Bitrix24Client, portal: Emulator, kind: str
) -> None:
    portal.faults.add(kind, method="batch")
    commands = {**posts(portal, 3), "who": READ, "scope": "scope"}
    done = client.call_batch(commands)

    assert list(done.results) == ["who", "scope"]
    assert [type(error) for error in done.errors.values()] == [Bitrix24OutcomeUnknownError] * 3
    assert {error.method for error in done.errors.values()} == {"im.message.add"}
    assert portal.requests.count("batch") == 2
    assert portal.requests.count_commands("im.message.add") <= 3
    assert len(texts(portal)) <= 3


def test_a_batch_of_reads_is_retried_completely_after_a_lost_reply(
    client: Bitrix24Client, portal: Emulator
) -> None:
    portal.faults.add("drop_after", method="batch", times=2)
    done = client.call_batch(dict.fromkeys(range(5), READ))

    assert len(done.results) == 5
    assert portal.requests.count("batch") == 3


def test_a_batch_of_writes_is_never_retried_after_a_lost_reply(
    client: Bitrix24Client, portal: Emulator
) -> None:
    portal.faults.add("drop_after", method="batch")
    done = client.call_batch(posts(portal, 5))

    assert len(done.errors) == 5
    assert texts(portal) == [f"number {number}" for number in range(5)]
    assert portal.requests.count("batch") == 1


def test_commands_without_a_reply_fail_according_to_their_idempotency(
    client: Bitrix24Client, portal: Emulator
) -> None:
    portal.faults.add("drop_after", method="batch", times=None)
    done = client.call_batch({**posts(portal, 1), "who": READ})

    assert type(done.errors["m0"]) is Bitrix24OutcomeUnknownError
    assert type(done.errors["who"]) is Bitrix24NoAnswerError
    assert done.errors["who"].method == "user.current"


def test_a_batch_declared_idempotent_is_retried(client: Bitrix24Client, portal: Emulator) -> None:
    portal.faults.add("drop_after", method="batch")
    done = client.call_batch(posts(portal, 2), repeatable=True)

    assert len(done.results) == 2
    assert len(texts(portal)) == 4


def test_a_batch_declared_not_idempotent_is_not_retried(client: Bitrix24Client, portal: Emulator) -> None:
    portal.faults.add("drop_after", method="batch")
    done = client.call_batch({"who": READ}, repeatable=False)

    assert type(done.errors["who"]) is Bitrix24OutcomeUnknownError


def test_a_rate_limited_batch_is_retried_completely(client: Bitrix24Client, portal: Emulator) -> None:
    portal.faults.add("status_503_limit", method="batch", times=3)
    done = client.call_batch(posts(portal, 5))

    assert len(done.results) == 5
    assert len(texts(portal)) == 5


# An end midway


def test_results_are_kept_when_a_later_request_fails(
    client: Bitrix24Client, portal: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    portal.faults.add("drop_after", method="batch", after=1)
    done = client.call_batch(posts(portal, 120))

    assert [type(error) for error in list(done.errors.values())[:50]] == [Bitrix24OutcomeUnknownError] * 50
    assert len(done.results) == 70
    assert len(texts(portal)) == 120


def test_after_a_refused_request_the_rest_is_not_sent(
    client: Bitrix24Client, portal: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    commands = posts(portal, 160)
    portal.faults.add("redirect", method="batch", after=1, location="https://new.example")
    done = client.call_batch(commands)

    assert (len(done.results), len(done.errors)) == (50, 110)
    assert portal.requests.count("batch") == 2
    first, last = done.errors["m50"], done.errors["m159"]
    assert (first.outcome, last.outcome) == (Outcome.REFUSED, Outcome.NOT_EXECUTED)
    assert "Not sent" in str(last)
    assert first.method == last.method == "im.message.add"
    assert "50 of 160 commands have an answer, 50 were sent and have none" in caplog.text
    assert "60 were not executed" in caplog.text


def test_an_error_of_the_first_request_is_raised(
    make_client: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    old = WebhookCredentials(portal=portal.url, user_id="1", code=Secret("the-old-code"))
    with pytest.raises(Bitrix24AuthError) as caught:
        make_client(credentials=old).call_batch(posts(portal, 60))

    assert "0 of 60 commands have an answer" in caught.value.__notes__[0]


class Interrupt(NoLimit):
    """Lets some requests pass, then ends the run as a task's timeout does."""

    def __init__(self, after: int, error: BaseException) -> None:
        self.left = after
        self.error = error

    def wait(self) -> None:
        if self.left == 0:
            raise self.error
        self.left -= 1


class TaskTimeout(BaseException):
    """Like Airflow's own, no Exception."""


@pytest.mark.parametrize("error", [KeyboardInterrupt(), TaskTimeout(), RuntimeError("bug")])
def test_an_interrupted_batch_notes_and_logs_its_progress(
    make_client: Callable[..., Bitrix24Client],
    portal: Emulator,
    caplog: pytest.LogCaptureFixture,
    error: BaseException,
) -> None:
    commands = posts(portal, 180)
    with pytest.raises(type(error)) as caught:
        make_client(limiter=Interrupt(2, error)).call_batch(commands)

    state = (
        "Batch: 100 of 180 commands have an answer, 50 were sent and have none "
        "(they may have been executed), 30 were not executed."
    )
    assert caught.value.__notes__[0] == state
    assert f"{state} It was interrupted." in caplog.messages


def test_a_long_batch_logs_its_progress(
    client: Bitrix24Client, portal: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client.call_batch({**dict.fromkeys(range(999), READ), **posts(portal, 1)})

    assert [message for message in caplog.messages if message.startswith("Batch")] == [
        "Batch: 500 of 1000 commands have an answer"
    ]


def test_a_short_batch_logs_nothing(
    client: Bitrix24Client, portal: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client.call_batch(posts(portal, 60))

    assert caplog.messages == []


# Side by side


class Gate:
    """A portal whose replies come only once several requests are under way."""

    def __init__(self, inner: Any, parties: int) -> None:
        self.inner = inner
        self.barrier = threading.Barrier(parties, timeout=5)
        self.under_way = 0
        self.most = 0
        self.lock = threading.Lock()

    def send(self, request: HttpRequest) -> Any:
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        try:
            if self.barrier.parties > 1:
                self.barrier.wait()
            return self.inner.send(request)
        finally:
            with self.lock:
                self.under_way -= 1


def test_reads_are_sent_in_parallel_requests(
    make_client: Callable[..., Bitrix24Client], transport: Any, portal: Emulator
) -> None:
    gate = Gate(transport, MAX_PARALLEL_REQUESTS)
    commands = {
        number: ("user.get", {"ID": 1 + number % 3})
        for number in range(MAX_BATCH_COMMANDS * MAX_PARALLEL_REQUESTS * 2)
    }
    done = make_client(transport=gate).call_batch(commands)

    assert gate.most == MAX_PARALLEL_REQUESTS
    assert list(done.results) == list(commands)
    assert all(int(rows[0]["ID"]) == 1 + number % 3 for number, rows in done.results.items())
    assert portal.requests.count("batch") == MAX_PARALLEL_REQUESTS * 2


def test_writes_are_sent_one_request_at_a_time(
    make_client: Callable[..., Bitrix24Client], transport: Any, portal: Emulator
) -> None:
    gate = Gate(transport, 1)
    make_client(transport=gate).call_batch({**dict.fromkeys(range(160), READ), **posts(portal, 1)})

    assert gate.most == 1


def test_each_parallel_request_waits_for_its_slot(
    make_client: Callable[..., Bitrix24Client],
) -> None:
    class Counting(NoLimit):
        places = 0

        def wait(self) -> None:
            self.places += 1

    limiter = Counting()
    make_client(limiter=limiter).call_batch(dict.fromkeys(range(300), READ))

    assert limiter.places == 6


def test_results_of_parallel_requests_are_kept_after_a_failure(
    make_client: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    portal.faults.add("redirect", method="batch", after=2, location="https://new.example", times=None)
    done = make_client().call_batch(dict.fromkeys(range(500), READ))

    assert (len(done.results), len(done.errors)) == (100, 400)
    assert portal.requests.count("batch") <= 2 + MAX_PARALLEL_REQUESTS
    assert {error.outcome for error in done.errors.values()} == {Outcome.REFUSED, Outcome.NOT_EXECUTED}


def test_after_a_refusal_no_thread_starts_another_request(
    canned: Callable[..., tuple[Bitrix24Client, Canned]],
) -> None:
    refusal = HttpReply(403, b'{"error":"ACCESS_DENIED"}')
    client, portal = canned(*[refusal] * 100)
    interval = sys.getswitchinterval()
    # Threads keep running as long as they can, so that one could go through the whole queue.
    sys.setswitchinterval(5.0)
    try:
        with pytest.raises(Bitrix24AccessDeniedError):
            client.call_batch(dict.fromkeys(range(5000), READ))
    finally:
        sys.setswitchinterval(interval)

    assert len(portal.sent) <= MAX_PARALLEL_REQUESTS


def test_an_interrupt_ends_parallel_requests(
    make_client: Callable[..., Bitrix24Client], caplog: pytest.LogCaptureFixture, portal: Emulator
) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        make_client(limiter=Interrupt(1, KeyboardInterrupt())).call_batch(dict.fromkeys(range(1000), READ))

    assert "of 1000 commands have an answer" in caught.value.__notes__[0]
    assert portal.requests.count("batch") <= 1


# Operating time


LIMITED = {"result": [], "result_error": {"c0": {"error": "OPERATION_TIME_LIMIT"}}}


def used(seconds: float, reset_at: float) -> dict[str, Any]:
    return {
        "result": {"c0": 1},
        "result_error": [],
        "result_time": {"c0": {"operating": seconds, "operating_reset_at": reset_at}},
    }


def test_the_operating_time_of_a_command_is_tracked(
    canned: Callable[..., tuple[Bitrix24Client, Canned]], time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    client, _ = canned(used(400.0, time.now + 30))
    client.call_batch({"a": "crm.deal.list"})

    assert client.operating.reset_in("crm.deal.list") == 30
    assert "crm.deal.list has run for 400 s" in caplog.text


def test_a_command_out_of_operating_time_is_retried_if_the_reset_is_near(
    canned: Callable[..., tuple[Bitrix24Client, Canned]], time: Time
) -> None:
    client, portal = canned(used(479.0, time.now + 30), LIMITED, used(1.0, time.now + 630))
    client.call_batch({"a": "crm.deal.list"})

    assert client.call_batch({"a": "crm.deal.list"}).results == {"a": 1}
    assert 30 <= sum(time.sleeps) <= 32
    assert len(portal.sent) == 3


@pytest.mark.parametrize("reset", [300.0, None])
def test_a_command_out_of_operating_time_fails_with_reset_at_if_the_reset_is_far(
    canned: Callable[..., tuple[Bitrix24Client, Canned]], time: Time, reset: float | None
) -> None:
    client, _ = canned(used(479.0, time.now + reset) if reset else {"result": {"c0": 1}}, LIMITED)
    client.call_batch({"a": "crm.deal.list"})
    error = client.call_batch({"a": "crm.deal.list"}).errors["a"]

    assert isinstance(error, Bitrix24OperatingLimitError)
    assert error.reset_at == (time.now + reset if reset else None)
    assert error.outcome is Outcome.NOT_EXECUTED
    assert time.sleeps == []


def test_only_commands_that_were_not_executed_are_retried(
    canned: Callable[..., tuple[Bitrix24Client, Canned]],
) -> None:
    refused = {"result": {"c0": 1}, "result_error": {"c1": {"error": "QUERY_LIMIT_EXCEEDED"}}}
    client, portal = canned(refused, {"result": {"c0": 2}, "result_error": []})
    done = client.call_batch({"a": "im.message.add", "b": ("im.message.add", {"MESSAGE": "second"})})

    assert done.results == {"a": 1, "b": 2}
    assert portal.sent[1] == {"c0": "im.message.add?MESSAGE=second"}


def test_a_rate_limited_command_fails_with_its_own_type_after_max_attempts(
    canned: Callable[..., tuple[Bitrix24Client, Canned]],
) -> None:
    refused = {"result": [], "result_error": {"c0": {"error": "QUERY_LIMIT_EXCEEDED"}}}
    client, _ = canned(*[refused] * 100)

    error = client.call_batch({"a": "im.message.add"}).errors["a"]
    assert type(error) is Bitrix24RateLimitError
    assert error.attempts == POLICY.max_rate_limit_attempts


def test_an_idempotent_command_that_the_portal_broke_over_is_retried(
    canned: Callable[..., tuple[Bitrix24Client, Canned]],
) -> None:
    broken = {"result": [], "result_error": {"c0": {"error": "INTERNAL_SERVER_ERROR"}}}
    client, portal = canned(broken, broken, {"result": {"c0": 7}, "result_error": []})

    assert client.call_batch({"a": READ}).results == {"a": 7}
    assert len(portal.sent) == 3


# The result


def test_raise_for_errors_raises_the_first_error_with_a_count() -> None:
    error = Bitrix24Error("first")
    result = BatchResult({"a": 1}, {"b": error, "c": Bitrix24Error("second")})

    with pytest.raises(Bitrix24Error, match="first") as caught:
        result.raise_for_errors()

    assert caught.value.__notes__ == ["Command 'b'; 2 of 3 commands failed."]
    BatchResult({"a": 1}).raise_for_errors()


@pytest.mark.parametrize("commands", [["user.get"], [("user.get", {})], "user.get", None, 5])
def test_commands_that_are_no_mapping_are_refused(
    client: Bitrix24Client, portal: Emulator, commands: Any
) -> None:
    with pytest.raises(Bitrix24ValidationError, match="commands: must map a key"):
        client.call_batch(commands)

    assert not portal.requests

"""One call: what is repeated, how long, and what the error says when it ends."""

from __future__ import annotations

import json
import logging
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AccessDeniedError,
    Bitrix24AuthError,
    Bitrix24Error,
    Bitrix24HttpsRequiredError,
    Bitrix24LimitError,
    Bitrix24ListIncompleteError,
    Bitrix24MethodNotFoundError,
    Bitrix24NoAnswerError,
    Bitrix24OperatingLimitError,
    Bitrix24OutcomeUnknownError,
    Bitrix24PortalMovedError,
    Bitrix24RateLimitError,
    Bitrix24ServerError,
    Bitrix24UnreachableError,
    Bitrix24ValidationError,
    Outcome,
)
from airflow_provider_b24.rest.auth import WebhookCredentials
from airflow_provider_b24.rest.limiter import NoLimit
from airflow_provider_b24.rest.pagination import items_of
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.retry import RetryPolicy

from .conftest import reply_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.rest.client import Bitrix24Client

    from .conftest import Time

LOST = ["drop_before", "drop_after", "status_502", "status_504", "html", "empty", "truncated"]


def post(portal: Emulator) -> tuple[str, dict[str, Any]]:
    chat = next(iter(portal.portal.chats)).id
    return "im.message.add", {"DIALOG_ID": f"chat{chat}", "MESSAGE": "hello"}


def hellos(portal: Emulator) -> int:
    chat = next(iter(portal.portal.chats)).id
    return sum(message.text == "hello" for message in portal.messages(chat))


class CountingLimiter(NoLimit):
    def __init__(self) -> None:
        self.waits = 0
        self.refusals = 0

    def wait(self) -> None:
        self.waits += 1

    def refused(self) -> None:
        self.refusals += 1


def test_a_call_returns_the_result(client: Bitrix24Client) -> None:
    assert client.call("user.current")["ID"] == "1"


def test_a_response_counts_its_attempts(client: Bitrix24Client, portal: Emulator) -> None:
    portal.faults.add("status_503_limit", times=2)

    assert client.request("user.current").attempts == 3


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_reply_of_a_safe_method_is_retried(
    client: Bitrix24Client, portal: Emulator, time: Time, kind: str
) -> None:
    portal.faults.add(kind, times=3)

    assert client.call("user.current")["ID"] == "1"
    assert portal.requests.count("user.current") == 4
    assert len(time.sleeps) == 3


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_reply_of_an_unsafe_method_is_never_repeated(
    client: Bitrix24Client, portal: Emulator, time: Time, kind: str
) -> None:
    portal.faults.add(kind, times=None)
    with pytest.raises(Bitrix24OutcomeUnknownError) as caught:
        client.call(*post(portal))

    assert portal.requests.count("im.message.add") == 1
    assert time.sleeps == []
    error = caught.value
    assert (error.method, error.conn_id, error.attempts) == ("im.message.add", "test_portal", 1)
    assert error.outcome is Outcome.UNKNOWN
    assert "Look in Bitrix24 whether it took effect" in str(error)


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_caller_may_declare_idempotency_for_one_call(
    client: Bitrix24Client, portal: Emulator, repeatable: bool
) -> None:
    portal.faults.add("drop_after")
    if repeatable:
        client.call(*post(portal), repeatable=True)
        assert hellos(portal) == 2
    else:
        with pytest.raises(Bitrix24OutcomeUnknownError):
            client.call("user.current", repeatable=False)


@pytest.mark.parametrize("kind", LOST)
def test_a_safe_method_without_a_reply_raises_no_answer_error(
    client: Bitrix24Client, portal: Emulator, kind: str
) -> None:
    portal.faults.add(kind, times=None)
    with pytest.raises(Bitrix24NoAnswerError, match="safe to repeat") as caught:
        client.call("user.current")

    assert type(caught.value) is Bitrix24NoAnswerError
    assert caught.value.attempts == RetryPolicy().max_attempts


def test_a_call_that_was_not_executed_is_retried_for_any_method(
    client: Bitrix24Client, portal: Emulator
) -> None:
    portal.faults.add("status_503_limit", times=3)
    client.call(*post(portal))

    assert hellos(portal) == 1


def test_an_unreachable_portal_raises_unreachable_error(
    make_client: Callable[..., Bitrix24Client], time: Time, serve: Callable[..., Any]
) -> None:
    server = serve()
    server.close()
    webhook = WebhookCredentials(portal=server.url, user_id="1", code=Secret("some-code"))
    with pytest.raises(Bitrix24UnreachableError, match="Nothing was executed") as caught:
        make_client(credentials=webhook).call("im.message.add", {"MESSAGE": "x"})

    assert caught.value.outcome is Outcome.NOT_EXECUTED
    assert len(time.sleeps) == 3


def test_a_refused_connection_after_a_lost_reply_has_an_unknown_outcome(
    make_client: Callable[..., Bitrix24Client], serve: Callable[..., Any]
) -> None:
    """The first attempt may have been executed, whatever became of the last."""

    class Falling(NoLimit):
        def wait(self) -> None:
            if server.requests:
                server.close()

    server = serve(None)
    webhook = WebhookCredentials(portal=server.url, user_id="1", code=Secret("some-code"))
    with pytest.raises(Bitrix24NoAnswerError) as caught:
        make_client(credentials=webhook, limiter=Falling()).call("user.current")

    assert caught.value.outcome is Outcome.UNKNOWN


# Refusals


def test_a_refusal_is_raised_at_once_with_the_portals_code_and_description(
    client: Bitrix24Client, portal: Emulator, time: Time
) -> None:
    with pytest.raises(Bitrix24MethodNotFoundError) as caught:
        client.call("no.such.method")

    error = caught.value
    assert (error.code, error.description, error.status) == (
        "ERROR_METHOD_NOT_FOUND",
        "Method not found!",
        404,
    )
    assert (error.method, error.conn_id, error.attempts) == ("no.such.method", "test_portal", 1)
    assert error.outcome is Outcome.REFUSED
    assert time.sleeps == []


def test_a_portal_that_takes_https_only_points_at_the_connection_s_address(
    client: Bitrix24Client, portal: Emulator
) -> None:
    portal.quirks.https_required = True
    with pytest.raises(Bitrix24HttpsRequiredError, match="connection's address") as caught:
        client.call("user.current")
    assert caught.value.code == "INVALID_REQUEST"


def test_the_parameter_that_the_portal_names_is_in_the_error(
    make_client: Callable[..., Bitrix24Client], serve: Callable[..., Any]
) -> None:
    body = b'{"error":"ERROR_ARGUMENT","error_description":"is null","argument":"CRM_ENTITY"}'
    server = serve(reply_bytes(body, status="400 Bad Request"))
    webhook = WebhookCredentials(portal=server.url, user_id="1", code=Secret("some-code"))
    with pytest.raises(Bitrix24Error, match=r"is null \(parameter CRM_ENTITY\)"):
        make_client(credentials=webhook).call("imopenlines.crm.message.add")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("403 Forbidden", Bitrix24AccessDeniedError),
        ("401 Unauthorized", Bitrix24AuthError),
        ("400 Bad Request", Bitrix24Error),
    ],
)
@pytest.mark.parametrize("body", [b"<html>no</html>", b""])
def test_a_refusal_without_json_has_a_type_and_a_description(
    make_client: Callable[..., Bitrix24Client],
    serve: Callable[..., Any],
    status: str,
    kind: type[Bitrix24Error],
    body: bytes,
) -> None:
    server = serve(reply_bytes(body, status=status, content_type="text/html"))
    webhook = WebhookCredentials(portal=server.url, user_id="1", code=Secret("some-code"))
    with pytest.raises(kind, match=r"the reply is (an HTML page|empty)"):
        make_client(credentials=webhook).call("im.message.add")


def test_status_500_is_a_server_error_with_the_portals_code(
    make_client: Callable[..., Bitrix24Client], serve: Callable[..., Any]
) -> None:
    reply = reply_bytes(b'{"error":"INTERNAL_SERVER_ERROR"}', status="500 Oops")
    server = serve(*[reply] * 9)
    webhook = WebhookCredentials(portal=server.url, user_id="1", code=Secret("some-code"))
    broken = make_client(credentials=webhook)

    with pytest.raises(Bitrix24ServerError) as safe:
        broken.call("user.current")
    with pytest.raises(Bitrix24OutcomeUnknownError) as unsafe:
        broken.call("im.message.add")
    assert (safe.value.code, unsafe.value.code) == ("INTERNAL_SERVER_ERROR", "INTERNAL_SERVER_ERROR")
    assert (safe.value.attempts, unsafe.value.attempts) == (4, 1)


def test_a_redirect_is_raised_with_its_location_and_never_followed(
    client: Bitrix24Client, portal: Emulator
) -> None:
    portal.faults.add("redirect", location="https://new.bitrix24.com")
    with pytest.raises(Bitrix24PortalMovedError) as caught:
        client.call("user.current")

    assert caught.value.location == "https://new.bitrix24.com"
    assert "https://new.bitrix24.com" in str(caught.value)
    assert portal.requests.count() == 1


# Limits


def test_every_attempt_waits_for_a_slot(make_client: Callable[..., Bitrix24Client], portal: Emulator) -> None:
    limiter = CountingLimiter()
    portal.faults.add("drop_after", times=2)
    make_client(limiter=limiter).call("user.current")

    assert (limiter.waits, limiter.refusals) == (3, 0)


@pytest.mark.parametrize(
    ("body", "refusals"),
    [(b'{"error":"QUERY_LIMIT_EXCEEDED"}', 1), (b"<html>503</html>", 0), (b'{"error":"ERROR_CORE"}', 0)],
)
def test_only_a_503_for_the_rate_slows_the_host(
    make_client: Callable[..., Bitrix24Client], serve: Callable[..., Any], body: bytes, refusals: int
) -> None:
    limiter = CountingLimiter()
    server = serve(reply_bytes(body, status="503 Service Unavailable"), reply_bytes(b'{"result":1}'))
    webhook = WebhookCredentials(portal=server.url, user_id="1", code=Secret("some-code"))
    make_client(credentials=webhook, limiter=limiter).call("user.current")

    assert limiter.refusals == refusals


def test_a_rate_limit_is_raised_after_max_attempts(client: Bitrix24Client, portal: Emulator) -> None:
    portal.faults.add("status_503_limit", times=None)
    with pytest.raises(Bitrix24RateLimitError) as caught:
        client.call(*post(portal))

    assert caught.value.attempts == RetryPolicy().max_rate_limit_attempts
    assert caught.value.outcome is Outcome.NOT_EXECUTED


@pytest.mark.parametrize("batch", [False, True])
def test_waits_for_the_rate_leave_the_retries_of_other_failures_as_they_are(
    make_client: Callable[..., Bitrix24Client], serve: Callable[..., Any], batch: bool
) -> None:
    limited = reply_bytes(b'{"error":"QUERY_LIMIT_EXCEEDED"}', status="503 Service Unavailable")
    body = b'{"result":{"result":{"c0":7},"result_error":[]}}' if batch else b'{"result":7}'
    server = serve(*[limited] * 5, None, None, limited, None, reply_bytes(body))
    webhook = WebhookCredentials(portal=server.url, user_id="1", code=Secret("some-code"))
    client = make_client(credentials=webhook)

    if batch:
        assert client.call_batch({"a": "user.current"}).results == {"a": 7}
    else:
        assert client.call("user.current") == 7
    assert len(server.requests) == 10


def test_a_full_queue_is_raised_with_method_and_connection(
    make_client: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    class Full(NoLimit):
        def wait(self) -> None:
            raise Bitrix24RateLimitError("The queue is long", outcome=Outcome.NOT_EXECUTED)

    with pytest.raises(Bitrix24RateLimitError) as caught:
        make_client(limiter=Full()).call("user.current")

    assert (caught.value.method, caught.value.conn_id) == ("user.current", "test_portal")
    assert portal.requests.count() == 0


def test_status_429_without_json_is_a_limit_error(
    make_client: Callable[..., Bitrix24Client], serve: Callable[..., Any]
) -> None:
    server = serve(*[reply_bytes(b"<html></html>", status="429 Too Many Requests")] * 9)
    webhook = WebhookCredentials(portal=server.url, user_id="1", code=Secret("some-code"))
    with pytest.raises(Bitrix24LimitError) as caught:
        make_client(credentials=webhook).call("im.message.add")

    assert (caught.value.attempts, caught.value.outcome) == (4, Outcome.NOT_EXECUTED)


def told(client: Bitrix24Client, portal: Emulator, time: Time, seconds: float) -> None:
    """Let the portal name a reset, so many seconds from now."""
    client.call("user.current")
    reset_in = client.operating.reset_in("user.current")
    assert reset_in is not None
    time.now += reset_in - seconds


def test_a_call_waits_for_operating_time_if_its_reset_is_near(
    client: Bitrix24Client, portal: Emulator, time: Time
) -> None:
    told(client, portal, time, 40.0)
    portal.faults.add("operating_limit")

    assert client.request("user.current").attempts == 2
    assert time.sleeps == [pytest.approx(40.5)]


def test_a_call_out_of_operating_time_fails_with_reset_at_if_it_is_far(
    client: Bitrix24Client, portal: Emulator, time: Time
) -> None:
    told(client, portal, time, 500.0)
    portal.faults.add("operating_limit", times=None)
    with pytest.raises(Bitrix24OperatingLimitError) as caught:
        client.call("User.Current")

    assert caught.value.reset_at == time.now + 500
    assert f"allowed again at {time.now + 500:.0f}" in str(caught.value)
    assert time.sleeps == []


def test_a_call_that_is_refused_after_the_reset_fails_without_a_reset_at(
    client: Bitrix24Client, portal: Emulator, time: Time
) -> None:
    told(client, portal, time, 40.0)
    portal.faults.add("operating_limit", times=None)
    with pytest.raises(Bitrix24OperatingLimitError, match="after ten minutes") as caught:
        client.call("user.current")

    assert caught.value.reset_at is None
    assert time.sleeps[0] == pytest.approx(40.5)


def test_a_call_out_of_operating_time_without_a_known_reset_fails_at_once(
    client: Bitrix24Client, portal: Emulator
) -> None:
    portal.faults.add("operating_limit", times=None)
    with pytest.raises(Bitrix24OperatingLimitError, match="after ten minutes") as caught:
        client.call("user.current")

    assert caught.value.reset_at is None
    assert caught.value.attempts == 1


def test_a_method_near_its_operating_time_limit_logs_a_warning(
    client: Bitrix24Client, portal: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    portal.limits.operating.enabled = True
    portal.faults.add("duration", method="user.current", seconds=400.0, times=1)
    client.call("user.current")
    client.call("user.current")

    assert len([message for message in caplog.messages if "user.current has run for 400 s" in message]) == 1


# Input, log, paging


@pytest.mark.parametrize(
    ("method", "params"), [("", {}), ("user get", {}), ("user.get", {"auth": "x"}), ("user.get", {"x": b""})]
)
def test_bad_input_is_refused_before_anything_is_sent(
    client: Bitrix24Client, portal: Emulator, method: str, params: dict[str, Any]
) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        client.call(method, params)

    assert portal.requests.count() == 0
    assert caught.value.outcome is None


def test_a_retry_is_logged(
    client: Bitrix24Client, portal: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    portal.faults.add("status_502")
    client.call("user.current")

    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages[0].startswith(
        "user.current: attempt 1 failed (the reply is an HTML page, not Bitrix24's JSON); retrying in"
    )


def test_errors_can_be_pickled(client: Bitrix24Client) -> None:
    with pytest.raises(Bitrix24MethodNotFoundError) as caught:
        client.call("no.such.method")
    copy = pickle.loads(pickle.dumps(caught.value))

    assert (type(copy), str(copy)) == (type(caught.value), str(caught.value))


def test_an_error_has_no_cause_that_holds_the_url(
    make_client: Callable[..., Bitrix24Client], portal: Emulator
) -> None:
    portal.faults.add("drop_after", times=None)
    with pytest.raises(Bitrix24OutcomeUnknownError) as caught:
        make_client().call(*post(portal))

    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.fixture
def paged(
    make_client: Callable[..., Bitrix24Client], serve: Callable[..., Any]
) -> Callable[..., tuple[Bitrix24Client, Any]]:
    def make(*pages: str) -> tuple[Bitrix24Client, Any]:
        server = serve(*(reply_bytes(page.encode()) for page in pages))
        webhook = WebhookCredentials(portal=server.url, user_id="1", code=Secret("some-code"))
        return make_client(credentials=webhook), server

    return make


@pytest.mark.parametrize(
    ("pages", "items"),
    [
        (['{"result":[1,2],"next":2,"total":3}', '{"result":[3],"total":3}'], [1, 2, 3]),
        (['{"result":[1,2],"next":"2"}', '{"result":[3]}'], [1, 2, 3]),
        (['{"result":{"items":[1]},"next":50}', '{"result":{"items":[]}}'], [1]),
        (['{"result":{"items":[1],"users":[7]}}'], [1]),
        (['{"result":{"tasks":[1],"count":1}}'], [1]),
        (['{"result":{"1":"a","3":"b"}}'], ["a", "b"]),
        (['{"result":{"tasks":{"1":"a","3":"b"}}}'], ["a", "b"]),
        (['{"result":[]}'], []),
        # A portal that names the same page again must not be followed for ever.
        (['{"result":[1],"next":50}', '{"result":[2],"next":50}'], [1, 2]),
        (['{"result":[1],"next":0}'], [1]),
    ],
)
def test_iterate_reads_all_pages(
    paged: Callable[..., tuple[Bitrix24Client, Any]], pages: list[str], items: list[Any]
) -> None:
    client, server = paged(*pages)

    assert list(client.iterate("crm.deal.list", {"filter": {"A": 1}})) == items
    assert len(server.requests) == len(pages)


def _page(first: int, count: int, **fields: int) -> str:
    return json.dumps({"result": [{"ID": str(number)} for number in range(first, first + count)], **fields})


@pytest.mark.parametrize(
    ("pages", "requests"),
    [
        # A full page without next is not always the last one.
        ([_page(0, 50, total=120), _page(50, 50, total=120), _page(100, 20, total=120)], 3),
        ([_page(0, 50, total=50), _page(50, 50, total=50), _page(100, 20, total=50)], 3),
        ([_page(0, 50), _page(50, 50), _page(100, 20)], 3),
        (
            [_page(0, 50, next=50, total=120), _page(50, 50, next=100, total=120), _page(100, 20, total=120)],
            3,
        ),
        # The method ignores start, and its one page is the whole list.
        ([_page(0, 120), _page(0, 120)], 2),
        ([_page(0, 120, total=120)], 1),
    ],
)
def test_iterate_yields_each_row_once_however_the_server_counts(
    paged: Callable[..., tuple[Bitrix24Client, Any]], pages: list[str], requests: int
) -> None:
    client, server = paged(*pages)

    assert [row["ID"] for row in client.iterate("crm.deal.list")] == [str(number) for number in range(120)]
    assert len(server.requests) == requests


@pytest.mark.parametrize(
    ("pages", "came", "whole"),
    [
        # The method ignores start.
        ([_page(0, 50, next=50, total=23732)] * 2, 50, "23732"),
        ([_page(0, 50, next=50)] * 2, 50, "more"),
        ([_page(0, 50, total=753128)] * 2, 50, "753128"),
        (['{"result":[1,1],"next":50,"total":9}'] * 2, 2, "9"),
        # An empty page before the end.
        ([_page(0, 50, next=50, total=120), _page(0, 0, total=120)], 50, "120"),
        ([_page(0, 50, next=50), _page(0, 0, next=100)], 50, "more"),
        ([_page(0, 0, total=7)], 0, "7"),
        ([_page(0, 20, total=120), _page(0, 0, total=120)], 20, "120"),
    ],
)
def test_iterate_raises_when_fewer_rows_come_than_there_are(
    paged: Callable[..., tuple[Bitrix24Client, Any]], pages: list[str], came: int, whole: str
) -> None:
    client, server = paged(*pages)
    rows = []
    with pytest.raises(Bitrix24ListIncompleteError, match=f"gave {came} of {whole} rows"):
        rows.extend(client.iterate("crm.deal.list"))

    assert len(server.requests) == len(pages)


@pytest.mark.parametrize("total", [{}, {"total": 50}])
def test_iterate_yields_no_row_twice_that_changes_while_start_is_ignored(
    paged: Callable[..., tuple[Bitrix24Client, Any]], total: dict[str, int]
) -> None:
    first = [{"id": number, "lastActivity": 1} for number in range(50)]
    again = [{"id": number, "lastActivity": 2} for number in reversed(range(50))]
    client, server = paged(*(json.dumps({"result": page, **total}) for page in (first, again)))

    assert list(client.iterate("crm.deal.list")) == first
    assert len(server.requests) == 2


def test_iterate_raises_when_promised_pages_hold_the_same_rows_in_another_state(
    paged: Callable[..., tuple[Bitrix24Client, Any]],
) -> None:
    first = [{"ID": number, "SEEN": 1} for number in range(50)]
    again = [{"ID": number, "SEEN": 2} for number in range(50)]
    client, _ = paged(
        json.dumps({"result": first, "next": 50, "total": 120}),
        json.dumps({"result": again, "next": 100, "total": 120}),
    )
    with pytest.raises(Bitrix24ListIncompleteError, match="gave 50 of 120 rows"):
        list(client.iterate("crm.deal.list"))


def test_iterate_yields_rows_without_an_id_that_are_alike(
    paged: Callable[..., tuple[Bitrix24Client, Any]],
) -> None:
    stage = [{"STAGE_ID": "NEW"}] * 50
    first, last = {"result": stage, "next": 50, "total": 100}, {"result": stage, "total": 100}
    client, _ = paged(json.dumps(first), json.dumps(last))

    assert list(client.iterate("crm.deal.list", {"select": ["STAGE_ID"]})) == stage * 2


def test_iterate_begins_with_the_given_row_and_counts_from_there(
    paged: Callable[..., tuple[Bitrix24Client, Any]],
) -> None:
    client, server = paged(_page(50, 50, next=100, total=120), _page(100, 20, total=120))

    assert len(list(client.iterate("crm.deal.list", {"start": 50}))) == 70
    assert b'"start": 50' in server.requests[0]


@pytest.mark.parametrize("start", [-1, "-1", None, True, "x", 1.5])
def test_iterate_refuses_a_start_that_is_no_row(client: Bitrix24Client, start: Any) -> None:
    with pytest.raises(Bitrix24ValidationError, match=r"params\.start"):
        list(client.iterate("crm.deal.list", {"start": start}))


def test_iterate_sends_start_with_the_given_parameters(
    paged: Callable[..., tuple[Bitrix24Client, Any]],
) -> None:
    client, server = paged('{"result":[1],"next":50}', '{"result":[2]}')
    list(client.iterate("crm.deal.list", {"filter": {"A": 1}}))

    assert server.requests[0].endswith(b'{"filter": {"A": 1}}')
    assert server.requests[1].endswith(b'{"filter": {"A": 1}, "start": 50}')


def test_iterate_requests_a_page_only_when_its_items_are_used(
    paged: Callable[..., tuple[Bitrix24Client, Any]],
) -> None:
    client, server = paged('{"result":[1,2],"next":50}')
    items = client.iterate("crm.deal.list")

    assert (next(items), next(items), len(server.requests)) == (1, 2, 1)


def test_iterate_requests_a_page_again_when_the_method_is_declared_repeatable(
    make_client: Callable[..., Bitrix24Client], serve: Callable[..., Any]
) -> None:
    pages = [reply_bytes(b'{"result":[1],"next":50}'), None, reply_bytes(b'{"result":[2]}'), None]
    server = serve(*pages)
    webhook = WebhookCredentials(portal=server.url, user_id="1", code=Secret("some-code"))
    client = make_client(credentials=webhook)

    assert list(client.iterate("sonet_group.user.groups", repeatable=True)) == [1, 2]
    with pytest.raises(Bitrix24OutcomeUnknownError):
        list(client.iterate("sonet_group.user.groups"))


@pytest.mark.parametrize("result", ["5", "null", '"text"', "true", '{"a":1}', '{"messages":[1],"users":[2]}'])
def test_iterate_raises_when_the_result_has_not_exactly_one_list(
    paged: Callable[..., tuple[Bitrix24Client, Any]], result: str
) -> None:
    client, _ = paged(f'{{"result":{result}}}')
    with pytest.raises(Bitrix24Error, match="no list, or with several"):
        list(client.iterate("im.dialog.messages.get"))


def test_an_empty_result_is_an_empty_list() -> None:
    assert items_of([]) == []
    assert items_of({}) == []

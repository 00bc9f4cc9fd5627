"""What a reply says: an answer, or why there is none and whether the portal executed the call."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Outcome
from airflow_provider_b24.rest.response import Failure, OperatingTime, Response, classify, read_operating
from airflow_provider_b24.rest.transport import HttpReply, NoReply

HTML = "text/html; charset=utf-8"
NOT_EXECUTED, REFUSED, UNKNOWN = Outcome.NOT_EXECUTED, Outcome.REFUSED, Outcome.UNKNOWN


def reply(status: int, body: Any, **more: Any) -> HttpReply:
    return HttpReply(status, body if isinstance(body, bytes) else json.dumps(body).encode(), **more)


def failure(status: int, body: Any, **more: Any) -> Failure:
    found = classify(reply(status, body, **more))
    assert isinstance(found, Failure)
    return found


def answer(body: Any, **more: Any) -> Response:
    found = classify(reply(200, body), **more)
    assert isinstance(found, Response)
    return found


@pytest.mark.parametrize(
    ("status", "body", "outcome", "code"),
    [
        # Checked before the method runs, whatever the status.
        (503, {"error": "QUERY_LIMIT_EXCEEDED"}, NOT_EXECUTED, "QUERY_LIMIT_EXCEEDED"),
        (200, {"error": "QUERY_LIMIT_EXCEEDED"}, NOT_EXECUTED, "QUERY_LIMIT_EXCEEDED"),
        (401, {"error": "query_limit_exceeded"}, NOT_EXECUTED, "query_limit_exceeded"),
        (429, {"error": "OPERATION_TIME_LIMIT"}, NOT_EXECUTED, "OPERATION_TIME_LIMIT"),
        (401, {"error": "expired_token"}, NOT_EXECUTED, "expired_token"),
        (401, {"error": "OVERLOAD_LIMIT"}, NOT_EXECUTED, "OVERLOAD_LIMIT"),
        (503, {"error": "OVERLOAD_LIMIT"}, NOT_EXECUTED, "OVERLOAD_LIMIT"),
        (429, b"<html>Too Many Requests</html>", NOT_EXECUTED, ""),
        (429, b"", NOT_EXECUTED, ""),
        # An answer.
        (400, {"error": "ATTACH_NOT_FOUND"}, REFUSED, "ATTACH_NOT_FOUND"),
        (400, {"error": "0", "error_description": "x"}, REFUSED, "0"),
        (400, {"error": 0, "error_description": "x"}, REFUSED, "0"),
        (400, {"error": "", "error_description": "x"}, REFUSED, ""),
        (400, {"error": None, "error_description": "x"}, REFUSED, ""),
        (200, {"error": "ICON_REQUIRED", "result": False}, REFUSED, "ICON_REQUIRED"),
        (200, {"error": "X", "result": None}, REFUSED, "X"),
        (200, {"result": {"result": False, "error": "ICON_REQUIRED"}}, REFUSED, "ICON_REQUIRED"),
        (200, {"error": "wrong_client"}, REFUSED, "wrong_client"),
        (400, {"error": {"code": "BITRIX_REST_V3", "message": "x"}}, REFUSED, "BITRIX_REST_V3"),
        (403, b"<html>Forbidden</html>", REFUSED, ""),
        (404, b"", REFUSED, ""),
        (302, b"", REFUSED, ""),
        # Nobody can say.
        (500, {"error": "INTERNAL_SERVER_ERROR"}, UNKNOWN, "INTERNAL_SERVER_ERROR"),
        (500, {"error": "ERROR_CORE"}, UNKNOWN, "ERROR_CORE"),
        (500, b"", UNKNOWN, ""),
        (502, b"<html>Bad Gateway</html>", UNKNOWN, ""),
        (503, b"<html>Service Unavailable</html>", UNKNOWN, ""),
        (504, b"", UNKNOWN, ""),
        (200, b"", UNKNOWN, ""),
        (200, b"   ", UNKNOWN, ""),
        (200, b"<html>Sign in</html>", UNKNOWN, ""),
        (200, b'{"result": {"messageId": 1', UNKNOWN, ""),
        (200, {"time": {}}, UNKNOWN, ""),
        (200, [1, 2], UNKNOWN, ""),
        (200, b"[" * 100_000, UNKNOWN, ""),
        (200, b"\xff\xfe\x00", UNKNOWN, ""),
    ],
)
def test_classify_gives_each_failure_its_outcome_and_code(
    status: int, body: Any, outcome: Outcome, code: str
) -> None:
    found = failure(status, body)

    assert (found.outcome, found.code, found.status) == (outcome, code, status)


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"", "application/json", "the reply is empty"),
        (b" \r\n", HTML, "the reply is empty"),
        (b"<html></html>", HTML, "the reply is an HTML page, not Bitrix24's JSON"),
        (b"\n<!DOCTYPE html>", "", "the reply is an HTML page, not Bitrix24's JSON"),
        (b"oops", "text/plain", "the reply is not Bitrix24's JSON"),
    ],
)
def test_a_reply_that_is_no_json_is_described_and_not_shown(
    body: bytes, content_type: str, words: str
) -> None:
    assert failure(502, body, content_type=content_type).description == words


def test_a_failure_keeps_the_portals_description_and_argument() -> None:
    found = failure(400, {"error": "ERROR_ARGUMENT", "error_description": "is null", "argument": "LINE"})

    assert (found.description, found.argument) == ("is null", "LINE")


def test_a_failure_keeps_the_description_of_a_nested_error() -> None:
    nested = {"result": {"result": False, "error": "NAME_REQUIRED", "error_description": "no name"}}

    assert failure(200, nested).description == "no name"
    assert failure(400, {"error": {"code": "C", "message": "words"}}).description == "words"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, UNKNOWN), (302, REFUSED), (400, REFUSED), (429, NOT_EXECUTED), (500, UNKNOWN)],
)
@pytest.mark.parametrize("body", [b"[" + b"[]," * 1_500_000 + b"0]", b'{"a":' * 5000 + b"0" + b"}" * 5000])
def test_a_reply_that_is_too_large_to_decode_is_not_asked_for_again(
    status: int, outcome: Outcome, body: bytes
) -> None:
    found = failure(status, body)

    assert (found.outcome, found.status, found.retryable) == (outcome, status, False)
    assert found.description.startswith("the reply is not decoded: it ")


def test_a_value_that_airflow_could_not_encode_is_replaced() -> None:
    found = classify(reply(200, rb'{"result":{"a":"\ud800","b":1e999,"c":123456789012345678901234567890}}'))

    assert isinstance(found, Response)
    assert found.result == {"a": "\ufffd", "b": None, "c": "123456789012345678901234567890"}


@pytest.mark.parametrize("result", [[], {}, None, False, 0, "", {"error": "", "result": False}, {"a": 1}])
def test_any_result_without_an_error_is_a_success(result: Any) -> None:
    assert answer({"result": result}).result == result


def test_a_result_may_hold_a_field_named_error() -> None:
    assert answer({"result": {"error": "a field of the item", "ID": 1}}).result["ID"] == 1
    assert answer({"result": [1], "error": ""}).result == [1]


@pytest.mark.parametrize(
    ("given", "total", "following"),
    [
        ({"total": 70, "next": 50}, 70, 50),
        ({"total": "70", "next": "50"}, 70, 50),
        ({"total": None}, None, None),
        ({"total": "many", "next": "²"}, None, None),
        ({"total": "9" * 5000, "next": 10**30}, None, None),
        ({"total": 10**18, "next": -1}, None, None),
        ({"total": 2**53, "next": 1.5}, 2**53, None),
        ({}, None, None),
    ],
)
def test_total_and_next_may_be_numbers_or_text(
    given: dict[str, Any], total: int | None, following: int | None
) -> None:
    found = answer({"result": [], **given})

    assert (found.total, found.next) == (total, following)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ({"operating": 12.5, "operating_reset_at": 1760000600}, OperatingTime(12.5, 1760000600.0)),
        ({"operating": "12.5", "operating_reset_at": "1760000600"}, OperatingTime(12.5, 1760000600.0)),
        ({"operating": 0}, OperatingTime()),
        ({"operating": None, "operating_reset_at": None}, OperatingTime()),
        ({"operating": "soon", "operating_reset_at": []}, OperatingTime()),
        ([], OperatingTime()),
        (None, OperatingTime()),
    ],
)
def test_malformed_operating_time_is_ignored(time: Any, expected: OperatingTime) -> None:
    assert read_operating(time) == expected
    assert answer({"result": True, "time": time}).operating == expected


def test_no_reply_keeps_its_reason_and_outcome() -> None:
    found = classify(NoReply(UNKNOWN, "the reply is larger than 32 MB", retryable=False))

    assert found == Failure(UNKNOWN, description="the reply is larger than 32 MB", retryable=False)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://new.bitrix24.com/rest/1/secret/x", "https://new.bitrix24.com"),
        ("https://user:secret@new.bitrix24.com/rest/", "https://new.bitrix24.com"),
        ("/rest/1/secret/x", None),
        ("https://[broken/secret", None),
        (None, None),
    ],
)
def test_a_redirect_keeps_only_the_host_of_its_location(location: str | None, shown: str | None) -> None:
    found = failure(302, b"", location=location)

    assert found.location == shown
    assert "secret" not in found.description


def test_a_file_is_a_success_only_for_a_binary_method() -> None:
    table = b"<html><table></table></html>"
    file = reply(200, table, content_type="application/vnd.ms-excel", disposition="attachment;filename=v.xls")

    assert isinstance(classify(file, binary=True), Response)
    assert isinstance(classify(file), Failure)


def test_an_html_page_is_a_failure_for_a_binary_method() -> None:
    page = reply(200, b"<html>Sign in</html>", content_type=HTML)

    assert isinstance(classify(page, binary=True), Failure)


@settings(max_examples=100, deadline=None)
@given(st.integers(100, 599), st.binary(max_size=60), st.sampled_from(["", HTML, "application/json"]))
def test_classify_accepts_any_bytes(status: int, body: bytes, content_type: str) -> None:
    classify(HttpReply(status, body, content_type))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "result", "time", "next", "total", "code"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.integers(200, 599), JSON)
def test_classify_accepts_any_json(status: int, body: Any) -> None:
    found = classify(reply(status, body))

    assert isinstance(found, Response | Failure)
    if isinstance(found, Response):
        assert "result" in body

"""What of a portal's answer is reported, and that none of its texts is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.conformance.answers import Answer, code_in, kind_of
from airflow_provider_b24.rest.redaction import Secret, protect

SECRET = "acme.bitrix24.com/rest/1/abc123abc123abcd/"


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (200, {"result": []}, "200 []"),
        (200, {"result": {}}, "200, a result"),
        (200, {"result": None}, "200, a result"),
        (400, {"error": "ATTACH_NOT_FOUND"}, "400 ATTACH_NOT_FOUND"),
        (400, {"error": "0"}, "400 0"),
        (400, {"error": 0}, "400 0 (a number)"),
        (400, {"error": ""}, "400 (empty code)"),
        (400, {"error": None}, "400 (no code)"),
        (400, {"error": SECRET}, "400 (not a name)"),
        (200, {"result": False, "error": "ICON_REQUIRED", "error_description": SECRET}, "200 ICON_REQUIRED"),
        (200, {"result": {"result": False, "error": "ICON_REQUIRED"}}, "200 ICON_REQUIRED"),
    ],
)
def test_an_answer_is_a_status_and_a_code_or_a_kind(status: int, body: dict[str, Any], text: str) -> None:
    assert str(Answer(status, body)) == text


@given(st.text())
def test_a_code_is_a_name_or_is_not_shown(code: str) -> None:
    shown = code_in({"error": code})

    assert shown in {code, "(not a name)", "(empty code)"}
    assert shown != code or (code.isascii() and code.replace("_", "a").isalnum() and len(code) <= 64)


@pytest.mark.parametrize("code", ["c0nf0rm-c0de", "c0nf0rmc0de12345", "NO_c0nf0rmc0de12345"])
def test_a_code_that_holds_a_secret_does_not_show_it(code: str) -> None:
    protect(Secret("c0nf0rmc0de12345"))

    assert "c0nf0rm" not in str(Answer(401, {"error": code}))


@pytest.mark.parametrize("problem", [None, [], "text", {}, {"error": True}, {"error": {"code": SECRET}}])
def test_an_error_of_another_form_has_no_code(problem: Any) -> None:
    assert code_in(problem) == "(no code)"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "a flag"),
        (7, "a number"),
        ("7", "text"),
        ([], "[]"),
        ([7], "a list"),
        ({}, "an object"),
    ],
)
def test_a_value_is_named_by_its_kind(value: Any, kind: str) -> None:
    assert kind_of(value) == kind


def test_the_times_of_an_answer_are_the_portals_own() -> None:
    answer = Answer(200, {"result": [], "time": {"start": 1.5, "finish": 2}})

    assert (answer.started, answer.finished) == (1.5, 2.0)
    assert (Answer(200, {"result": []}).started, Answer(200, {"time": {"start": "now"}}).started) == (
        0.0,
        0.0,
    )

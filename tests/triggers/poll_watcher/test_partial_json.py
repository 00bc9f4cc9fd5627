"""Replies that are made small while they are decoded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Outcome
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.transport import HttpReply, HttpRequest, NoReply
from airflow_provider_b24.triggers.poll_watcher.partial_json import PartialJsonTransport, slim

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["result", "result_error", "time", "error", ""]) | st.text(max_size=4)


def same(value: Any) -> Any:
    return value


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, st.dictionaries(NAMES, JSON, max_size=4) | JSON, max_size=4), st.booleans())
def test_what_is_kept_is_kept_as_it_was(value: Any, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=1 if ascii_only else None)

    assert json.loads(slim(body.encode(), same)) == value


def test_each_commands_result_is_made_small_and_nothing_else() -> None:
    body = {
        "result": {"result": {"c0": {"items": [1]}, "c1": []}, "result_error": {"c2": {"error": "x"}}},
        "time": {"operating": 1},
    }
    seen: list[Any] = []

    def shrink(value: Any) -> Any:
        seen.append(value)
        return "small"

    small = json.loads(slim(json.dumps(body).encode(), shrink))

    assert seen == [{"items": [1]}, []]
    assert small == body | {"result": body["result"] | {"result": {"c0": "small", "c1": "small"}}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"<html>",
        b'{"result"',
        b'{"result":{"result":{"c0":1}',
        b'{"a":1,}',
        b'{"a" 1}',
        b'{"a":1 "b":2}',
        b'{"a":1}x',
        b"\xff\xfe",
        b'{"result":{"result":{"c0":[1,}}}',
        b"{1:2}",
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_json_is_left_to_those_who_know_what_it_means(body: bytes) -> None:
    assert slim(body, same) == body


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b'{"result":[]}', b'{"result":{"result":[]}}', b"{}"])
def test_php_s_empty_lists_and_other_shapes_pass(body: bytes) -> None:
    assert json.loads(slim(body, same)) == json.loads(body)


class Canned:
    def __init__(self, reply: HttpReply | NoReply) -> None:
        self._reply = reply

    def send(self, request: HttpRequest) -> HttpReply | NoReply:
        return self._reply


@pytest.mark.parametrize(
    "reply",
    [
        NoReply(Outcome.UNKNOWN, "gone"),
        HttpReply(503, b'{"result":{"result":{"c":1}}}'),
        HttpReply(502, b"<html>"),
    ],
)
def test_only_successes_are_touched(reply: HttpReply | NoReply) -> None:
    transport = PartialJsonTransport(Canned(reply), lambda value: "small")

    assert transport.send(HttpRequest(Secret("http://127.0.0.1/"), b"")) == reply


def test_a_success_keeps_its_headers() -> None:
    reply = HttpReply(200, b'{"result": {"result": {"c": 1}}}', "application/json", None, "x")
    transport = PartialJsonTransport(Canned(reply), lambda value: "small")

    small = transport.send(HttpRequest(Secret("http://127.0.0.1/"), b""))

    assert isinstance(small, HttpReply)
    assert json.loads(small.body) == {"result": {"result": {"c": "small"}}}
    assert (small.status, small.content_type, small.disposition) == (200, "application/json", "x")

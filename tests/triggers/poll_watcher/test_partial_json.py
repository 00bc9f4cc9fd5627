"""Replies that are pruned while they are decoded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Outcome
from airflow_provider_b24.rest.decoding import decode
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.transport import HttpReply, HttpRequest, NoReply
from airflow_provider_b24.triggers.poll_watcher.partial_json import PartialJsonTransport, prune_results

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["result", "result_error", "time", "error", ""]) | st.text(max_size=4)


def keep_all(value: Any) -> Any:
    return value


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, st.dictionaries(NAMES, JSON, max_size=4) | JSON, max_size=4), st.booleans())
def test_prune_results_keeps_any_json_that_is_not_pruned_equal(value: Any, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=1 if ascii_only else None)

    # As a reply that is decoded whole: its numbers beyond 64 bits become texts.
    assert decode(prune_results(body.encode(), keep_all)) == decode(body.encode())


def test_prune_results_prunes_each_commands_result_and_nothing_else() -> None:
    body = {
        "result": {"result": {"c0": {"items": [1]}, "c1": []}, "result_error": {"c2": {"error": "x"}}},
        "time": {"operating": 1},
    }
    seen: list[Any] = []

    def prune(value: Any) -> Any:
        seen.append(value)
        return "pruned"

    pruned = json.loads(prune_results(json.dumps(body).encode(), prune))

    assert seen == [{"items": [1]}, []]
    assert pruned == body | {"result": body["result"] | {"result": {"c0": "pruned", "c1": "pruned"}}}


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
def test_prune_results_returns_a_body_that_is_not_json_unchanged(body: bytes) -> None:
    assert prune_results(body, keep_all) == body


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b'{"result":[]}', b'{"result":{"result":[]}}', b"{}"])
def test_prune_results_keeps_php_s_empty_lists_and_other_shapes(body: bytes) -> None:
    assert json.loads(prune_results(body, keep_all)) == json.loads(body)


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
def test_the_transport_changes_no_reply_but_a_success(reply: HttpReply | NoReply) -> None:
    transport = PartialJsonTransport(Canned(reply), lambda value: "pruned")

    assert transport.send(HttpRequest(Secret("http://127.0.0.1/"), b"")) == reply


def test_the_transport_keeps_the_headers_of_a_success() -> None:
    reply = HttpReply(200, b'{"result": {"result": {"c": 1}}}', "application/json", None, "x")
    transport = PartialJsonTransport(Canned(reply), lambda value: "pruned")

    pruned = transport.send(HttpRequest(Secret("http://127.0.0.1/"), b""))

    assert isinstance(pruned, HttpReply)
    assert json.loads(pruned.body) == {"result": {"result": {"c": "pruned"}}}
    assert (pruned.status, pruned.content_type, pruned.disposition) == (200, "application/json", "x")

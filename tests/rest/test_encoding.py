"""Parameters survive the way to PHP, in a single call and inside a batch."""

from __future__ import annotations

import json
import pathlib
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from time import process_time
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.emulator import php
from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.rest.encoding import (
    check_params,
    encode_command,
    encode_json,
    encode_query,
    needs_single_call,
)


class Colour(str, Enum):  # noqa: UP042
    RED = "red"


class Level(IntEnum):
    HIGH = 3


MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

#: Python's value, as JSON carries it, and as PHP reads it from a query.
VALUES = [
    ("text", "text", "text"),
    ("Привет & ?=#% +\n\t\"'<>\\", "Привет & ?=#% +\n\t\"'<>\\", "Привет & ?=#% +\n\t\"'<>\\"),
    ("😀", "😀", "😀"),
    ("", "", ""),
    (5, 5, "5"),
    (-5, -5, "-5"),
    (2**70, 2**70, str(2**70)),
    (0.1, 0.1, "0.1"),
    (1e22, 1e22, "1e+22"),
    (True, True, "1"),
    (False, False, "0"),
    (MOMENT, "2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05+00:00"),
    (date(2026, 1, 2), "2026-01-02", "2026-01-02"),
    (time(3, 4, 5), "03:04:05", "03:04:05"),
    (Decimal("10.50"), "10.50", "10.50"),
    (Colour.RED, "red", "red"),
    (Level.HIGH, 3, "3"),
    ([1, 2], [1, 2], ["1", "2"]),
    ((1, 2), [1, 2], ["1", "2"]),
    ({7}, [7], ["7"]),
    (frozenset({7}), [7], ["7"]),
    ({"a": {"b": [1, {"c": "d"}]}}, {"a": {"b": [1, {"c": "d"}]}}, {"a": {"b": ["1", {"c": "d"}]}}),
    (MappingProxyType({"a": 1}), {"a": 1}, {"a": "1"}),
    ({5: "x"}, {"5": "x"}, {"5": "x"}),
    ({">=DATE": "x", "%TITLE": "y"}, {">=DATE": "x", "%TITLE": "y"}, {">=DATE": "x", "%TITLE": "y"}),
    ([[1], [2]], [[1], [2]], [["1"], ["2"]]),
]


@pytest.mark.parametrize(("value", "as_json", "as_query"), VALUES, ids=lambda value: repr(value)[:30])
def test_php_decodes_each_value_from_json_and_from_a_query(value: Any, as_json: Any, as_query: Any) -> None:
    assert json.loads(encode_json({"x": value})) == {"x": as_json}
    assert php.decode_query(encode_query({"x": value})) == {"x": as_query}


@pytest.mark.parametrize("value", [None, [], {}, [None], {"a": {}}, (), set()])
def test_empty_values_are_omitted_from_a_query(value: Any) -> None:
    assert encode_query({"x": value}) == ""
    assert encode_command("user.get", {"x": value}) == "user.get"


def test_json_keeps_none_and_empty_lists() -> None:
    assert encode_json({"a": None, "b": [], "c": {}}) == b'{"a": null, "b": [], "c": {}}'


def test_json_text_is_utf8_and_not_escaped() -> None:
    assert "Привет" in encode_json({"x": "Привет"}).decode()


@pytest.mark.parametrize("size", [1_000_000])
def test_php_decodes_a_megabyte_of_text(size: int) -> None:
    text = "я#&=%+" * (size // 6)

    assert php.decode_query(encode_query({"x": text})) == {"x": text}
    assert php.decode_json(encode_json({"x": text})) == {"x": text}


class Odd:
    def __repr__(self) -> str:
        return "a value nobody should print"


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    "value",
    [Odd(), b"bytes", float("nan"), float("inf"), "\ud800", circle(), {"a": Odd()}, [b""], 1j],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("encode", [encode_json, lambda params: encode_command("user.get", params)])
def test_values_that_cannot_be_encoded_are_refused(encode: Any, value: Any) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        encode({"x": value})

    assert "nobody should print" not in str(caught.value)


@pytest.mark.parametrize("name", ["a]b", "a[b", "", " a", "a\0b"])
@pytest.mark.parametrize("nested", [True, False])
def test_a_name_that_php_would_change_is_refused(name: str, nested: bool) -> None:
    with pytest.raises(Bitrix24ValidationError, match="name"):
        encode_command("user.get", {"x": {name: 1}} if nested else {name: 1})


REFERENCES = [
    "$result[first][ID]",
    "$results[c0]",
    "$RESULT[c0]",
    "$result-[c0][NAME]",
    "$result][c0]",
    "$result[][c0]",
    "$result[[c0]",
    "costs $total[first], or more",
    "one $next and $error[x]",
    "$time\u00a0[c0]",
    "$result\x1c[c0]",
    "$result\u2028[c0]",
    # Each field of an earlier command's error is a name too.
    "$argument[c0]",
    "$error_description[c0]",
]
HARMLESS = [
    "$result",
    "$result []",
    "$result[]",
    "$result[",
    "$result]c0[",
    "$result [c0]",
    "$result\t[c0]",
    "$result\n[c0]",
    "$ result[1]",
    "result[1]",
    "$100[1]",
    "[b]$result[",
]


@pytest.mark.parametrize("text", REFERENCES)
def test_a_text_that_the_server_would_replace_is_recognised(text: str) -> None:
    assert needs_single_call({"MESSAGE": {"texts": [1, text]}})
    with pytest.raises(Bitrix24ValidationError, match="single call") as caught:
        encode_command("im.message.add", {"MESSAGE": {"text": text}})

    assert "MESSAGE" in caught.value.path


@pytest.mark.parametrize("text", HARMLESS)
def test_a_text_that_only_looks_like_a_reference_is_sent(text: str) -> None:
    assert not needs_single_call({"MESSAGE": text})
    assert unquote_plus(encode_command("im.message.add", {"MESSAGE": text})).endswith(text)


@pytest.mark.parametrize("piece", ["$a", "$a[", "[", "$a[[", "$a[]", "$a[ ]"])
def test_a_long_text_is_searched_in_linear_time(piece: str) -> None:
    def seconds(count: int) -> float:
        started = process_time()
        needs_single_call({"MESSAGE": piece * count})
        return process_time() - started

    # Eight times the text takes eight times as long, not sixty-four times.
    assert min(seconds(80_000) for _ in range(3)) < 32 * min(seconds(10_000) for _ in range(3))


@pytest.mark.parametrize("name", ["auth", "access_token", "token", "state", "AUTH", "ap", "aplogin"])
def test_a_parameter_that_the_server_reserves_is_refused(name: str) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        check_params("user.get", {name: "x"})

    assert caught.value.path == f"params.{name}"


@pytest.mark.parametrize("method", ["", "user get", "user/get", "../user.get", "user.get?x=1", "user.get#"])
def test_a_method_that_would_change_the_address_is_refused(method: str) -> None:
    with pytest.raises(Bitrix24ValidationError):
        check_params(method, {})


@pytest.mark.parametrize("params", [[1], "x", 5])
def test_parameters_must_be_a_mapping(params: Any) -> None:
    with pytest.raises(Bitrix24ValidationError):
        check_params("user.get", params)


def test_parameters_are_copied_and_may_be_missing() -> None:
    given_ = {"start": 50}

    assert check_params("user.get", None) == {}
    assert check_params("user.get", given_) == given_
    assert check_params("user.get", given_) is not given_


NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="[]"), min_size=1, max_size=6
)
# PHP renames top-level names with dots and spaces, as no method of Bitrix24 has them.
TOP_NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LEAVES = TEXTS | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(NAMES.filter(lambda name: not name[0].isspace()), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def as_php(value: Any) -> Any:
    """Return a tree as PHP holds it after a query: texts, and lists where keys are 0..n-1."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, dict):
        items = {key: as_php(inner) for key, inner in value.items()}
        in_order = all(key == str(place) for place, key in enumerate(items))
        return list(items.values()) if in_order else items
    if isinstance(value, list):
        return [as_php(inner) for inner in value]
    return str(value)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(TOP_NAMES, TREES, max_size=4))
def test_php_decodes_any_encoded_query(params: dict[str, Any]) -> None:
    assert php.decode_query(encode_query(params)) == {name: as_php(value) for name, value in params.items()}


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(TOP_NAMES, TREES | st.none() | st.just([]), max_size=4))
def test_php_decodes_any_encoded_json(params: dict[str, Any]) -> None:
    assert php.decode_json(encode_json(params)) == params


@pytest.mark.parametrize("method", ["user.get", "crm.deal.list", "im_bot.v2", "profile"])
def test_a_method_s_name_has_letters_digits_dots_and_underscores(method: str) -> None:
    assert check_params(method, None) == {}


@pytest.mark.parametrize(
    ("method", "params", "path", "rule"),
    [
        ("", {}, "method", "'' is not the name of a REST method"),
        ("user get", {}, "method", "'user get' is not the name of a REST method"),
        ("user.get", [("ID", 1)], "params", "must be a mapping of names to values"),
        (
            "user.get",
            {"Auth": "x"},
            "params.Auth",
            "this name is taken by the server; the method would never see it",
        ),
    ],
)
def test_what_the_server_would_not_take_is_refused_with_path_and_method(
    method: str, params: Any, path: str, rule: str
) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        check_params(method, params)
    assert (caught.value.path, caught.value.rule, caught.value.method) == (path, rule, method)


def test_a_value_without_a_form_in_a_query_is_refused_with_its_reason() -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        encode_command("user.get", {"ID": object()})
    assert caught.value.path == "params.ID"
    assert caught.value.rule == "is a object, which is no JSON value; pass text or a number"


def test_a_reference_in_a_command_is_refused_with_its_path_and_method() -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        encode_command("im.message.add", {"MESSAGE": {"TEXT": "$result[a]"}})
    assert (caught.value.path, caught.value.method) == ("MESSAGE[TEXT]", "im.message.add")
    assert caught.value.rule == (
        "holds what the server replaces in a batch ($result[key] or the like); send a single call"
    )


@pytest.mark.parametrize(
    "value", [None, [], {}, (), {"NAME": None}, {"a": [1, []]}, [[None]], {"a": {"b": {}}}]
)
def test_what_a_query_can_not_carry_needs_a_single_call(value: Any) -> None:
    assert needs_single_call({"FILTER": value})


@pytest.mark.parametrize("value", [0, False, "", "x", [0], {"a": ""}, {"a": [False]}])
def test_what_a_query_carries_needs_no_single_call(value: Any) -> None:
    assert not needs_single_call({"FILTER": value})


def test_a_circle_holds_no_reference() -> None:
    circle: dict[str, Any] = {}
    circle["again"] = circle

    assert needs_single_call(circle) is False


@pytest.mark.parametrize(("text", "found"), [("$result[[a]", True), ("$result[a[", False), ("$a[b][]", True)])
def test_a_key_ends_at_the_first_closing_bracket(text: str, found: bool) -> None:
    assert needs_single_call({"TEXT": text}) is found


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (b"x", "is bytes; a file goes as text: base64"),
        (bytearray(b"x"), "is bytes"),
        (uuid.uuid4(), "is a UUID"),
        (pathlib.Path("x"), "is a PosixPath"),
        (timedelta(1), "is a timedelta"),
        (Enum("Stage", ["NEW"])["NEW"], "is a Stage"),
        (object(), "is a object"),
    ],
)
@pytest.mark.parametrize("encode", [encode_json, lambda params: encode_command("crm.deal.add", params)])
def test_a_value_that_can_not_be_sent_is_named_with_its_path(encode: Any, value: Any, rule: str) -> None:
    with pytest.raises(Bitrix24ValidationError, match=rule) as caught:
        encode({"fields": {"A": 1, "FILES": [{"fileData": ["x.png", value]}]}})

    assert caught.value.path == "params.fields.FILES[0].fileData[1]"


@pytest.mark.parametrize("method", [None, 5, b"user.get", ["user.get"], "", "user get"])
def test_a_method_that_is_no_name_is_refused(method: Any) -> None:
    with pytest.raises(Bitrix24ValidationError, match="is not the name of a REST method"):
        check_params(method, {})

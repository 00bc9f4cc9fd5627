"""A portal's JSON becomes values that Airflow can encode and store, in bounded memory."""

from __future__ import annotations

import json
import math
import tracemalloc
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.rest import decoding
from airflow_provider_b24.rest.decoding import (
    DECODER,
    MAX_DEPTH,
    MAX_VALUES,
    TooLargeError,
    checked_text,
    clean,
    decode,
    is_encodable,
)

pytestmark = pytest.mark.slow


def nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * (depth - 1) + b"1" + b"]" * (depth - 1) + b"}"


def airflow_takes(value: Any) -> bool:
    """Encode as Airflow's processes do for each other, its API and its databases."""
    msgspec.msgpack.encode(value)
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    # PostgreSQL's jsonb refuses NUL.
    return "\\u0000" not in text.replace("\\\\", "") and bool(text.encode())


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'["\ud800"]', ["\ufffd"]),
        (rb'["\uDFFFx\ud83d"]', ["\ufffdx\ufffd"]),
        (rb'["\ud83d\ud83d\ude00"]', ["\ufffd😀"]),
        (rb'["\ud83d\ude00 \uD83D\uDE00"]', ["😀 😀"]),
        (rb'["\ude00\ud83d"]', ["\ufffd\ufffd"]),
        (rb'["\\ud800"]', ["\\ud800"]),
        (rb'["\\\ud800"]', ["\\\ufffd"]),
        (rb'["\\\\ud800 \ud800"]', ["\\\\ud800 \ufffd"]),
        (rb'["a\u0000b\\u0000"]', ["a\ufffdb\\u0000"]),
        (rb'{"\ud800":"\u00e9"}', {"\ufffd": "é"}),
        (b'["\xed\xa0\x80"]', ["\ufffd\ufffd\ufffd"]),
        (b'["\xff"]', ["\ufffd"]),
        (b"[NaN,Infinity,-Infinity,1e999,-1E+999]", [None] * 5),
        (b"[1.5,1e3,-0.0,1e-999]", [1.5, 1000.0, -0.0, 0.0]),
        (b"[9223372036854775807,-9223372036854775808]", [2**63 - 1, -(2**63)]),
        (b"[9223372036854775808,-9223372036854775809]", ["9223372036854775808", "-9223372036854775809"]),
        (b"[123456789012345678901234567890]", ["123456789012345678901234567890"]),
        (b"[" + b"1" * 5000 + b"]", ["1" * 5000]),
        (b"\xef\xbb\xbf [true,false,null,0]", [True, False, None, 0]),
        (b" \r\n\t{}", {}),
    ],
)
def test_what_airflow_cannot_carry_is_replaced(body: bytes, value: Any) -> None:
    found = decode(body)

    assert found == value
    assert [type(item) for item in found] == [type(item) for item in value]
    assert is_encodable(found)
    assert airflow_takes(found)


@pytest.mark.parametrize(
    "body", [b"", b"  ", b"null", b'"text"', b"5", b"<html>", b"[1", b'{"a":}', b"[] []"]
)
def test_what_is_no_object_or_list_is_no_value(body: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        decode(body)

    assert not isinstance(caught.value, TooLargeError)


@pytest.mark.parametrize("depth", [1, 2, 50, MAX_DEPTH])
def test_a_reply_may_be_nested_as_deep_as_any_portals(depth: int) -> None:
    assert is_encodable(decode(nested(depth)))


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500, 3000, 1_000_000])
@pytest.mark.parametrize("text", [b"", b"[", b"]]]]"])
def test_a_reply_that_is_nested_too_deep_is_not_decoded(depth: int, text: bytes) -> None:
    with pytest.raises(TooLargeError, match=r"levels deep|more than"):
        decode(b'[["' + text + b'"],' + nested(depth) + b"]")


@pytest.mark.parametrize("text", ["[" * 5000, "]" * 5000, "[{" * 500, ":["])
def test_brackets_in_texts_are_not_structure(text: str) -> None:
    value = {"a": [{"b": text}] * 300}

    assert decode(json.dumps(value).encode()) == value


def test_an_unclosed_reply_is_refused_without_recursion() -> None:
    with pytest.raises(TooLargeError):
        decode(b"[" * 5_000_000)


def test_a_reply_that_was_cut_off_is_not_called_too_large() -> None:
    body = nested(MAX_DEPTH)
    for length in range(1, len(body)):
        with pytest.raises(ValueError) as caught:
            decode(body[:length])
        assert not isinstance(caught.value, TooLargeError)


@pytest.mark.parametrize("piece", [b"[],", b"{},", b'"",', b"0,", b"[0],", b'{"a":0},', b"[[[[]]]],"])
def test_a_small_reply_that_would_fill_the_memory_is_not_decoded(piece: bytes) -> None:
    body = b"[" + piece * (8 * 1024 * 1024 // len(piece)) + b"0]"
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError, match="1,000,000 values"):
            decode(body)
        assert tracemalloc.get_traced_memory()[1] < len(body) * 3
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("piece", [b'{"a":0},', b'"ab",', b'"\\u0431",'])
def test_the_largest_reply_takes_bounded_memory(piece: bytes) -> None:
    values = MAX_VALUES // max(piece.count(b",") + piece.count(b"{"), 1) - 10
    body = b"[" + piece * values + b"0]"
    tracemalloc.start()
    try:
        decode(body)
        assert tracemalloc.get_traced_memory()[1] < 300_000_000
    finally:
        tracemalloc.stop()


def test_a_reply_with_thousands_of_polls_is_no_large_one() -> None:
    answers = {
        str(number): {"ID": str(number), "MESSAGE": "Yes", "COUNTER": "1", "x": [1, 2, 3]}
        for number in range(10)
    }
    polls = [{"ID": number, "QUESTIONS": {"1": {"ANSWERS": answers}}} for number in range(2500)]

    assert len(decode(json.dumps({"result": polls}).encode())["result"]) == 2500


def test_a_reply_is_decoded_in_parts_as_it_is_as_a_whole() -> None:
    text = checked_text(rb'{"a": [NaN, 1e999, 123456789012345678901234567890]}')

    assert DECODER.raw_decode(text, 6)[0] == [None, None, "123456789012345678901234567890"]


def test_a_part_that_is_written_and_read_again_is_clean() -> None:
    part = DECODER.decode(checked_text(rb'{"\ud800": ["\ud800\u0000"]}'))

    assert is_encodable(decode(json.dumps(part).encode()))


class Kind(StrEnum):
    ONE = "one"


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("a\ud800b\0c", "a\ufffdb\ufffdc"),
        ({"k\ud800": ["\udfff"]}, {"k\ufffd": ["\ufffd"]}),
        (2**63, "9223372036854775808"),
        (-(2**63) - 1, "-9223372036854775809"),
        pytest.param(10**5000, None, id="5000 digits"),
        (math.nan, None),
        ([math.inf, 1.5], [None, 1.5]),
        ((1, {2}), [1, [2]]),
        ({1: "a", None: "b"}, {"1": "a", "None": "b"}),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        ({"a": object(), "b": b"x"}, {"a": None, "b": None}),
    ],
)
def test_a_value_that_cannot_be_encoded_is_cleaned(value: Any, cleaned: Any) -> None:
    assert not is_encodable(value)
    assert clean(value) == cleaned
    assert is_encodable(clean(value))
    assert airflow_takes(clean(value))


@pytest.mark.parametrize(
    "value", [None, True, 0, 2**63 - 1, 1.5, "я😀\n", Kind.ONE, [], {"a": [{"b": None}]}]
)
def test_a_value_that_can_be_encoded_is_returned_as_it_is(value: Any) -> None:
    assert is_encodable(value)
    assert clean(value) is value
    assert airflow_takes(value)


def test_what_is_nested_too_deep_is_cut_off() -> None:
    value: Any = "deep"
    for _ in range(2000):
        value = [value]

    assert not is_encodable(value)
    assert is_encodable(clean(value))


ESCAPES = ['"', "\\", "\\u", "d800", "ude00", "D83D", "0000", "a", "\\n"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(JSON, st.booleans())
def test_any_json_is_decoded_to_what_airflow_takes(value: Any, escaped: bool) -> None:
    body = json.dumps([value], ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    found = decode(body)

    assert is_encodable(found)
    assert airflow_takes(found)
    if is_encodable([value]):
        assert found == [value]


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_value_is_cleaned_to_what_airflow_takes(value: Any) -> None:
    assert is_encodable(clean(value))
    assert airflow_takes(clean(value))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(['"', "\\", "\\u", "d800", "ude00", "D83D", "0000", "a", "\\n"]), max_size=12)
)
def test_escapes_are_cleaned_without_breaking_others(pieces: list[str]) -> None:
    body = f'["{"".join(pieces)}"]'.encode()
    try:
        expected = json.loads(body)
    except ValueError:
        with pytest.raises(ValueError):
            decode(body)
        return

    assert decode(body) == [text.translate(_BAD) for text in expected]


_BAD = dict.fromkeys([0, *range(0xD800, 0xE000)], "\ufffd")


def test_the_limits_are_far_above_what_portals_send() -> None:
    assert (decoding.MAX_DEPTH, decoding.MAX_VALUES) == (100, 1_000_000)

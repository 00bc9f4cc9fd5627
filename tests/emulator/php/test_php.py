"""PHP's reading of query strings, values and truth."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.php import json_text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", {}),
        ("a=1&b=2&a=3", {"a": "3", "b": "2"}),
        ("a", {"a": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("a+b=c+d%2B", {"a_b": "c d+"}),
        ("a.b=1", {"a_b": "1"}),
        ("a[]=1&a[]=2", {"a": ["1", "2"]}),
        ("a[0]=1&a[1]=2", {"a": ["1", "2"]}),
        ("a[1]=1&a[0]=2", {"a": {"1": "1", "0": "2"}}),
        ("a[5]=1&a[]=2", {"a": {"5": "1", "6": "2"}}),
        ("a[b][c][]=1&a[b][d]=2", {"a": {"b": {"c": ["1"], "d": "2"}}}),
        ("a[b.c]=1", {"a": {"b.c": "1"}}),
        ("a[01]=1", {"a": {"01": "1"}}),
        ("a=1&a[b]=2", {"a": {"b": "2"}}),
        ("a[b]=2&a=1", {"a": "1"}),
        ("a[b=1", {"a_b": "1"}),
        ("a[b]c=1", {"a": {"b": "1"}}),
        ("a%5Bb%5D=%D0%9F", {"a": {"b": "П"}}),
        ("=1&&", {}),
    ],
)
def test_a_query_is_read_as_php_reads_it(text: str, read: Any) -> None:
    assert php.decode_query(text) == read


@pytest.mark.parametrize("value", ["", "0", 0, 0.0, False, None, [], {}])
def test_truthy_is_false_for_what_php_calls_false(value: Any) -> None:
    assert not php.truthy(value)


@pytest.mark.parametrize("value", ["false", "00", "0.0", " ", "N", -1, [0], True])
def test_truthy_is_true_for_what_php_calls_true(value: Any) -> None:
    assert php.truthy(value)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("12", 12),
        ("12abc", 12),
        ("abc", 0),
        (" 7", 7),
        ("-3", -3),
        (None, 0),
        (True, 1),
        (2.9, 2),
        ([], 0),
        ("9" * 5000, 2**63 - 1),
        (float("inf"), 0),
        ([5], 1),
    ],
)
def test_to_int_casts_as_php_does(value: Any, number: Any) -> None:
    assert php.to_int(value) == number


leaves = st.text(alphabet=st.characters(blacklist_categories=("Cs",)))


@given(st.dictionaries(st.text("abcXYZ_", min_size=1), leaves))
def test_a_flat_map_is_the_same_after_a_round_trip_through_a_query(params: dict[str, Any]) -> None:
    text = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in params.items())
    assert php.decode_query(text) == params


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | leaves,
    lambda inner: st.lists(inner) | st.dictionaries(leaves, inner),
)


@given(trees)
def test_encoded_values_are_the_same_after_json_loads(tree: Any) -> None:
    assert json.loads(json_text.encode(tree)) == tree
    assert json.loads(json_text.encode([json_text.Rendered(tree), {"x": json_text.Rendered(tree)}])) == [
        tree,
        {"x": tree},
    ]

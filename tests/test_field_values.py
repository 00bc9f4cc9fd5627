"""What a template has rendered, and what is known while the DAG is parsed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseOperator
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.field_values import (
    as_choice,
    as_switch,
    as_text,
    as_texts,
    is_literal,
    literal,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=4) | st.dictionaries(st.text(), VALUES, max_size=4))
def test_a_list_or_mapping_survives_rendering_as_python_and_as_json(value: Any) -> None:
    assert literal(str(value)) == value
    assert literal(json.dumps(value)) == value


@pytest.mark.parametrize(
    "value", ["Yes", "", "[b]Release?[/b]", "{{ x", "[" * 9999, "5", 5, None, True, ["[1]"], {"a": "[1]"}]
)
def test_any_other_value_stays_as_it_is(value: Any) -> None:
    assert literal(value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (False, False), ("True", True), ("False", False), (" true\n", True), ("false", False)],
)
def test_a_switch_is_a_boolean_or_its_text(value: Any, expected: bool) -> None:
    assert as_switch(value, "anonymous") is expected


@pytest.mark.parametrize("value", [0, 1, "0", "1", "yes", "", "None", None, [], {}, ["True"], "{{ x }}"])
def test_a_switch_is_nothing_else(value: Any) -> None:
    with pytest.raises(Bitrix24ValidationError, match=r"^anonymous: must be True or False"):
        as_switch(value, "anonymous")


def test_a_choice_is_one_of_the_words() -> None:
    assert as_choice("report", "if_errors", ("fail", "report")) == "report"
    for value in ("Report", "", None, True, ["fail"]):
        with pytest.raises(Bitrix24ValidationError, match=r"^if_errors: must be one of fail, report, not "):
            as_choice(value, "if_errors", ("fail", "report"))


@pytest.mark.parametrize(("value", "text"), [(5, "5"), (1.5, "1.5"), (True, "True"), (-3, "-3"), ("x", "x")])
def test_the_text_of_a_number_or_boolean_is_what_a_template_would_have_rendered(
    value: Any, text: str
) -> None:
    assert as_text(value) == text


@pytest.mark.parametrize("value", [None, [], {}, b"x"])
def test_what_is_neither_text_nor_number_stays_for_the_check_to_refuse(value: Any) -> None:
    assert as_text(value) == value


def test_numbers_within_lists_and_mappings_become_texts_but_for_some_keys() -> None:
    messages = [{"message": {"id": 7, "date": 1760000000, "text": 5}, "files": (1, "a")}]

    assert as_texts(messages, but=("date",)) == [
        {"message": {"id": "7", "date": 1760000000, "text": "5"}, "files": ["1", "a"]}
    ]


def test_a_text_within_a_list_is_never_taken_for_a_list() -> None:
    assert as_texts("['[1]', 2]") == ["[1]", "2"]
    assert as_texts(["[1]", "{}"]) == ["[1]", "{}"]


@pytest.mark.parametrize(
    "value",
    [
        "{{ params.rule }}",
        "a {% if x %}b{% endif %}",
        "{# x #}",
        ["a", "{{ b }}"],
        {"quorum": "{{ params.quorum }}"},
        {"a": [{"b": ("{{ c }}",)}]},
        BaseOperator(task_id="t").output,
        ["a", BaseOperator(task_id="t").output["key"]],
        {"message_id": BaseOperator(task_id="t").output},
        lambda context, jinja_env: 5,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_known_only_when_the_task_runs_is_not_checked_before(value: Any) -> None:
    assert not is_literal(value)


@pytest.mark.parametrize(
    "value",
    ["a", "", 5, 1.5, None, True, ["a", 5], {"a": [1, (2, {3})]}, [], "{ {", b"a", Path("a"), object()],
    ids=lambda value: type(value).__name__,
)
def test_what_is_written_in_the_dag_is_known_when_it_is_parsed(value: Any) -> None:
    assert is_literal(value)

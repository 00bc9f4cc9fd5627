"""What PHP writes into a reply, read strictly."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Bitrix24ServerError, Outcome
from airflow_provider_b24.rest import php

if TYPE_CHECKING:
    from collections.abc import Callable

DATABASE_NUMBERS = st.integers(-(10**19) + 1, 10**19 - 1)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
READERS = [
    php.as_int,
    php.as_id,
    php.as_count,
    php.as_number,
    php.as_bool,
    php.as_text,
    php.as_dict,
    php.as_list,
    php.as_rows,
    php.as_row,
]


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@given(value=JSON)
def test_a_reader_returns_or_raises_value_error_for_any_json(read: Callable[[Any], Any], value: Any) -> None:
    try:
        read(value)
    except ValueError as error:
        # Replies carry texts of people, which must not get into logs.
        assert not (isinstance(value, str) and len(value) > 30 and value in str(error))


@given(DATABASE_NUMBERS)
def test_as_int_reads_an_integer_in_every_form(number: int) -> None:
    assert php.as_int(number) == number
    assert php.as_int(str(number)) == number
    assert php.as_int(f" {number}\n") == number


@given(st.integers(-(2**53), 2**53))
def test_as_int_reads_a_float_without_a_fraction(number: int) -> None:
    assert php.as_int(float(number)) == number


@given(st.floats().filter(lambda value: not value.is_integer()) | st.integers(min_value=10**19))
def test_as_int_refuses_fractions_and_numbers_that_no_database_has(number: float) -> None:
    with pytest.raises(ValueError, match="is not an integer"):
        php.as_int(number)


@pytest.mark.parametrize(
    "value",
    [None, True, False, "", " ", "many", "1.0", "1e3", "0x1", "١", "²", "1_0", "+1", [], {}, [1], 1e300],
)
def test_as_int_refuses_what_is_not_an_integer(value: Any) -> None:
    with pytest.raises(ValueError, match="is not an integer"):
        php.as_int(value)


def test_as_int_refuses_a_number_that_is_too_long_for_python_to_print() -> None:
    with pytest.raises(ValueError, match="is not an integer"):
        php.as_int(10**5000)
    with pytest.raises(ValueError, match="is not an integer"):
        php.as_int("9" * 5000)


@pytest.mark.parametrize(("value", "number"), [(1, 1), ("42", 42), (7.0, 7)])
def test_as_id_reads_a_positive_integer(value: Any, number: int) -> None:
    assert php.as_id(value) == number


@pytest.mark.parametrize("value", [0, "0", -1, "-5", None, "", True, "x"])
def test_as_id_refuses_everything_else(value: Any) -> None:
    with pytest.raises(ValueError, match="is not an i"):
        php.as_id(value)


@pytest.mark.parametrize(("value", "number"), [(0, 0), ("0", 0), ("12", 12)])
def test_as_count_reads_an_integer_from_zero_on(value: Any, number: int) -> None:
    assert php.as_count(value) == number


@pytest.mark.parametrize("value", [-1, "-1", None, "", "many", []])
def test_as_count_refuses_everything_else(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a"):
        php.as_count(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_as_number_reads_a_finite_number_in_every_form(number: float) -> None:
    assert php.as_number(number) == number
    assert php.as_number(repr(number)) == number


@pytest.mark.parametrize("nothing", [None, ""])
def test_as_number_reads_nothing_as_zero(nothing: Any) -> None:
    assert php.as_number(nothing) == 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf, "inf", "nan", 10**400, "x", True, [], {}])
def test_as_number_refuses_what_is_not_a_finite_number(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a"):
        php.as_number(value)


@pytest.mark.parametrize(
    ("values", "flag"),
    [
        ([True, 1, "1", "Y", "y", "true"], True),
        ([False, 0, "0", "N", "n", "false", "", None], False),
    ],
)
def test_as_bool_reads_a_flag_in_every_form(values: list[Any], flag: bool) -> None:
    assert [php.as_bool(value) for value in values] == [flag] * len(values)


@pytest.mark.parametrize("value", [2, -1, 1.0, "yes", " ", [], {}, ["Y"]])
def test_as_bool_refuses_everything_else(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a flag"):
        php.as_bool(value)


@given(st.text())
def test_as_text_returns_a_text_unchanged(text: str) -> None:
    assert php.as_text(text) == text


@pytest.mark.parametrize(("value", "text"), [(None, ""), (5, "5"), (0.5, "0.5"), ("", "")])
def test_as_text_reads_numbers_and_nothing(value: Any, text: str) -> None:
    assert php.as_text(value) == text


@pytest.mark.parametrize("value", [True, [], {}, ["x"]])
def test_as_text_refuses_lists_objects_and_flags(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a text"):
        php.as_text(value)


@given(st.dictionaries(st.text(), JSON))
def test_as_dict_returns_an_object_unchanged(value: dict[str, Any]) -> None:
    assert php.as_dict(value) is not value
    assert list(php.as_dict(value)) == list(value)


@pytest.mark.parametrize("nothing", [[], {}, None, False])
def test_an_empty_list_or_object_is_read_from_every_form_of_nothing(nothing: Any) -> None:
    assert php.as_dict(nothing) == {}
    assert php.as_list(nothing) == []
    assert php.as_rows(nothing) == []


@pytest.mark.parametrize("value", [[1], "x", 0, True, ""])
def test_as_dict_refuses_what_is_not_an_object(value: Any) -> None:
    with pytest.raises(ValueError, match="is not an object"):
        php.as_dict(value)


@given(st.lists(st.integers()))
def test_as_list_reads_a_list_and_the_object_that_php_makes_of_one_with_gaps(items: list[int]) -> None:
    with_gaps = json.loads(json.dumps({2 * place + 1: item for place, item in enumerate(items)}))

    assert php.as_list(items) == items == php.as_list(with_gaps)


@pytest.mark.parametrize("value", ["x", "", 0, 1, True])
def test_as_list_refuses_what_is_not_a_list(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a list"):
        php.as_list(value)


@pytest.mark.parametrize("rows", [[{"ID": 1}], {"5": {"ID": 1}}])
def test_as_rows_reads_a_list_of_objects(rows: Any) -> None:
    assert php.as_rows(rows) == [{"ID": 1}]


@pytest.mark.parametrize("rows", [["x"], [None], [[]], [{}], {"ID": 1}])
def test_as_rows_refuses_a_list_of_which_one_is_not_an_object(rows: Any) -> None:
    with pytest.raises(ValueError, match="is not an object"):
        php.as_rows(rows)


@pytest.mark.parametrize("value", [{}, [], None, "x"])
def test_as_row_refuses_an_empty_object(value: Any) -> None:
    with pytest.raises(ValueError, match="is not an object"):
        php.as_row(value)


@pytest.mark.parametrize(
    ("value", "known"),
    [([], True), ([1], True), ({"1": 1, "4": 2}, True), ({}, False), ({"a": 1}, False), ("x", False)],
)
def test_is_list_knows_a_list_with_gaps_from_an_object(value: Any, known: bool) -> None:
    assert php.is_list(value) is known


def test_promised_turns_a_value_error_into_the_typed_error_of_the_call() -> None:
    with pytest.raises(Bitrix24ServerError) as caught, php.promised("a poll", method="user.get", conn_id="c"):
        php.as_id("what people write")

    error = caught.value
    assert (error.method, error.conn_id, error.outcome) == ("user.get", "c", Outcome.UNKNOWN)
    assert error.description == "the reply is not a poll: a text of 17 characters is not an integer"
    # The reader's own error says nothing more.
    assert error.__suppress_context__


def test_promised_passes_on_other_errors_and_results() -> None:
    with pytest.raises(LookupError), php.promised("a poll", method="user.get"):
        raise LookupError
    with php.promised("a poll", method="user.get"):
        number = php.as_id(5)
    assert number == 5


@pytest.mark.parametrize(
    ("read", "what"),
    [
        (php.as_int, "an integer"),
        (php.as_number, "a number"),
        (php.as_bool, "a flag"),
        (php.as_text, "a text"),
        (php.as_dict, "an object"),
        (php.as_list, "a list"),
        (php.as_row, "an object"),
    ],
)
def test_an_error_names_the_type_of_a_value_and_not_what_it_holds(read: Any, what: str) -> None:
    with pytest.raises(ValueError, match=rf"^a value of type bytes is not {what}"):
        read(b"secret")
    if read is not php.as_text:
        with pytest.raises(ValueError, match=r"^a text of 6 characters is not "):
            read("secret")


def test_an_infinite_number_is_named_by_its_type() -> None:
    with pytest.raises(ValueError, match=r"^a value of type float is not a finite number$"):
        php.as_number(float("inf"))


def test_a_number_with_a_fraction_is_no_flag() -> None:
    for value in (1.0, 0.0, ["1"]):
        with pytest.raises(ValueError, match="is not a flag"):
            php.as_bool(value)

"""Columns and the fields of messages that they are."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.open_lines.pushing.csv_mapping import check_mapping, csv_columns
from airflow_provider_b24.utils.text_files import parse_delimiter


@pytest.mark.parametrize(
    ("given", "delimiter"), [(",", ","), (";", ";"), ("\t", "\t"), (r"\t", "\t"), ("|", "|")]
)
def test_one_character_separates_columns(given: str, delimiter: str) -> None:
    assert parse_delimiter(given) == delimiter


@pytest.mark.parametrize("given", ["", ";;", "\n", "\r", '"', "\0", r"\t\t", None, 5, b";"])
def test_what_can_not_separate_columns_is_refused(given: Any) -> None:
    with pytest.raises(Bitrix24ValidationError, match="delimiter: must be one character"):
        parse_delimiter(given)


def test_a_column_whose_name_stands_twice_is_refused() -> None:
    header = ["id", "text", " text", "", ""]
    assert csv_columns({"message.id": "id"}, header) == [(["message", "id"], 0)]
    with pytest.raises(Bitrix24ValidationError, match="the file has 2 columns named 'text'"):
        csv_columns({"message.text": "text"}, header)


@pytest.mark.parametrize("fields", [("user.id", "user.id.x"), ("message.files", "message.files.url")])
def test_a_field_and_a_part_of_it_are_refused(fields: tuple[str, ...]) -> None:
    for given in (fields, fields[::-1]):
        with pytest.raises(Bitrix24ValidationError, match="is mapped too; a field is either a value"):
            check_mapping(dict.fromkeys(given, "c"))


@pytest.mark.parametrize("field", ["id", "user", "user.", "user..id", "", "other.id"])
def test_what_is_no_field_of_a_message_is_refused(field: str) -> None:
    with pytest.raises(Bitrix24ValidationError, match="must be a field of user, message or chat"):
        check_mapping({field: "c"})


def test_fields_that_begin_alike_are_fine() -> None:
    check_mapping({"user.id": "a", "user.identity": "b", "message.files.url": "c", "message.files.name": "d"})

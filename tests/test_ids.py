"""Ids as people and templates write them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.ids import parse_chat_id, parse_id, positive_number

NO_NUMBERS = [
    None, "", " ", "0", 0, -1, "-1", "+1", "1.0", 1.0, True, False, "x", "1 2", "1_000", "²", "٣", [], {},
    b"1", "9" * 5000,
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "number"), [(5, 5), ("5", 5), (" 5\n", 5), ("007", 7), ("2147483648", 2**31)]
)
def test_parse_id_accepts_integers_and_digits(value: Any, number: int) -> None:
    assert positive_number(value) == number
    assert parse_id(value, "user_id") == number


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(value)[:20])
def test_parse_id_refuses_other_values_with_the_path(value: Any) -> None:
    assert positive_number(value) is None
    with pytest.raises(Bitrix24ValidationError) as caught:
        parse_id(value, "messages[3].user_id")

    assert caught.value.path == "messages[3].user_id"


@pytest.mark.parametrize(("value", "number"), [(5, 5), ("5", 5), ("chat5", 5), (" chat5 ", 5)])
def test_parse_chat_id_accepts_a_number_or_chat_n(value: Any, number: int) -> None:
    assert parse_chat_id(value) == number


@pytest.mark.parametrize(
    "value",
    [*NO_NUMBERS, "chat", "chat0", "chat-5", "chatchat5", "sg5", "Chat5x"],
    ids=lambda v: repr(v)[:20],
)
def test_parse_chat_id_refuses_other_values(value: Any) -> None:
    with pytest.raises(Bitrix24ValidationError, match="chatN") as caught:
        parse_chat_id(value)

    assert caught.value.path == "chat_id"

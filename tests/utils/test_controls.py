"""Control characters are removed, and plain text of any language is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.utils.controls import without_controls
from tests.support.controls import ESCAPES, FORBIDDEN, HOSTILE_TEXTS


@given(HOSTILE_TEXTS)
def test_no_control_character_is_left(text: str) -> None:
    assert not FORBIDDEN.search(without_controls(text))


@given(HOSTILE_TEXTS)
def test_removing_control_characters_twice_changes_nothing_more(text: str) -> None:
    assert without_controls(without_controls(text)) == without_controls(text)


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Zl", "Zp", "Cs"])))
def test_a_plain_text_of_any_language_is_kept(text: str) -> None:
    assert without_controls(text) == text


@pytest.mark.parametrize("escape", ESCAPES)
def test_an_escape_sequence_disappears_whole(escape: str) -> None:
    assert without_controls(f"before{escape}after") == "beforeafter"


@pytest.mark.parametrize("text", ["\x1b]0;no end", "\x9d0;title", "\x9b31m"])
def test_an_escape_sequence_without_an_end_hides_nothing(text: str) -> None:
    shown_text = without_controls(f"before{text} after")

    assert shown_text.startswith("before")
    assert shown_text.endswith(" after")


def test_lines_become_one_line() -> None:
    assert without_controls("one\r\ntwo\tthree\u2028four") == "one two three four"

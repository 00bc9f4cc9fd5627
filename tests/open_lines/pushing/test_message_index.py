"""What messages and conversations are known by."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.open_lines.pushing.message_index import conversation_key, message_key, row_key

IDS = st.text(alphabet=st.sampled_from("a1\x1f"), max_size=4)


@given(IDS, IDS, IDS, IDS)
def test_other_ids_have_another_key(chat: str, message: str, other_chat: str, other_message: str) -> None:
    is_same = (chat, message) == (other_chat, other_message)
    for key in (message_key, conversation_key):
        assert (key(chat, message) == key(other_chat, other_message)) is is_same


@given(IDS, IDS, st.integers(min_value=0, max_value=200))
def test_a_row_without_ids_has_no_key_of_a_message(chat: str, message: str, row: int) -> None:
    assert message_key(chat, message) != row_key(row)

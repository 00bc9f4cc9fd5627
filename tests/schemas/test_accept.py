"""The fast check accepts nothing that the schema refuses."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.schemas.accept import accepts_items_of
from airflow_provider_b24.schemas.validate import violations

from .test_validate import MESSAGES

SCHEMAS = ["connector_messages", "connector_deletions"]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.floats(allow_nan=False), st.sampled_from(
        ["", " ", "x", "12", "12\n", "http://a.b", "https://a b", "male", "Y", "y", "²"]
    )
)  # fmt: skip
NAMES = st.sampled_from(
    [
        *("user", "message", "chat", "id", "name", "last_name", "picture", "url", "sex", "gender", "email"),
        *("phone", "skip_phone_validate", "date", "text", "files", "disable_crm", "user_id", "other"),
    ]
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(NAMES, inner)), max_leaves=8
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        found += places(inner, (*path, key)) if isinstance(inner, dict | list) else [(*path, key)]
    return found


@pytest.mark.parametrize("schema", SCHEMAS)
@given(data=st.data())
def test_what_it_accepts_keeps_to_the_schema(schema: str, data: st.DataObject) -> None:
    item: Any = copy.deepcopy(data.draw(st.sampled_from(MESSAGES)))
    *parents, last = data.draw(st.sampled_from([place for place in places(item) if place]))
    target = item
    for key in parents:
        target = target[key]
    if isinstance(target, dict) and data.draw(st.booleans()):
        target[data.draw(NAMES)] = data.draw(VALUES)
    else:
        target[last] = data.draw(VALUES)
    if accepts_items_of(schema)(item):
        assert violations([item], schema) == []


@pytest.mark.parametrize("item", MESSAGES)
def test_valid_messages_need_no_other_check(item: Any) -> None:
    assert accepts_items_of("connector_messages")(item)


def test_all_violations_are_named() -> None:
    item = {"user": {"id": "", "sex": "x"}, "message": {"id": 1, "text": " "}, "more": 1}
    assert violations([item], "connector_messages", root="messages") == [
        ("messages[0]", "needs 'chat'"),
        ("messages[0]", "has no key 'more'; it knows chat, message, user"),
        ("messages[0].message", "needs text or files"),
        ("messages[0].user.id", "must not be blank"),
        ("messages[0].user.sex", "must be male or female"),
    ]

"""Which polls of a reply may be decided."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.polls.bulk import UNDECIDED
from airflow_provider_b24.polls.reference import PollReference, ReferenceKind
from airflow_provider_b24.triggers.poll_watcher.undecided_filter import UndecidedFilter

MESSAGE, POST = PollReference(ReferenceKind.MESSAGE, 5), PollReference(ReferenceKind.POST, 5)


def filter_of(min_voters: dict[PollReference, float]) -> UndecidedFilter:
    found = UndecidedFilter()
    found.min_voters = min_voters
    return found


@pytest.mark.parametrize(
    ("attach", "decidable"),
    [
        ({"COUNTER": 2}, False),
        ({"COUNTER": "2", "isFinished": False}, False),
        ({"COUNTER": 2, "isFinished": "N"}, False),
        ({"COUNTER": 3}, True),
        ({"COUNTER": "3"}, True),
        ({"COUNTER": 0, "isFinished": True}, True),
        ({"COUNTER": 0, "isFinished": "Y"}, True),
        # What the poll's parser shall name as an error.
        ({}, True),
        ({"COUNTER": None}, True),
        ({"COUNTER": "many"}, True),
        ({"COUNTER": 0, "isFinished": "perhaps"}, True),
    ],
)
def test_a_poll_is_decidable_when_it_is_stopped_has_enough_votes_or_is_malformed(
    attach: dict[str, Any], decidable: bool
) -> None:
    quorum = filter_of({MESSAGE: 3})
    row = {"entityId": 5, **attach}

    assert quorum.is_decidable(attach, MESSAGE) is decidable
    assert quorum.prune({"items": [row]}) == {
        "items": [row] if decidable else [],
        UNDECIDED: [] if decidable else [5],
    }


def test_a_message_and_a_post_of_one_entity_id_share_the_smaller_number_of_voters() -> None:
    both = filter_of({MESSAGE: math.inf, POST: 1})
    row = {"entityId": 5, "COUNTER": 1}

    assert both.prune({"items": [row]}) == {"items": [row], UNDECIDED: []}
    assert both.is_decidable(row, POST)
    assert not both.is_decidable(row, MESSAGE)


@pytest.mark.parametrize("items", [["x"], [None], [{}], [{"COUNTER": 0}], [[5]]])
def test_prune_keeps_what_is_not_a_row(items: list[Any]) -> None:
    assert filter_of({MESSAGE: 1}).prune({"items": items}) == {"items": items, UNDECIDED: []}


@given(
    st.none() | st.integers() | st.text() | st.lists(st.integers()) | st.dictionaries(st.text(), st.text())
)
def test_prune_returns_a_result_that_is_not_a_list_unchanged(result: Any) -> None:
    assert filter_of({}).prune(result) == result

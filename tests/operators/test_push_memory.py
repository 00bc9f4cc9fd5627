"""When undelivered messages fail a task."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.operators.push_memory import check_threshold, exceeds


@pytest.mark.parametrize(
    ("given", "threshold"), [(0, 0), (5, 5), (0.0, 0.0), (1.0, 1.0), ("7", 7), (" 0.25 ", 0.25), ("1", 1)]
)
def test_a_threshold_is_a_number_or_a_share_also_as_rendered_text(given: Any, threshold: Any) -> None:
    found = check_threshold(given)
    assert (found, type(found)) == (threshold, type(threshold))


@pytest.mark.parametrize("given", [-1, -0.1, 1.01, "x", "", None, True, "nan", "inf", [1]])
def test_what_is_no_threshold_is_refused(given: Any) -> None:
    with pytest.raises(Bitrix24ValidationError, match="max_undelivered"):
        check_threshold(given)


@pytest.mark.parametrize("total", [1, 7, 10, 100, 1_000])
def test_the_allowed_share_itself_is_not_too_many(total: int) -> None:
    for undelivered in range(total + 1):
        allowed = undelivered / total
        assert not exceeds(allowed, undelivered=undelivered, total=total)
        assert undelivered == total or exceeds(allowed, undelivered=undelivered + 1, total=total)
    assert not exceeds(0.29, undelivered=29 * total, total=100 * total)


def test_no_messages_are_not_too_many() -> None:
    assert not exceeds(0.0, undelivered=0, total=0)


@pytest.mark.parametrize(
    ("threshold", "undelivered", "total", "is_too_many"),
    [(0, 0, 9, False), (0, 1, 9, True), (3, 3, 9, False), (0.5, 5, 10, False), (0.5, 6, 10, True)],
)
def test_more_than_the_threshold_is_too_many(
    threshold: float, undelivered: int, total: int, *, is_too_many: bool
) -> None:
    assert exceeds(threshold, undelivered=undelivered, total=total) is is_too_many

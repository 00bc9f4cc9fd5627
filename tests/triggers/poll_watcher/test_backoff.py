"""How often a portal in trouble is asked again, and how often the log hears of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.triggers.poll_watcher.backoff import Trouble


@pytest.fixture
def trouble() -> Trouble:
    return Trouble(base=0.5, longest=60.0, random_=lambda: 1.0)


def hours(trouble: Trouble, count: float) -> tuple[int, list[float]]:
    """Fail for so many hours; return how often was asked, and when the log was told."""
    now, asked, told = 0.0, 0, []
    while now < 3600 * count:
        pause = trouble.failed(now, lasting=False)
        asked += 1
        if trouble.is_worth_a_word(now):
            told.append(now)
        now += pause
    return asked, told


def test_pauses_double_up_to_a_minute(trouble: Trouble) -> None:
    pauses = [trouble.failed(0.0, lasting=False) for _ in range(10)]

    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.integers(1, 5_000))
def test_a_pause_is_never_shorter_than_half_of_it_nor_longer_than_a_minute(
    chance: float, failures: int
) -> None:
    trouble = Trouble(base=0.5, longest=60.0, random_=lambda: chance)
    pause = 0.0
    for _ in range(failures):
        pause = trouble.failed(0.0, lasting=False)

    assert 0.25 <= pause <= 60.0
    assert pause >= min(0.25 * 2 ** min(failures - 1, 30), 30.0)


def test_an_hour_of_trouble_is_four_lines_and_a_day_few_more(trouble: Trouble) -> None:
    asked, told = hours(trouble, 1)

    assert asked < 100
    assert [round(at) // 60 for at in told] == [0, 1, 5, 21]
    assert len(hours(Trouble(base=0.5, longest=60.0), 24)[1]) <= 30


def test_an_answer_ends_it_and_says_how_long_it_was(trouble: Trouble) -> None:
    assert trouble.over(5.0) is None
    trouble.failed(10.0, lasting=False)
    trouble.failed(40.0, lasting=False)

    assert trouble.over(100.0) == 90.0
    assert trouble.over(101.0) is None
    assert trouble.failed(110.0, lasting=False) == 0.5
    assert trouble.is_worth_a_word(110.0)


def test_only_what_does_not_pass_by_itself_counts_against_the_patience(trouble: Trouble) -> None:
    trouble.failed(0.0, lasting=False)
    assert trouble.lasted(1_000.0) == 0.0
    trouble.failed(1_000.0, lasting=True)
    trouble.failed(1_300.0, lasting=True)
    assert trouble.lasted(1_300.0) == 300.0
    trouble.failed(1_400.0, lasting=False)
    assert trouble.lasted(1_400.0) == 0.0
    trouble.failed(1_500.0, lasting=True)
    trouble.over(1_600.0)
    assert trouble.lasted(1_700.0) == 0.0

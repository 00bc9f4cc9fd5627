"""The tests that the page on testing shows are run as tests."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.snippets import blocks, run_snippets

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = [
    line[4:].partition("(")[0]
    for block in blocks("testing.md")
    for line in block.text.splitlines()
    if line.startswith("def test_")
]


def test_the_page_has_tests() -> None:
    assert len(NAMES) >= 5


@pytest.mark.parametrize("name", NAMES)
def test_a_test_of_the_page_passes(name: str, request: pytest.FixtureRequest) -> None:
    test: Callable[..., Any] = run_snippets("testing.md")[name]

    test(**{fixture: request.getfixturevalue(fixture) for fixture in inspect.signature(test).parameters})

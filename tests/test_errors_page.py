"""The page on errors, run, and held to the code."""

from __future__ import annotations

import pathlib
import re
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_b24 import exceptions
from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24PollNotFoundError
from tests.support.snippets import claimed_blocks, run_snippets

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

PAGE = pathlib.Path(__file__).parents[1].joinpath("docs", "errors.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ((?:– )*)`(Bitrix24\w*Error)` \|(.*)\|(.*)\|(.*)\|$", PAGE, re.MULTILINE)


def tree(root: type[Bitrix24Error], depth: int = 0) -> list[tuple[int, str]]:
    below = [row for child in root.__subclasses__() for row in tree(child, depth + 1)]
    return [(depth, root.__name__), *below]


def test_the_tree_on_the_page_equals_the_class_tree() -> None:
    drawn = [(indent.count("–"), name) for indent, name, *_ in ROWS]

    assert drawn == [row for row in tree(Bitrix24Error) if hasattr(exceptions, row[1])]


def test_the_page_says_never_for_exactly_the_fail_exceptions() -> None:
    never = {name for _, name, *_, retry in ROWS if retry.strip() == "never"}
    kinds = {name for _, name, *_ in ROWS if issubclass(getattr(exceptions, name), AirflowFailException)}

    assert never == kinds


def test_transient_errors_of_the_sensor_are_retryable_on_the_page() -> None:
    retried = {name for _, name, *_, retry in ROWS if retry.strip().startswith("yes")}

    transient = {name for _, name, *_ in ROWS if getattr(exceptions, name).transient}
    assert transient
    assert transient <= retried


def test_permanent_errors_of_the_retry_policy_are_not_retryable_on_the_page() -> None:
    helpless = {name for _, name, *_, retry in ROWS if retry.strip() == "no"}
    permanent = {name for _, name, *_ in ROWS if getattr(exceptions, name).transient is False}

    assert permanent
    assert permanent <= helpless


def test_every_row_says_when_what_to_do_and_whether_to_retry() -> None:
    for _, name, when, what_to_do, retry in ROWS[1:]:
        assert when.strip(), name
        assert what_to_do.strip(), name
        assert retry.strip(), name


def test_the_example_message_equals_the_raised_error(hook: Bitrix24Hook) -> None:
    (example,) = claimed_blocks("errors.md", "text")

    with pytest.raises(Bitrix24PollNotFoundError) as error:
        hook.polls.get(987654)
    assert str(error.value) == " ".join(example.split())


def test_the_snippet_catches_a_second_vote(
    portal: Emulator, hook: Bitrix24Hook, capsys: pytest.CaptureFixture[str]
) -> None:
    left: dict[str, Any] = run_snippets("errors.md")
    sent = hook.polls.send(chat_id=portal.add_chat("Team"), question="Deploy?", answers=["Yes", "No"])

    votes = [left["vote_if_still_possible"](sent["message_id"], "Yes") for _ in range(2)]
    assert votes == [True, False]
    assert "Too late" in capsys.readouterr().out

"""The recipes do what their headings say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.dag_runs import instance, xcom
from tests.support.snippets import run_snippets

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

CHAT = 1489
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("impatient")]


@pytest.fixture
def recipes(portal: Emulator) -> dict[str, Any]:
    """What the page's snippets leave, with tasks that read polls often."""
    left = run_snippets("recipes.md")
    for name in ("default_on_timeout", "tie", "approval"):
        left[name].tasks[0].poll_interval = 0.05
    return left


@pytest.fixture
def ballots(portal: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """Who votes for what as soon as a poll is there; a test fills it in."""
    cast: dict[int, str] = {}
    attach = portal.portal.polls.attach

    def attach_and_vote(*args: Any, **kwargs: Any) -> Any:
        attached = attach(*args, **kwargs)
        for user, answer in cast.items():
            portal.vote(portal.polls()[-1].entity_id, user_id=user, answers=[answer])
        return attached

    monkeypatch.setattr(portal.portal.polls, "attach", attach_and_vote)
    return cast


def test_a_default_is_taken_when_nobody_answers(recipes: dict[str, Any], run_dag: Callable[..., Any]) -> None:
    recipes["default_on_timeout"].tasks[0].response_timeout = 0.3
    audit = xcom(run_dag(recipes["default_on_timeout"]), "ask")

    assert (audit["chosen_options"], audit["timedout"]) == (["Tonight"], True)


def test_a_tie_is_decided(
    recipes: dict[str, Any], ballots: dict[int, str], run_dag: Callable[..., Any]
) -> None:
    ballots |= {2: "Office", 3: "Online", 4: "Office", 5: "Online"}

    assert xcom(run_dag(recipes["tie"]), "ask")["chosen_options"] == ["Online"]


def test_mapped_tasks_have_readable_names(
    recipes: dict[str, Any], portal: Emulator, run_dag: Callable[..., Any]
) -> None:
    run = run_dag(recipes["mapped"])

    assert [instance(run, "send", n).rendered_map_index for n in (0, 1)] == ["Sales", "Support"]
    assert len(portal.polls()) == 2


def test_a_failure_is_told(recipes: dict[str, Any], portal: Emulator, run_dag: Callable[..., Any]) -> None:
    run_dag(recipes["failure_message"])

    assert portal.messages(CHAT)[-1].text.startswith("[b]failure_message[/b] failed in load, try ")


def test_who_has_not_voted_is_found(
    recipes: dict[str, Any], ballots: dict[int, str], run_dag: Callable[..., Any]
) -> None:
    ballots |= {2: "Yes"}
    names = xcom(run_dag(recipes["who_is_missing"]), "missing")

    assert names
    assert not any(name.startswith("Anna") for name in names)


def test_a_chats_number_is_found_by_its_title(recipes: dict[str, Any]) -> None:
    assert recipes["numbers"] == [CHAT]


@pytest.mark.parametrize(("answer", "state"), [("Approve", "success"), ("Reject", "skipped")])
def test_a_task_runs_only_after_an_approval(
    recipes: dict[str, Any], ballots: dict[int, str], run_dag: Callable[..., Any], answer: str, state: str
) -> None:
    ballots |= dict.fromkeys((2, 3), answer)

    assert instance(run_dag(recipes["approval"]), "publish").state == state

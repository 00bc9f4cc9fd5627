"""The page on polls, run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.state import ballots
from tests.support.snippets import run_snippets

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from airflow_provider_b24.emulator import Emulator


def let_everybody_vote(portal: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three people vote for the first answer as soon as a poll is there."""
    attach = portal.portal.polls.attach

    def attach_and_vote(poll: Any, *args: Any, **kwargs: Any) -> Any:
        attached = attach(poll, *args, **kwargs)
        question = next(iter(poll.questions.values()))
        for user in (2, 3, 4):
            ballot = {str(question.id): [next(iter(question.answers))]}
            ballots.cast(portal.portal, poll, user_id=user, ballot=ballot)
        return attached

    monkeypatch.setattr(portal.portal.polls, "attach", attach_and_vote)


def test_the_page_s_snippets_run(
    portal: Emulator, chat: int, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chat == 1489
    let_everybody_vote(portal, monkeypatch)
    left = run_snippets("polls.md")
    assert left["poll"].voters == 3
    run = run_dag(left["dag"])
    assert run.state == "success"
    won = run.get_task_instance("winner").xcom_pull("winner")
    assert won == "Yes"

"""The page on asking, run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.polls.rules import parse_rule
from tests.support.dag_runs import xcom
from tests.support.snippets import run_snippets

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.crowd import Crowd

PAGE = Path(__file__).parents[2] / "docs" / "asking.md"

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("impatient")]


@pytest.fixture
def page(crowd: Crowd) -> dict[str, Any]:
    """What the page's snippets leave, with tasks that read polls often."""
    left = run_snippets("asking.md")
    for name in ("dag", "payment", "prices", "rota"):
        for task in left[name].tasks:
            if task.is_mapped:
                task.partial_kwargs["poll_interval"] = 0.05
            else:
                task.poll_interval = 0.05
    return left


def test_the_dag_follows_the_answer(page: dict[str, Any], crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.when_asked(lambda: [crowd.vote(person, "Yes") for person in range(3)])
    run = run_dag(page["dag"])

    assert {ti.task_id: str(ti.state) for ti in run.get_task_instances()} == {
        "ask": "success",
        "release": "success",
        "wait": "skipped",
    }


def test_votes_of_others_and_of_who_triggered_the_run_do_not_count(
    page: dict[str, Any], crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    def vote() -> None:
        for person in (*crowd.ids[:2], 3):
            crowd.portal.vote(crowd.message_id, user_id=person, answers=["Reject"])
        for person in (2, 4):
            crowd.portal.vote(crowd.message_id, user_id=person, answers=["Approve"])

    assert not {2, 3, 4} & set(crowd.ids)
    page["approve"].triggering_user_ids = {"dag_test": 3}
    crowd.when_asked(vote)
    run = run_dag(page["payment"])

    assert xcom(run, "approve")["chosen_options"] == ["Approve"]
    assert xcom(run, "approve")["who_counted"] == [2, 4]


def test_the_two_channels_ask(page: dict[str, Any], crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    crowd.when_asked(lambda: crowd.vote(0, "Approve"))
    run = run_dag(page["prices"])

    assert xcom(run, "publish")["decided_by"] == "votes"


def test_the_function_asks(page: dict[str, Any], crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    def vote() -> None:
        for number in range(2):
            while len(crowd.portal.polls()) <= number:
                pass
            for person in crowd.ids[:2]:
                crowd.portal.vote(crowd.portal.polls()[number].entity_id, user_id=person, answers=["Boris"])

    crowd.when_asked(vote)
    run = run_dag(page["rota"])

    assert [xcom(run, "on_call", week)["chosen_options"] for week in (0, 1)] == [["Boris"], ["Boris"]]


def test_a_poll_of_the_news_feed_is_waited_for(
    page: dict[str, Any], crowd: Crowd, run_dag: Callable[..., Any]
) -> None:
    post = crowd.portal.add_feed_post({"Lunch?": ["Soup", "Pie"], "Drink?": ["Tea", "Water"]})
    Bitrix24Hook().polls.vote({"post_id": post}, answers={"Lunch?": "Soup", "Drink?": "Tea"})
    page["feed"].poll, page["feed"].rule = {"post_id": post}, "first_vote"
    run = run_dag(page["news"])

    assert [question["text"] for question in xcom(run, "feed")["questions"]] == ["Lunch?", "Drink?"]


def test_the_page_says_of_each_rule_what_people_read() -> None:
    table = PAGE.read_text(encoding="utf-8").split("| people read |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `(.*?)`.*\| (.*?) \|$", table, re.MULTILINE)

    assert len(rows) == 7
    for rule, words in rows:
        given = re.sub(r": [kn]}", ": 7}", rule).strip('"')
        assert str(parse_rule(given)) == re.sub(r"\b[kn]\b", "7", words)


def test_each_picture_of_the_page_exists_and_is_small() -> None:
    shown = re.findall(r"!\[.+?\]\((images/.+?\.png)\)", PAGE.read_text(encoding="utf-8"))

    assert len(shown) == 8
    assert [name for name in shown if (PAGE.parent / name).stat().st_size > 150_000] == []

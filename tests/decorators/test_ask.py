"""``@task.bitrix24_ask`` in whole DAGs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_b24.decorators.ask import ask_task
from airflow_provider_b24.exceptions import Bitrix24ValidationError
from tests.support.dag_runs import instance, xcom

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.crowd import Crowd

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.mark.parametrize(
    "returned", [{"question": "Who is {{ on_call }}?", "answers": ["A", "B"]}, ("Who?", ["A", "B"])]
)
def test_the_function_returns_the_question(
    crowd: Crowd,
    run_dag: Callable[..., Any],
    returned: Any,
) -> None:
    with DAG(f"decorated_{time.time_ns()}", schedule=None) as dag:

        @ask_task(chat_id=crowd.chat, poll_interval=0.05)
        def ask() -> Any:
            return returned

        ask()
    crowd.when_asked(lambda: crowd.vote(0, "B"))
    run = run_dag(dag)

    assert xcom(run, "ask")["chosen_options"] == ["B"]
    # What a function returns is not a template.
    assert crowd.portal.messages(crowd.chat)[0].text in {"Who is {{ on_call }}?", "Who?"}


def test_it_maps(crowd: Crowd, run_dag: Callable[..., Any]) -> None:
    with DAG(f"mapped_{time.time_ns()}", schedule=None) as dag:

        @task.bitrix24_ask(chat_id=crowd.chat, poll_interval=0.05)
        def ask(name: str) -> Any:
            return f"Is {name} ready?", ["Yes", "No"]

        ask.expand(name=["db", "web"])

    def vote() -> None:
        deadline = time.time() + 30
        done = 0
        while done < 2 and time.time() < deadline:
            polls = crowd.portal.polls()
            if len(polls) > done:
                crowd.portal.vote(polls[done].entity_id, user_id=crowd.ids[0], answers=["Yes"])
                done += 1
            time.sleep(0.02)

    crowd.when_asked(vote)
    run = run_dag(dag)

    assert [xcom(run, "ask", index)["chosen_options"] for index in (0, 1)] == [["Yes"], ["Yes"]]


@pytest.mark.parametrize("returned", ["Who?", {"question": "Who?"}, ("Who?",)])
def test_another_return_value_is_refused(
    crowd: Crowd,
    run_dag: Callable[..., Any],
    returned: Any,
) -> None:
    with DAG(f"refused_{time.time_ns()}", schedule=None) as dag:

        @ask_task(chat_id=crowd.chat)
        def ask() -> Any:
            return returned

        ask()
    run = run_dag(dag)

    assert instance(run, "ask").state == "failed"
    assert crowd.portal.polls() == []


def test_question_and_answers_are_the_function_s() -> None:
    with pytest.raises(Bitrix24ValidationError, match="is what the function returns"):

        @ask_task(chat_id=1, question="Q?")
        def ask() -> Any:
            return "Q?", ["A", "B"]

        ask()

"""The operator that posts to chats."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.operators.chats import Bitrix24SendMessageOperator
from tests.support.dag_runs import instance, set_rendered, xcom

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.usefixtures("impatient")


def test_a_message_goes_to_a_chat(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    chat_id = portal.add_chat("Team")
    with DAG("say", schedule=None) as dag:
        Bitrix24SendMessageOperator(task_id="say", chat_id=chat_id, message="Run {{ run_id[:6] }} is done")

    run = run_dag(dag)

    (message,) = portal.messages(chat_id)
    assert message.text == "Run manual is done"
    assert xcom(run, "say") == message.id


def test_a_message_goes_to_one_person(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    person = portal.add_user("Ann")
    with DAG("whisper", schedule=None) as dag:
        Bitrix24SendMessageOperator(task_id="say", user_id=person, message="Hello")

    run = run_dag(dag)

    message = portal.portal.chats.message(xcom(run, "say"))
    assert message is not None
    assert message.text == "Hello"
    assert person in portal.chat(message.chat_id).members


def test_messages_are_mapped_over_chats(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    chats = [portal.add_chat("One"), portal.add_chat("Two")]
    with DAG("say_mapped", schedule=None) as dag:

        @task
        def targets() -> list[str]:
            return [f"chat{chat}" for chat in chats]

        Bitrix24SendMessageOperator.partial(task_id="say", message="Hello").expand(chat_id=targets())

    assert run_dag(dag).state == "success"
    assert [[message.text for message in portal.messages(chat)] for chat in chats] == [["Hello"]] * 2


def test_a_lost_reply_fails_the_task_without_a_retry(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    chat_id = portal.add_chat("Team")
    portal.faults.add("drop_after", method="im.message.add")
    with DAG("say_lost", schedule=None) as dag:
        Bitrix24SendMessageOperator(
            task_id="say", chat_id=chat_id, message="Hi", retries=3, retry_delay=timedelta(0)
        )

    run = run_dag(dag)

    assert run.state == "failed"
    assert instance(run, "say").try_number == 1
    assert len(portal.messages(chat_id)) == 1


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"message": ""}, "message"),
        ({"message": None}, "message"),
        ({"chat_id": None}, "chat_id"),
        ({"user_id": 2}, "chat_id"),
        ({"chat_id": None, "user_id": "Ann"}, "user_id"),
        ({"chat_id": 0}, "chat_id"),
        ({"chat_id": "General"}, "chat_id"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_sent(
    portal: Emulator, options: dict[str, Any], path: str
) -> None:
    operator = Bitrix24SendMessageOperator(task_id="say", chat_id=1, message="Hi")
    set_rendered(operator, options)

    with pytest.raises(Bitrix24ValidationError) as refusal:
        operator.execute({})
    assert refusal.value.path == path
    assert len(portal.requests) == 0

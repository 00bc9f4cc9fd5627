"""Which texts of a mapped task are templates: those of the DAG's author, never those from XCom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task, task_group
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_b24.operators.chats import Bitrix24SendMessageOperator
from airflow_provider_b24.operators.open_lines import Bitrix24SendConnectorMessagesOperator
from airflow_provider_b24.operators.polls import Bitrix24SendPollOperator
from airflow_provider_b24.sensors.polls import Bitrix24PollSensor
from tests.support.dag_runs import instance

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("impatient")]

#: What a customer may write, and what a template of the author's looks like.
HOSTILE = "{{ conn.bitrix24_default.password }}"
AUTHORS = "{{ params.word }}"


@pytest.fixture
def chat_id(portal: Emulator) -> int:
    return portal.add_chat("Team")


def texts(portal: Emulator, chat_id: int) -> list[str]:
    return sorted(message.text for message in portal.messages(chat_id))


def author_dag(**options: Any) -> DAG:
    return DAG("mapped_texts", schedule=None, params={"word": "rendered"}, **options)


@task
def from_outside() -> list[dict[str, Any]]:
    return [{"message": HOSTILE}]


def test_expand_kwargs_over_xcom_leaves_its_texts_as_they_are(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    with author_dag() as dag:
        Bitrix24SendMessageOperator.partial(task_id="say", chat_id=chat_id).expand_kwargs(from_outside())

    assert run_dag(dag).state == "success"
    assert texts(portal, chat_id) == [HOSTILE]


def test_expand_kwargs_over_a_mapped_xcom_leaves_its_texts_as_they_are(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    with author_dag() as dag:
        mapped = from_outside().map(lambda row: {"message": row["message"] + "!"})
        Bitrix24SendMessageOperator.partial(task_id="say", chat_id=chat_id).expand_kwargs(mapped)

    assert run_dag(dag).state == "success"
    assert texts(portal, chat_id) == [HOSTILE + "!"]


def test_nested_texts_from_xcom_are_left_as_they_are(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    line = portal.lines.add("Support")
    portal.lines.install_connector("shop", line)
    message = {"user": {"id": "u"}, "message": {"id": "m", "text": HOSTILE}, "chat": {"id": "c"}}
    with author_dag(render_template_as_native_obj=True) as dag:

        @task
        def pushes() -> list[dict[str, Any]]:
            return [{"messages": [message]}]

        Bitrix24SendConnectorMessagesOperator.partial(
            task_id="push", connector="shop", line=line, bitrix24_conn_id=application
        ).expand_kwargs(pushes())

    assert run_dag(dag).state == "success"
    assert [message.text for message in portal.lines.messages(line)] == [HOSTILE]


def test_a_poll_from_xcom_is_not_rendered_by_the_sensor(
    portal: Emulator, hook: Bitrix24Hook, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    stopped = hook.polls.send(chat_id=chat_id, question="Q?", answers=["Yes", "No"])["message_id"]
    portal.stop_poll(stopped)
    with DAG("mapped_sensor", schedule=None, params={"poll": stopped}) as dag:

        @task
        def polls() -> list[dict[str, Any]]:
            return [{"poll": "{{ params.poll }}"}]

        Bitrix24PollSensor.partial(task_id="hostile").expand_kwargs(polls())
        Bitrix24PollSensor.partial(task_id="own").expand_kwargs([{"poll": "{{ params.poll }}"}])

    run = run_dag(dag)

    assert instance(run, "hostile", 0).state == "failed"
    assert instance(run, "own", 0).state == "success"


def test_the_authors_own_texts_are_rendered_beside_those_from_xcom(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    with author_dag(default_args={"chat_id": str(chat_id), "question": f"Really {AUTHORS}?"}) as dag:

        @task
        def polls() -> list[dict[str, Any]]:
            return [{"answers": [HOSTILE, "No"]}]

        Bitrix24SendPollOperator.partial(task_id="default").expand_kwargs(polls())
        Bitrix24SendPollOperator.partial(task_id="given", question=f"{AUTHORS}?").expand_kwargs(polls())

    assert run_dag(dag).state == "success"
    questions = [poll.questions for poll in portal.polls()]
    shown = {
        question.text: [answer.text for answer in question.answers.values()]
        for poll in questions
        for question in poll.values()
    }
    assert shown == {"Really rendered?": [HOSTILE, "No"], "rendered?": [HOSTILE, "No"]}


def test_a_text_from_xcom_that_overrides_the_authors_is_left_as_it_is(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    with author_dag(default_args={"chat_id": chat_id}) as dag:

        @task
        def messages() -> list[dict[str, Any]]:
            return [{"message": HOSTILE}, {}]

        Bitrix24SendMessageOperator.partial(task_id="say", message=AUTHORS).expand_kwargs(
            messages(), strict=False
        )

    assert run_dag(dag).state == "success"
    assert texts(portal, chat_id) == sorted([HOSTILE, "rendered"])


def test_a_default_argument_that_xcom_overrides_is_left_as_it_is(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    with author_dag(default_args={"message": AUTHORS}) as dag:

        @task
        def messages() -> list[dict[str, Any]]:
            return [{"message": HOSTILE}, {}]

        Bitrix24SendMessageOperator.partial(task_id="say", chat_id=chat_id).expand_kwargs(messages())

    assert run_dag(dag).state == "success"
    assert texts(portal, chat_id) == sorted([HOSTILE, "rendered"])


def test_literal_rows_of_expand_kwargs_are_the_authors_templates(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    with author_dag() as dag:
        Bitrix24SendMessageOperator.partial(task_id="say", chat_id=chat_id).expand_kwargs(
            [{"message": AUTHORS}, {"message": "plain"}]
        )

    assert run_dag(dag).state == "success"
    assert texts(portal, chat_id) == ["plain", "rendered"]


def test_expand_renders_literals_and_no_text_from_xcom(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    with author_dag() as dag:

        @task
        def messages() -> list[str]:
            return [HOSTILE]

        @task
        def message() -> str:
            return HOSTILE

        partial = {"chat_id": chat_id}
        Bitrix24SendMessageOperator.partial(task_id="literal", **partial).expand(message=[AUTHORS])
        Bitrix24SendMessageOperator.partial(task_id="xcom", **partial).expand(message=messages())
        Bitrix24SendMessageOperator(task_id="single", message=message(), **partial)

    assert run_dag(dag).state == "success"
    assert texts(portal, chat_id) == sorted(["rendered", HOSTILE, HOSTILE])


def test_a_mapped_task_group_renders_no_text_from_xcom(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any]
) -> None:
    with author_dag() as dag:

        @task_group
        def tell(message: str) -> None:
            Bitrix24SendMessageOperator(task_id="say", chat_id=chat_id, message=message)

        tell.expand_kwargs(from_outside())

    assert run_dag(dag).state == "success"
    assert texts(portal, chat_id) == [HOSTILE]


@pytest.mark.parametrize("source", ["xcom", "literal"])
def test_a_decorated_functions_arguments_from_xcom_are_left_as_they_are(
    portal: Emulator, chat_id: int, run_dag: Callable[..., Any], source: str
) -> None:
    seen: list[tuple[str, str]] = []
    with author_dag() as dag:

        @task
        def rows() -> list[dict[str, Any]]:
            return [{"message": AUTHORS}]

        @task.bitrix24_ask(chat_id=chat_id)
        def ask(message: str, own: str) -> Any:
            seen.append((message, own))
            raise AirflowSkipException

        ask.partial(own=AUTHORS).expand_kwargs(rows() if source == "xcom" else [{"message": AUTHORS}])

    run_dag(dag)

    assert seen == [(AUTHORS if source == "xcom" else "rendered", "rendered")]

"""Texts of people stay what they are in a DAG that renders native objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, task

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.notifications.bitrix24 import Bitrix24Notifier
from airflow_provider_b24.operators.chats import Bitrix24SendMessageOperator
from airflow_provider_b24.operators.connectors import Bitrix24SetUpConnectorOperator
from airflow_provider_b24.operators.open_lines import Bitrix24SendConnectorMessagesOperator
from airflow_provider_b24.operators.polls import Bitrix24SendPollOperator
from airflow_provider_b24.operators.rest import Bitrix24CallOperator
from tests.support.dag_runs import instance

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

#: Airflow takes each of them for a Python literal.
TEXTS = ["1.10", "+79001234567", "1_000", "1e3", "[1]", "None", "'x'", "007", "True"]
RENDERING = pytest.mark.parametrize("native", [False, True], ids=["text", "native"])


def rendered(operator: type[Any], context: dict[str, Any], native: bool = True, **fields: Any) -> Any:
    with DAG("native", schedule=None, render_template_as_native_obj=native):
        made = operator(task_id="t", **fields)
    made.render_template_fields(context)
    return made


@RENDERING
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_that_looks_like_a_literal_stays_the_text(text: str, native: bool) -> None:
    poll = rendered(
        Bitrix24SendPollOperator,
        {"x": text},
        native,
        chat_id=1,
        question="{{ x }}",
        answers=["{{ x }}", "other: {{ x }}"],
    )
    message = {"user": {"id": "{{ x }}"}, "message": {"id": 1, "text": "{{ x }}"}, "chat": {"id": "{{ x }}"}}
    push = rendered(
        Bitrix24SendConnectorMessagesOperator, {"x": text}, native, connector="c", line=1, messages=[message]
    )
    connector = rendered(
        Bitrix24SetUpConnectorOperator,
        {"x": text},
        native,
        connector="c",
        name="{{ x }}",
        data={"id": "{{ x }}"},
    )

    assert poll.check_fields()["question"] == text
    assert poll.check_fields()["answers"] == [text, f"other: {text}"]
    assert push.check_fields()["messages"] == [
        {"user": {"id": text}, "message": {"id": "1", "text": text}, "chat": {"id": text}}
    ]
    assert (connector.name, connector.data) == (text, {"id": text})


@pytest.mark.parametrize("text", ["1.10", "+79001234567", "1_000", "1e3", "'x'", "007"])
def test_a_text_in_the_parameters_of_a_call_is_no_number(text: str) -> None:
    call = rendered(
        Bitrix24CallOperator,
        {"x": text},
        method="crm.contact.add",
        parameters={"fields": {"PHONE": [{"VALUE": "{{ x }}"}]}},
    )

    assert call.parameters == {"fields": {"PHONE": [{"VALUE": text}]}}


def test_objects_and_texts_of_lists_and_mappings_are_still_rendered_natively() -> None:
    context = {"ids": [1, 2], "n": 5, "flag": True, "nothing": None}
    parameters = {
        "a": "{{ ids }}",
        "b": "{{ n }}",
        "c": "{{ flag }}",
        "d": "{{ ids | tojson }}",
        "e": "{{ none }}",
        "f": "{{ nothing }}",
    }
    call = rendered(Bitrix24CallOperator, context, method="user.get", parameters=parameters)

    assert call.parameters == {"a": [1, 2], "b": 5, "c": True, "d": [1, 2], "e": None, "f": None}


@pytest.mark.parametrize("value", [None, ["Release?"], {"a": 1}])
def test_a_native_list_or_none_is_refused_where_a_text_belongs(value: Any) -> None:
    poll = rendered(
        Bitrix24SendPollOperator, {"x": value}, chat_id=1, question="{{ x }}", answers=["Yes", "No"]
    )

    with pytest.raises(Bitrix24ValidationError, match=r"^question: must be text"):
        poll.check_fields()


@RENDERING
def test_an_exception_is_the_text_of_a_message(
    portal: Emulator, run_dag: Callable[..., Any], native: bool
) -> None:
    chat = portal.add_chat("Alerts")
    notifiers = [
        Bitrix24Notifier(chat_id=chat, message=message)
        for message in ("{{ exception }}", "failed: {{ exception }}", "{{ params.version }}")
    ]
    with DAG(
        f"exception_{native}",
        schedule=None,
        params={"version": "1.10"},
        render_template_as_native_obj=native,
    ) as dag:

        @task(on_failure_callback=notifiers)
        def load() -> None:
            raise AirflowFailException("no space left")

        load()

    run = run_dag(dag)

    assert instance(run, "load").state == "failed"
    assert [message.text for message in portal.messages(chat)] == [
        "no space left",
        "failed: no space left",
        "1.10",
    ]


def test_mapped_tasks_keep_their_texts(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    chat = portal.add_chat("Team")
    params = {"phone": "+79001234567", "version": "1.10"}
    with DAG("mapped_native", schedule=None, params=params, render_template_as_native_obj=True) as dag:
        Bitrix24SendMessageOperator.partial(task_id="say", message="{{ params.phone }}").expand(
            chat_id=[chat]
        )
        Bitrix24SendMessageOperator.partial(task_id="tell", chat_id=chat).expand(message=["1.10", "1_000"])
        Bitrix24SendMessageOperator.partial(task_id="write", chat_id=chat).expand_kwargs(
            [{"message": "{{ params.version }} "}]
        )

    run = run_dag(dag)

    assert run.state == "success"
    assert sorted(message.text.strip() for message in portal.messages(chat)) == sorted(
        ["+79001234567", "1.10", "1_000", "1.10"]
    )

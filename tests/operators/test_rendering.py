"""Fields that templates fill, in DAGs that Airflow runs, as text and with native rendering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_b24.operators.ask import Bitrix24ApprovalOperator
from airflow_provider_b24.operators.chats import Bitrix24SendMessageOperator
from airflow_provider_b24.operators.open_lines import (
    Bitrix24SendConnectorMessagesOperator,
    Bitrix24SendCrmChatMessageOperator,
)
from airflow_provider_b24.operators.polls import (
    Bitrix24CastVoteOperator,
    Bitrix24GetPollResultsOperator,
    Bitrix24SendPollOperator,
    Bitrix24StopPollOperator,
)
from airflow_provider_b24.operators.rest import Bitrix24BatchOperator, Bitrix24CallOperator
from airflow_provider_b24.sensors.polls import Bitrix24PollSensor
from tests.support.dag_runs import xcom

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("impatient")]

RENDERING = pytest.mark.parametrize("native", [False, True], ids=["text", "native"])


@RENDERING
def test_question_answers_and_switches_are_rendered(
    portal: Emulator, run_dag: Callable[..., Any], native: bool
) -> None:
    params = {
        "chat": portal.add_chat("Team"),
        "year": 2026,
        "answers": [2026, "2027"],
        "yes": True,
        "no": False,
    }
    with DAG(
        f"rendered_poll_{native}", schedule=None, params=params, render_template_as_native_obj=native
    ) as dag:
        Bitrix24SendPollOperator(
            task_id="send",
            chat_id="{{ params.chat }}",
            question="{{ params.year }}",
            answers="{{ params.answers }}",
            multiple_choice="{{ params.no }}",
            anonymous="{{ params.yes }}",
            allow_revote="{{ params.no }}",
        )

    run = run_dag(dag)

    (poll,) = portal.polls()
    (question,) = poll.questions.values()
    assert run.state == "success"
    assert (question.text, question.field_type) == ("2026", 0)
    assert [answer.text for answer in question.answers.values()] == ["2026", "2027"]
    assert (poll.is_anonymous, poll.allows_revote) == (True, False)


@RENDERING
def test_a_rule_and_a_switch_of_a_parameter_decide_and_read(
    portal: Emulator, run_dag: Callable[..., Any], native: bool
) -> None:
    chat = portal.add_chat("Team", members=[1, portal.add_user("Ann")])
    params = {"rule": {"quorum": 1}, "named": "first_vote", "k": 1, "answer": "2026", "voters": True}
    with DAG(
        f"rendered_rule_{native}", schedule=None, params=params, render_template_as_native_obj=native
    ) as dag:
        ask = Bitrix24SendPollOperator(task_id="ask", chat_id=chat, question="?", answers=["2026", "2027"])
        vote = Bitrix24CastVoteOperator(
            task_id="vote", poll=ask.output["message_id"], answers="{{ params.answer }}"
        )
        rules = ("{{ params.rule }}", "{{ params.named }}", {"quorum": "{{ params.k }}"})
        waits = [
            Bitrix24PollSensor(task_id=f"wait{number}", poll=ask.output["message_id"], rule=rule, timeout=1)
            for number, rule in enumerate(rules)
        ]
        read = Bitrix24GetPollResultsOperator(
            task_id="read", poll=ask.output["message_id"], with_voters="{{ params.voters }}"
        )
        vote >> waits >> read

    run = run_dag(dag)

    assert run.state == "success"
    (question,) = xcom(run, "read")["questions"]
    assert [[voter["id"] for voter in answer["voted_by"]] for answer in question["answers"]] == [[1], []]


@RENDERING
def test_numbers_become_the_texts_of_messages(
    portal: Emulator, application: str, run_dag: Callable[..., Any], native: bool
) -> None:
    chat, line = portal.add_chat("Team"), portal.lines.add("Shop")
    deal = portal.lines.add_crm_chat("deal", 288)
    portal.lines.install_connector("shop", line)
    params = {"n": 7, "date": 1760000000, "if": "fail", "line": line}
    message = {"id": "{{ params.n }}", "text": "{{ params.n }}", "date": "{{ params.date }}"}
    messages = [{"user": {"id": "u", "name": "{{ params.n }}"}, "message": message, "chat": {"id": "c"}}]
    with DAG(
        f"rendered_say_{native}", schedule=None, params=params, render_template_as_native_obj=native
    ) as dag:
        Bitrix24SendMessageOperator(task_id="say", chat_id=chat, message="{{ params.n }}")
        Bitrix24SendCrmChatMessageOperator(
            task_id="remind", entity_type="deal", entity_id=288, user_id=1, message="{{ params.n }}"
        )
        Bitrix24SendConnectorMessagesOperator(
            task_id="push",
            bitrix24_conn_id=application,
            connector="shop",
            line="{{ params.line }}",
            messages=messages,
            if_undelivered="{{ params['if'] }}",
        )

    run = run_dag(dag)

    assert run.state == "success"
    assert portal.messages(chat)[-1].text == portal.messages(deal)[-1].text == "7"
    assert [message.text for message in portal.lines.messages(line)] == ["7"]


@RENDERING
def test_the_switches_of_an_ask_are_rendered(
    portal: Emulator, run_dag: Callable[..., Any], native: bool
) -> None:
    chat = portal.add_chat("Team", members=[1, portal.add_user("Ann")])
    params = {"yes": True, "no": False}
    with DAG(
        f"rendered_ask_{native}", schedule=None, params=params, render_template_as_native_obj=native
    ) as dag:
        Bitrix24ApprovalOperator(
            task_id="ask",
            chat_id=chat,
            question="Deploy?",
            response_timeout=0.1,
            poll_interval=0.1,
            defaults="Reject",
            anonymous="{{ params.yes }}",
            allow_revote="{{ params.no }}",
            announce="{{ params.no }}",
            airflow_required_action="{{ params.no }}",
            skip_on_timeout="{{ params.no }}",
            fail_on_reject="{{ params.no }}",
            ignore_downstream_trigger_rules="{{ params.no }}",
        )

    run = run_dag(dag)

    (poll,) = portal.polls()
    assert run.state == "success"
    assert (poll.is_anonymous, poll.allows_revote) == (True, False)
    assert [message.text for message in portal.messages(chat) if message.author_id == 1] == ["Deploy?"]


def test_messages_parameters_and_commands_may_be_the_text_of_a_list_or_mapping(
    portal: Emulator, run_dag: Callable[..., Any]
) -> None:
    params = {
        "parameters": {"ID": 1},
        "commands": {"me": ["user.get", {"ID": 1}], "no": "no.such"},
        "all": True,
    }
    with DAG("rendered_calls", schedule=None, params=params) as dag:
        Bitrix24CallOperator(
            task_id="call",
            method="user.get",
            parameters="{{ params.parameters }}",
            all_pages="{{ params.all }}",
            repeatable="{{ none }}",
        )
        Bitrix24BatchOperator(
            task_id="batch", commands="{{ params.commands | tojson }}", if_errors="{{ 'report' }}"
        )

    run = run_dag(dag)

    assert run.state == "success"
    assert [person["ID"] for person in xcom(run, "call")] == ["1"]
    assert xcom(run, "batch")["results"]["me"][0]["ID"] == "1"
    assert list(xcom(run, "batch")["errors"]) == ["no"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("anonymous", "perhaps"), ("multiple_choice", 1), ("allow_revote", None), ("answers", ["Yes"])],
)
def test_a_wrong_rendered_value_fails_the_task_and_nothing_is_sent(
    portal: Emulator, run_dag: Callable[..., Any], field: str, value: Any
) -> None:
    given = {"chat_id": portal.add_chat("Team"), "question": "?", "answers": ["Yes", "No"]}
    with DAG(f"rendered_wrong_{field}", schedule=None, params={"x": value}) as dag:
        Bitrix24SendPollOperator(task_id="send", **{**given, field: "{{ params.x }}"})

    run = run_dag(dag)

    assert run.state == "failed"
    assert portal.requests.count("vote.Integration.Im.send") == 0


def test_the_keys_of_what_is_sent_are_outputs_of_their_own(
    portal: Emulator, run_dag: Callable[..., Any]
) -> None:
    chat = portal.add_chat("Team")
    portal.lines.add_crm_chat("deal", 288)
    with DAG("rendered_keys", schedule=None) as dag:
        ask = Bitrix24SendPollOperator(task_id="ask", chat_id=chat, question="?", answers=["Yes", "No"])
        remind = Bitrix24SendCrmChatMessageOperator(
            task_id="remind", entity_type="deal", entity_id=288, user_id=1, message="Hi"
        )

        @task
        def both(message_id: int, chat_id: int) -> list[int]:
            return [message_id, chat_id]

        stop = Bitrix24StopPollOperator(task_id="stop", poll=ask.output["message_id"])
        both(ask.output["message_id"], remind.output["chat_id"]) >> stop

    run = run_dag(dag)

    assert run.state == "success"
    assert xcom(run, "both") == [xcom(run, "ask")["message_id"], xcom(run, "remind")["chat_id"]]
    assert xcom(run, "stop")["is_finished"]


def test_the_keys_of_a_mapped_send_are_lists(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    chats = [portal.add_chat(name) for name in ("North", "South")]
    with DAG("rendered_mapped_keys", schedule=None) as dag:
        ask = Bitrix24SendPollOperator.partial(task_id="ask", question="?", answers=["Yes", "No"]).expand(
            chat_id=chats
        )
        Bitrix24StopPollOperator.partial(task_id="stop").expand(poll=ask.output)

    run = run_dag(dag)

    assert run.state == "success"
    assert [xcom(run, "stop", index)["is_finished"] for index in range(2)] == [True, True]

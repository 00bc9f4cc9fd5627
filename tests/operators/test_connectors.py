"""Operators that set connectors up, and that tell what became of messages."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.operators.open_lines import (
    Bitrix24GetSessionHistoryOperator,
    Bitrix24MarkDeliveredOperator,
    Bitrix24MarkReadOperator,
    Bitrix24SetUpConnectorOperator,
)
from tests.support.dag_runs import instance, set_rendered, xcom

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("impatient")]

URL = "https://shop.example/bitrix24"
SHOP: dict[str, Any] = {"connector": "shop", "line": "Support", "name": "Shop", "handler_url": URL}


def set_up_dag(name: str, application: str, **options: Any) -> DAG:
    with DAG(name, schedule=None, params={"line": "Support", "state": "present"}) as dag:
        Bitrix24SetUpConnectorOperator(
            task_id="shop",
            bitrix24_conn_id=application,
            retry_delay=timedelta(0),
            **{**SHOP, **options},
        )
    return dag


def messages_of(portal: Emulator) -> tuple[int, int, int]:
    """Open a conversation and return its session, its chat and an operator's reply."""
    chat = portal.lines.add_crm_chat("deal", 288)
    reply = portal.lines.reply(chat, "We look into it.", user_id=2)
    talk = portal.lines.conversations.by_chat(chat)
    assert talk is not None
    return talk.session_id, chat, reply.id


def test_a_connector_is_set_up_once(portal: Emulator, application: str, run_dag: Callable[..., Any]) -> None:
    first = run_dag(set_up_dag("set_up", application))
    assert first.state == "success"
    assert xcom(first, "shop")["changed"] == ["register", "activate", "set_data"]
    # Its parts are XCom values of their own.
    assert xcom(first, "shop", key="status")["active"] is True
    assert xcom(first, "shop", key="line") == 12
    registrations = portal.requests.count("imconnector.register")

    second = run_dag(set_up_dag("set_up_again", application))
    assert xcom(second, "shop")["changed"] == []
    assert portal.requests.count("imconnector.register") == registrations == 1


def test_all_fields_may_be_templates(portal: Emulator, application: str, run_dag: Callable[..., Any]) -> None:
    dag = set_up_dag(
        "set_up_rendered",
        application,
        line="{{ params.line }}",
        state="{{ params.state }}",
        chat_group="{{ true }}",
        options="{{ {'newsletter': false} }}",
        data={"url": "https://shop.example/{{ params.line }}"},
        icon="{{ {'image': 'data:image/svg+xml,%3Csvg/%3E', 'color': '#000'} }}",
        force="{{ false }}",
    )
    run = run_dag(dag)
    assert run.state == "success"
    connector = portal.lines.connectors.get("shop")
    assert connector is not None
    assert (connector.chat_group, connector.options["NEWSLETTER"]) == (True, False)
    assert connector.options["ICON"]["COLOR"] == "#000"
    status = portal.lines.connectors.status("shop", 12)
    assert status.data["url"] == "https://shop.example/Support"


def test_an_absent_connector_is_unregistered(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    portal.lines.install_connector("shop", 12)
    with DAG("set_up_absent", schedule=None) as dag:
        Bitrix24SetUpConnectorOperator(
            task_id="shop", bitrix24_conn_id=application, connector="shop", state="absent"
        )
    assert xcom(run_dag(dag), "shop")["changed"] == ["unregister"]
    assert portal.lines.connectors.get("shop") is None
    again = set_up_dag("set_up_absent_again", application, state="absent")
    assert xcom(run_dag(again), "shop")["changed"] == []


def test_a_try_that_breaks_in_the_middle_is_finished_by_the_next(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    body = '{"error": "ERROR_CORE", "error_description": "Internal error"}'
    fault = {"body": body, "status": 400, "executed": False}
    portal.faults.add("reply", method="imconnector.activate", times=1, **fault)
    run = run_dag(set_up_dag("set_up_retry", application, retries=1))
    assert run.state == "success"
    assert instance(run, "shop").try_number == 2
    assert xcom(run, "shop")["changed"] == ["activate", "set_data"] or xcom(run, "shop")["changed"] == [
        "register",
        "activate",
        "set_data",
    ]
    assert portal.lines.delivers("shop", 12)


@pytest.mark.parametrize("nested", [False, True])
def test_a_refused_registration_fails_the_task_and_names_the_code(
    portal: Emulator, application: str, run_dag: Callable[..., Any], nested: bool
) -> None:
    portal.quirks.nested_register_errors = nested
    portal.lines.connectors.refuse("shop")
    run = run_dag(set_up_dag(f"set_up_refused_{nested}", application))
    assert run.state == "failed"
    assert not portal.lines.delivers("shop", 12)


def test_a_set_up_over_a_webhook_fails(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    run = run_dag(set_up_dag("set_up_webhook", "bitrix24_default"))
    assert run.state == "failed"
    assert portal.requests.count("imconnector.register") == 0


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"connector": "a.b"}, "connector"),
        ({"state": "gone"}, "state"),
        ({"chat_group": "maybe"}, "chat_group"),
        ({"force": 1}, "force"),
    ],
)
def test_a_wrong_literal_fails_while_the_dag_is_parsed(change: dict[str, Any], path: str) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        Bitrix24SetUpConnectorOperator(task_id="shop", **{**SHOP, **change})
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": None}, "name"),
        ({"handler_url": "x"}, "handler_url"),
        ({"options": {"newsletter": "maybe"}}, "options.newsletter"),
        ({"options": "newsletter"}, "options"),
        ({"line": ""}, "line"),
        ({"state": "gone"}, "state"),
    ],
)
def test_a_wrong_rendered_value_fails_before_anything_is_sent(
    portal: Emulator, application: str, change: dict[str, Any], path: str
) -> None:
    operator = Bitrix24SetUpConnectorOperator(task_id="shop", bitrix24_conn_id=application, **SHOP)
    set_rendered(operator, change)
    with pytest.raises(Bitrix24ValidationError) as caught:
        operator.execute({})
    assert caught.value.path == path
    assert portal.requests.count() == 0


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        (Bitrix24MarkDeliveredOperator, "imconnector.send.status.delivery"),
        (Bitrix24MarkReadOperator, "imconnector.send.status.reading"),
    ],
)
def test_messages_of_an_upstream_task_are_marked(
    portal: Emulator, application: str, run_dag: Callable[..., Any], kind: Any, method: str
) -> None:
    portal.lines.install_connector("shop", 12)
    _, chat, message = messages_of(portal)
    row = {"im": {"chat_id": chat, "message_id": message}, "message": {"id": 7}, "chat": {"id": "c1"}}

    with DAG(f"mark_{kind.__name__}", schedule=None) as dag:

        @task
        def delivered() -> list[dict[str, Any]]:
            return [row]

        kind(
            task_id="mark",
            bitrix24_conn_id=application,
            connector="shop",
            line="{{ 12 }}",
            messages=delivered(),
        )

    run = run_dag(dag)
    assert run.state == "success"
    assert xcom(run, "mark") == 1
    (sent,) = [request.params["MESSAGES"] for request in portal.requests if request.method == method]
    assert sent[0]["im"] == {"chat_id": chat, "message_id": message}
    assert sent[0]["message"]["id"] == ["7"]


def test_a_lost_reply_to_a_receipt_is_retried_at_once(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    portal.lines.install_connector("shop", 12)
    _, chat, message = messages_of(portal)
    row = {"im": {"chat_id": chat, "message_id": message}, "message": {"id": "r1"}, "chat": {"id": "c1"}}
    portal.faults.add("drop_after", method="imconnector.send.status.delivery")
    with DAG("mark_lost", schedule=None) as dag:
        Bitrix24MarkDeliveredOperator(
            task_id="mark", bitrix24_conn_id=application, connector="shop", line=12, messages=[row]
        )
    run = run_dag(dag)
    assert (run.state, instance(run, "mark").try_number) == ("success", 1)


@pytest.mark.parametrize("way", ["session_id", "chat_id"])
def test_a_history_is_read(portal: Emulator, run_dag: Callable[..., Any], way: str) -> None:
    session, chat, message = messages_of(portal)
    named: dict[str, Any] = {"session_id": session} if way == "session_id" else {"chat_id": f"chat{chat}"}
    with DAG(f"history_{way}", schedule=None) as dag:
        Bitrix24GetSessionHistoryOperator(task_id="history", **named)
    run = run_dag(dag)
    assert [row["id"] for row in xcom(run, "history")["messages"]] == [message]
    assert xcom(run, "history", key="chat_id") == chat


@pytest.mark.parametrize("named", [{}, {"session_id": 1, "chat_id": 2}])
def test_a_history_needs_exactly_one_name(named: dict[str, Any]) -> None:
    with pytest.raises(Bitrix24ValidationError, match="exactly one"):
        Bitrix24GetSessionHistoryOperator(task_id="history", **named)

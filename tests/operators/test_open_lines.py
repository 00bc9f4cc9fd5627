"""Operators on open lines."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_b24.exceptions import (
    Bitrix24AuthTypeError,
    Bitrix24DeliveryError,
    Bitrix24ValidationError,
)
from airflow_provider_b24.operators.open_lines import (
    Bitrix24DeleteConnectorMessagesOperator,
    Bitrix24SendConnectorMessagesOperator,
    Bitrix24UpdateConnectorMessagesOperator,
)
from airflow_provider_b24.rest.retry import RetryPolicy
from tests.support.dag_runs import instance, set_rendered, xcom
from tests.support.oauth_failures import break_oauth_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("impatient")]

CONNECTOR = "shop"
OPERATORS = [
    Bitrix24SendConnectorMessagesOperator,
    Bitrix24UpdateConnectorMessagesOperator,
    Bitrix24DeleteConnectorMessagesOperator,
]


@pytest.fixture
def line(portal: Emulator) -> int:
    line = portal.lines.add("Shop")
    portal.lines.install_connector(CONNECTOR, line)
    return line


def message(number: int, *, user: str | None = None, text: str | None = None) -> dict[str, Any]:
    return {
        "user": {"id": user or f"u{number}", "name": "Ann"},
        "message": {"id": f"m{number}", "text": text or f"Order {number}"},
        "chat": {"id": f"c{number}"},
    }


def push_dag(name: str, application: str, line: int, messages: Any, **options: Any) -> DAG:
    with DAG(name, schedule=None) as dag:
        Bitrix24SendConnectorMessagesOperator(
            task_id="push",
            bitrix24_conn_id=application,
            connector=CONNECTOR,
            line=line,
            messages=messages,
            retries=3,
            retry_delay=timedelta(0),
            **options,
        )
    return dag


def texts(portal: Emulator, line: int) -> list[str]:
    return [message.text for message in portal.lines.messages(line) if message.author_id]


def test_messages_are_pushed_and_reported(
    portal: Emulator, application: str, line: int, run_dag: Callable[..., Any]
) -> None:
    run = run_dag(push_dag("push", application, line, [message(1), message(2)]))

    report = xcom(run, "push")
    assert run.state == "success"
    assert (report["accepted"], report["rejected"], report["unknown"]) == (2, 0, 0)
    assert [item["message_id"] for item in report["items"]] == ["m1", "m2"]
    assert all(item["chat_id"] and item["session_id"] for item in report["items"])
    assert sorted(texts(portal, line)) == ["Order 1", "Order 2"]


def test_a_rejected_message_fails_the_task_without_a_retry_and_the_report_is_in_xcom(
    portal: Emulator, application: str, line: int, run_dag: Callable[..., Any]
) -> None:
    portal.lines.reject("u2", "The user cannot be created")

    run = run_dag(push_dag("push_rejected", application, line, [message(1), message(2), message(3)]))

    report = xcom(run, "push")
    assert run.state == "failed"
    assert instance(run, "push").try_number == 1
    assert [item["status"] for item in report["items"]] == ["accepted", "rejected", "accepted"]
    assert report["items"][1]["errors"] == ["The user cannot be created"]
    assert sorted(texts(portal, line)) == ["Order 1", "Order 3"]


def test_a_rejected_message_succeeds_with_if_undelivered_report(
    portal: Emulator, application: str, line: int, run_dag: Callable[..., Any]
) -> None:
    portal.lines.reject("u1")

    run = run_dag(push_dag("push_report", application, line, [message(1)], if_undelivered="report"))

    assert run.state == "success"
    assert xcom(run, "push")["rejected"] == 1


def test_a_lost_reply_is_verified_and_nothing_is_doubled(
    portal: Emulator, application: str, line: int, run_dag: Callable[..., Any]
) -> None:
    portal.faults.add("drop_after", method="imconnector.send.messages")

    run = run_dag(push_dag("push_lost", application, line, [message(1), message(2)]))

    assert run.state == "success"
    assert xcom(run, "push")["accepted"] == 2
    assert sorted(texts(portal, line)) == ["Order 1", "Order 2"]


def test_a_lost_reply_that_can_not_be_verified_is_unknown_and_fails_the_task(
    portal: Emulator, application: str, line: int, run_dag: Callable[..., Any]
) -> None:
    portal.faults.add("drop_after", method="imconnector.send.messages")
    rows = [message(1), message(2)]
    for row in rows:
        del row["user"]["name"]

    run = run_dag(push_dag("push_unknown", application, line, rows))

    assert run.state == "failed"
    assert instance(run, "push").try_number == 1
    assert xcom(run, "push")["unknown"] == 2
    assert sorted(texts(portal, line)) == ["Order 1", "Order 2"]


def test_a_push_while_the_oauth_server_fails_is_retried_by_airflow_without_duplicates(
    portal: Emulator, application: str, line: int, run_dag: Callable[..., Any]
) -> None:
    portal.expire_access_token()
    break_oauth_server(portal, "no tokens", times=RetryPolicy().max_attempts)

    run = run_dag(push_dag("push_oauth", application, line, [message(1), message(2)]))

    assert run.state == "success"
    assert instance(run, "push").try_number == 2
    assert xcom(run, "push")["accepted"] == 2
    assert sorted(texts(portal, line)) == ["Order 1", "Order 2"]


def test_a_rate_limited_push_is_retried(
    portal: Emulator, application: str, line: int, run_dag: Callable[..., Any]
) -> None:
    portal.faults.add("status_503_limit", method="imconnector.send.messages", times=2)

    run = run_dag(push_dag("push_limited", application, line, [message(1)]))

    assert run.state == "success"
    assert texts(portal, line) == ["Order 1"]


def test_messages_may_come_from_an_upstream_task_or_a_template(
    portal: Emulator, application: str, line: int, run_dag: Callable[..., Any]
) -> None:
    with DAG("push_rendered", schedule=None, params={"line": line}) as dag:

        @task
        def orders() -> list[dict[str, Any]]:
            return [message(1, text="{{ not a template }}")]

        common = {"bitrix24_conn_id": application, "connector": "{{ 'shop' }}", "line": "{{ params.line }}"}
        Bitrix24SendConnectorMessagesOperator(task_id="xcom", messages=orders(), **common)
        Bitrix24SendConnectorMessagesOperator(
            task_id="jinja", messages=[message(2, text="{{ 'Order ' ~ 2 }}")], **common
        )

    assert run_dag(dag).state == "success"
    assert sorted(texts(portal, line)) == ["Order 2", "{{ not a template }}"]


def test_pushes_are_mapped(
    portal: Emulator, application: str, line: int, run_dag: Callable[..., Any]
) -> None:
    with DAG("push_mapped", schedule=None) as dag:
        Bitrix24SendConnectorMessagesOperator.partial(
            task_id="push", bitrix24_conn_id=application, connector=CONNECTOR, line=line
        ).expand(messages=[[message(1)], [message(2)]])

    run = run_dag(dag)

    assert [xcom(run, "push", index)["accepted"] for index in range(2)] == [1, 1]


def test_messages_are_changed_and_deleted(
    portal: Emulator, application: str, line: int, run_dag: Callable[..., Any]
) -> None:
    common = {"bitrix24_conn_id": application, "connector": CONNECTOR, "line": line}
    with DAG("push_change", schedule=None) as dag:
        push = Bitrix24SendConnectorMessagesOperator(
            task_id="push", messages=[message(1), message(2)], **common
        )
        change = Bitrix24UpdateConnectorMessagesOperator(
            task_id="change", messages=[message(1, text="Order 1, paid")], **common
        )
        delete = Bitrix24DeleteConnectorMessagesOperator(task_id="delete", messages=[message(2)], **common)
        push >> change >> delete

    run = run_dag(dag)

    assert run.state == "success"
    assert xcom(run, "change")["accepted"] == xcom(run, "delete")["accepted"] == 1
    assert texts(portal, line) == ["Order 1, paid"]


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_webhook_is_refused_with_the_advice_to_use_an_application(
    portal: Emulator, line: int, operator: Any
) -> None:
    task = operator(task_id="push", connector=CONNECTOR, line=line, messages=[message(1)])

    with pytest.raises(Bitrix24AuthTypeError, match="OAuth application"):
        task.execute({})
    assert texts(portal, line) == []


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"connector": ""}, "connector"),
        ({"line": "Shop"}, "line"),
        ({"messages": "none"}, "messages"),
        ({"messages": [{"message": {"id": "1"}}]}, "messages[0]"),
        ({"messages": [message(1), {**message(2), "user": {}}]}, "messages[1].user"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_sent(
    portal: Emulator, application: str, operator: Any, options: dict[str, Any], path: str
) -> None:
    given: dict[str, Any] = {"connector": CONNECTOR, "line": 1, "messages": [message(1)]}
    if operator is Bitrix24SendConnectorMessagesOperator:
        given["if_invalid"] = "fail"
    task = operator(task_id="push", bitrix24_conn_id=application, **given)
    set_rendered(task, options)

    with pytest.raises(Bitrix24ValidationError) as refusal:
        task.execute({})
    assert refusal.value.path == path
    assert len(portal.requests) == 0


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("word", ["ignore", "", None])
def test_an_unknown_if_undelivered_is_refused_when_the_dag_is_parsed(operator: Any, word: Any) -> None:
    with pytest.raises(Bitrix24ValidationError, match=r"^if_undelivered: must be one of fail, report"):
        operator(task_id="push", connector=CONNECTOR, line=1, messages=[], if_undelivered=word)


def test_the_delivery_error_has_the_report(portal: Emulator, application: str, line: int) -> None:
    class Instance:
        def xcom_push(self, *, key: str, value: Any) -> None:
            assert key == "return_value"
            assert value["rejected"] == 1

    portal.lines.reject("u1")
    operator = Bitrix24SendConnectorMessagesOperator(
        task_id="push", bitrix24_conn_id=application, connector=CONNECTOR, line=line, messages=[message(1)]
    )
    with pytest.raises(Bitrix24DeliveryError, match="1 rejected") as failure:
        operator.execute({"ti": Instance()})  # type: ignore[typeddict-item]
    assert failure.value.report["items"][0]["status"] == "rejected"


def test_a_rejected_change_fails_the_task_and_the_report_is_in_xcom(
    portal: Emulator, application: str, line: int, run_dag: Callable[..., Any]
) -> None:
    portal.lines.reject("u1", "The user is blocked")
    with DAG("change_rejected", schedule=None) as dag:
        Bitrix24UpdateConnectorMessagesOperator(
            task_id="change",
            bitrix24_conn_id=application,
            connector=CONNECTOR,
            line=line,
            messages=[message(1)],
            retries=3,
            retry_delay=timedelta(0),
        )

    run = run_dag(dag)

    assert instance(run, "change").state == "failed"
    assert instance(run, "change").try_number == 1
    (item,) = xcom(run, "change")["items"]
    assert (item["status"], item["errors"]) == ("rejected", ["The user is blocked"])

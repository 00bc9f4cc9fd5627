"""Operators that call any method, one or many."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_b24.exceptions import Bitrix24BatchIncompleteError, Bitrix24ValidationError
from airflow_provider_b24.operators.rest import Bitrix24BatchOperator, Bitrix24CallOperator
from tests.support.dag_runs import instance, xcom

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.usefixtures("impatient")


def retrying(**more: Any) -> dict[str, Any]:
    return {"retries": 3, "retry_delay": timedelta(0), **more}


def test_a_call_returns_the_result(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    with DAG("call", schedule=None) as dag:
        Bitrix24CallOperator(task_id="call", method="user.get", parameters={"ID": 1})

    run = run_dag(dag)

    assert [person["ID"] for person in xcom(run, "call")] == ["1"]


def test_a_call_without_parameters_returns_the_result(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    with DAG("call_bare", schedule=None) as dag:
        Bitrix24CallOperator(task_id="call", method="profile")

    assert xcom(run_dag(dag), "call")["ID"] == "1"


def test_all_pages_are_read_when_asked_for(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    for number in range(60):
        portal.add_user(f"Person {number}")
    with DAG("call_pages", schedule=None) as dag:
        Bitrix24CallOperator(task_id="one", method="user.get")
        Bitrix24CallOperator(task_id="all", method="user.get", all_pages=True)

    run = run_dag(dag)

    assert len(xcom(run, "one")) == 50
    assert len(xcom(run, "all")) > 60


def test_method_and_parameters_are_rendered(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    with DAG("call_rendered", schedule=None, params={"user": 1}) as dag:

        @task
        def who() -> int:
            return 1

        Bitrix24CallOperator(
            task_id="jinja", method="user.{{ 'get' }}", parameters={"ID": "{{ params.user }}"}
        )
        Bitrix24CallOperator(task_id="xcom", method="user.get", parameters={"ID": who()})

    run = run_dag(dag)

    assert xcom(run, "jinja") == xcom(run, "xcom")
    assert [person["ID"] for person in xcom(run, "xcom")] == ["1"]


def test_calls_are_mapped(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    with DAG("call_mapped", schedule=None) as dag:
        Bitrix24CallOperator.partial(task_id="call", method="user.get").expand(
            parameters=[{"ID": 1}, {"ID": 2}]
        )

    run = run_dag(dag)

    assert [xcom(run, "call", index)[0]["ID"] for index in range(2)] == ["1", "2"]


def test_a_lost_reply_of_an_unsafe_method_fails_the_task_without_a_retry(
    portal: Emulator, run_dag: Callable[..., Any]
) -> None:
    chat_id = portal.add_chat("Team")
    portal.faults.add("drop_after", method="im.message.add")
    parameters = {"DIALOG_ID": f"chat{chat_id}", "MESSAGE": "Hi"}
    with DAG("call_unknown", schedule=None) as dag:
        Bitrix24CallOperator(task_id="call", method="im.message.add", parameters=parameters, **retrying())

    run = run_dag(dag)

    assert run.state == "failed"
    assert instance(run, "call").try_number == 1
    assert [message.text for message in portal.messages(chat_id)] == ["Hi"]


def test_a_call_declared_idempotent_is_retried_after_a_lost_reply(
    portal: Emulator, run_dag: Callable[..., Any]
) -> None:
    chat_id = portal.add_chat("Team")
    portal.faults.add("drop_after", method="im.message.add")
    parameters = {"DIALOG_ID": f"chat{chat_id}", "MESSAGE": "Hi"}
    with DAG("call_repeatable", schedule=None) as dag:
        Bitrix24CallOperator(task_id="call", method="im.message.add", parameters=parameters, repeatable=True)

    assert run_dag(dag).state == "success"
    assert len(portal.messages(chat_id)) == 2


@pytest.mark.parametrize(("repeatable", "state"), [(True, "success"), (False, "failed")])
def test_a_page_is_read_again_after_a_lost_reply_as_the_task_declares(
    portal: Emulator, run_dag: Callable[..., Any], repeatable: bool, state: str
) -> None:
    portal.faults.add("drop_after", method="user.get")
    with DAG(f"call_pages_{state}", schedule=None) as dag:
        Bitrix24CallOperator(task_id="call", method="user.get", all_pages=True, repeatable=repeatable)

    assert run_dag(dag).state == state


def test_airflow_retries_a_call_without_a_reply(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    portal.faults.add("status_502", method="profile", times=5)
    with DAG("call_retried", schedule=None) as dag:
        Bitrix24CallOperator(task_id="call", method="profile", **retrying())

    run = run_dag(dag)

    assert run.state == "success"
    assert instance(run, "call").try_number == 2


def test_a_batch_returns_a_result_or_an_error_for_each_key(
    portal: Emulator, run_dag: Callable[..., Any]
) -> None:
    commands = {"me": "profile", "bad": ["no.such.method", {}], "people": ["user.get", {"ID": 1}]}
    with DAG("batch_report", schedule=None) as dag:
        Bitrix24BatchOperator(task_id="batch", commands=commands, if_errors="report")

    outcome = xcom(run_dag(dag), "batch")

    assert set(outcome["results"]) == {"me", "people"}
    assert outcome["results"]["people"][0]["ID"] == "1"
    assert set(outcome["errors"]) == {"bad"}
    assert outcome["errors"]["bad"]["type"] == "Bitrix24MethodNotFoundError"
    assert outcome["errors"]["bad"]["code"] == "ERROR_METHOD_NOT_FOUND"


def test_a_batch_without_errors_succeeds(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    with DAG("batch", schedule=None) as dag:
        Bitrix24BatchOperator(task_id="batch", commands={"me": "profile"})

    outcome = xcom(run_dag(dag), "batch")

    assert outcome["errors"] == {}
    assert outcome["results"]["me"]["ID"] == "1"


def test_a_batch_with_an_error_fails_without_a_retry_and_keeps_its_results(
    portal: Emulator, run_dag: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    chat_id = portal.add_chat("Team")
    commands = {
        "say": ["im.message.add", {"DIALOG_ID": f"chat{chat_id}", "MESSAGE": "Hi"}],
        "bad": "no.such.method",
    }
    with DAG("batch_failed", schedule=None) as dag:
        Bitrix24BatchOperator(task_id="batch", commands=commands, **retrying())

    run = run_dag(dag)

    assert run.state == "failed"
    assert instance(run, "batch").try_number == 1
    assert len(portal.messages(chat_id)) == 1
    assert set(xcom(run, "batch")["results"]) == {"say"}
    assert set(xcom(run, "batch")["errors"]) == {"bad"}


@pytest.mark.usefixtures("airflow_database", "no_other_host")
def test_a_batch_that_loses_its_token_midway_says_what_to_do_in_its_error_and_in_xcom(
    portal: Emulator, application: str
) -> None:
    kept: dict[str, Any] = {}

    class Instance:
        def xcom_push(self, *, key: str, value: Any) -> None:
            kept[key] = value

    portal.faults.add("expired_token", method="batch", after=1, times=None)
    portal.portal.credentials.use_refresh_token(portal.application.refresh_token)
    command = ["im.message.add", {"DIALOG_ID": f"chat{portal.add_chat('Team')}", "MESSAGE": "x"}]
    commands = {str(number): command for number in range(60)}
    operator = Bitrix24BatchOperator(task_id="batch", bitrix24_conn_id=application, commands=commands)
    with pytest.raises(Bitrix24BatchIncompleteError, match=r"10 of 60.*Authorise the application again"):
        operator.execute({"ti": Instance()})  # type: ignore[typeddict-item]

    lost = kept["return_value"]["errors"]["59"]
    assert (lost["type"], lost["outcome"]) == ("Bitrix24TokenRefreshError", "not executed")
    assert "Authorise the application again" in lost["advice"]


def test_a_batch_takes_commands_from_an_xcom(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    with DAG("batch_xcom", schedule=None) as dag:

        @task
        def commands() -> dict[str, Any]:
            return {str(number): ["user.get", {"ID": number}] for number in (1, 2)}

        Bitrix24BatchOperator(task_id="batch", commands=commands())

    results = xcom(run_dag(dag), "batch")["results"]

    assert {key: rows[0]["ID"] for key, rows in results.items()} == {"1": "1", "2": "2"}


def test_the_batch_error_counts_the_failures_and_xcom_has_the_results(portal: Emulator) -> None:
    pushed: dict[str, Any] = {}

    class Instance:
        def xcom_push(self, *, key: str, value: Any) -> None:
            pushed[key] = value

    operator = Bitrix24BatchOperator(task_id="batch", commands={"me": "profile", "bad": "no.such.method"})
    with pytest.raises(Bitrix24BatchIncompleteError) as failure:
        operator.execute({"ti": Instance()})  # type: ignore[typeddict-item]

    assert "1 of 2 commands failed" in str(failure.value)
    assert "ERROR_METHOD_NOT_FOUND" in str(failure.value)
    assert "'bitrix24_default'" in str(failure.value)
    assert ".." not in str(failure.value)
    assert set(pushed["return_value"]["results"]) == {"me"}


@pytest.mark.parametrize("if_errors", ["ignore", "", None])
def test_an_unknown_if_errors_is_refused_when_the_dag_is_parsed(if_errors: Any) -> None:
    with pytest.raises(Bitrix24ValidationError, match=r"^if_errors: must be one of fail, report"):
        Bitrix24BatchOperator(task_id="batch", commands={}, if_errors=if_errors)

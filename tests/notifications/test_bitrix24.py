"""The notifier in each place where Airflow calls one."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, AsyncCallback, SyncCallback, task
from airflow.sdk.execution_time.callback_supervisor import execute_callback
from airflow.triggers.callback import CallbackTrigger

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.notifications.bitrix24 import Bitrix24Notifier
from tests.support.dag_runs import instance

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

ADD = "im.message.add"
PATH = "airflow_provider_b24.notifications.bitrix24.Bitrix24Notifier"


@pytest.fixture
def chat(portal: Emulator) -> int:
    return portal.add_chat("Alerts", members=[1, 2])


def texts(portal: Emulator, chat: int) -> list[str]:
    return [message.text for message in portal.messages(chat)]


def failing_dag(name: str, **callbacks: Any) -> DAG:
    with DAG(name, schedule=None, **callbacks.pop("dag", {})) as dag:

        @task(**callbacks)
        def load() -> None:
            raise AirflowFailException("no space left")

        load()
    return dag


def test_a_failed_task_is_told_with_what_the_templates_know(
    portal: Emulator, chat: int, run_dag: Callable[..., Any]
) -> None:
    notifier = Bitrix24Notifier(
        chat_id="{{ params.chat }}",
        message="{{ ti.dag_id }}.{{ ti.task_id }} failed: {{ exception }}",
        bitrix24_conn_id="bitrix24_{{ 'default' }}",
    )
    dag = failing_dag("told", on_failure_callback=notifier, params={"chat": chat})

    run = run_dag(dag)

    assert instance(run, "load").state == "failed"
    assert texts(portal, chat) == ["told.load failed: no space left"]


def test_a_failed_run_is_told_by_the_callback_of_its_dag(
    portal: Emulator, chat: int, run_dag: Callable[..., Any]
) -> None:
    notifier = Bitrix24Notifier(chat_id=chat, message="{{ dag_run.dag_id }} failed in {{ run_id }}")

    run = run_dag(failing_dag("run_told", dag={"on_failure_callback": notifier}))

    assert texts(portal, chat) == [f"run_told failed in {run.run_id}"]


def test_a_person_is_told_of_a_success(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    with DAG("person", schedule=None) as dag:
        EmptyOperator(
            task_id="load", on_success_callback=Bitrix24Notifier(user_id=2, message="{{ ti.task_id }}: done")
        )

    assert run_dag(dag).state == "success"
    [message] = texts(portal, portal.portal.chats.private(1, 2).id)
    assert message == "load: done"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"chat_id": 987654}, "Bitrix24ChatNotFoundError"),
        ({"chat_id": "{{ 'general' }}"}, "Bitrix24ValidationError"),
        ({"chat_id": 1489, "message": "{{ ' ' }}"}, "Bitrix24ValidationError"),
        ({"chat_id": 1489, "bitrix24_conn_id": "nowhere"}, "Bitrix24ConfigurationError"),
    ],
)
def test_a_notification_that_fails_is_a_warning_with_the_type_of_the_error(
    portal: Emulator, caplog: pytest.LogCaptureFixture, given: dict[str, Any], problem: str
) -> None:
    caplog.set_level(logging.INFO)
    notifier = Bitrix24Notifier(**{"message": "Hi", **given})
    notifier({"dag": None})
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert f"was not posted: {problem}: " in warning.getMessage()


def test_a_lost_reply_is_a_warning_and_nothing_is_posted_twice(
    portal: Emulator, chat: int, caplog: pytest.LogCaptureFixture
) -> None:
    portal.faults.add("drop_after", method=ADD)
    Bitrix24Notifier(chat_id=chat, message="Hi")({"dag": None})
    assert "Bitrix24OutcomeUnknownError" in caplog.text
    assert texts(portal, chat) == ["Hi"]


def test_a_portal_that_is_down_fails_no_task_and_shows_no_secret(
    portal: Emulator, caplog: pytest.LogCaptureFixture, impatient: None
) -> None:
    portal.stop()
    Bitrix24Notifier(chat_id=1, message="Hi")({"dag": None})
    assert "Bitrix24UnreachableError" in caplog.text
    assert portal.webhook_code not in caplog.text


@pytest.mark.parametrize("given", [{}, {"chat_id": 1, "user_id": 2}, {"chat_id": "general"}])
def test_a_notifier_without_one_addressee_is_refused_when_the_dag_is_parsed(given: dict[str, Any]) -> None:
    with pytest.raises(Bitrix24ValidationError):
        Bitrix24Notifier(message="Hi", **given)


@pytest.mark.parametrize("chat_id", [None, 987654])
def test_a_question_of_airflow_is_told_and_asked_whatever_becomes_of_the_message(
    portal: Emulator, chat: int, monkeypatch: pytest.MonkeyPatch, chat_id: int | None
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **given: asked.append(given)
    )
    notifier = Bitrix24Notifier(chat_id=chat_id or chat, message="{{ task.subject }} Please answer.")
    operator = HITLOperator(task_id="ask", subject="Deploy?", options=["Yes", "No"], notifiers=[notifier])

    with pytest.raises(BaseException) as parked:
        operator.execute({"task_instance": SimpleNamespace(id="1"), "task": operator, "dag": None})  # type: ignore[typeddict-item]

    assert type(parked.value).__name__ == "TaskAwaitingInput"
    assert len(asked) == 1
    assert texts(portal, chat) == ([] if chat_id else ["Deploy? Please answer."])


DEADLINE = {"dag_run": {"run_id": "nightly"}, "deadline": {"deadline_time": "06:00"}}


def test_a_deadline_s_synchronous_callback_posts_the_message(portal: Emulator, chat: int) -> None:
    callback = SyncCallback(Bitrix24Notifier, {"chat_id": chat, "message": "{{ dag_run.run_id }} is late"})

    done = execute_callback(
        callback.path, {**callback.kwargs, "context": dict(DEADLINE)}, "dag.py", None, SimpleLog()
    )

    assert callback.path == PATH
    assert done == (True, None)
    assert texts(portal, chat) == ["nightly is late"]


@pytest.mark.parametrize("context", [None, DEADLINE])
def test_a_deadline_s_asynchronous_callback_posts_the_message_from_the_triggerer(
    portal: Emulator, chat: int, context: dict[str, Any] | None
) -> None:
    callback = AsyncCallback(Bitrix24Notifier, {"chat_id": chat, "message": "{{ dag_run.run_id }} is late"})
    if context is None:
        callback.kwargs["message"] = "The run is late"
    trigger = CallbackTrigger(
        callback.path, callback.kwargs | ({"context": dict(context)} if context else {})
    )

    async def run() -> list[Any]:
        return [event.payload["state"] async for event in trigger.run()]

    assert [str(state) for state in asyncio.run(run())] == ["running", "success"]
    assert texts(portal, chat) == ["nightly is late" if context else "The run is late"]


def test_the_triggerer_goes_on_while_a_message_is_posted(portal: Emulator, chat: int) -> None:
    portal.faults.add("slow", method=ADD, seconds=0.5)

    async def run() -> int:
        ticks, posting = 0, asyncio.ensure_future(notify())
        while not posting.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    async def notify() -> None:
        await Bitrix24Notifier(chat_id=chat, message="Hi")

    assert asyncio.run(run()) > 10
    assert texts(portal, chat) == ["Hi"]


def test_ten_notifiers_at_once_stay_within_the_bucket(
    portal: Emulator, chat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = portal.connection() | {"extra": {"plan": "standard"}}
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps(fields))
    portal.limits.bucket.set_plan("standard")
    nearly_fill_bucket(requests=44)
    barrier = threading.Barrier(10)

    def notify(number: int) -> None:
        notifier = Bitrix24Notifier(chat_id=chat, message=f"Task {number} failed")
        barrier.wait()
        notifier({"dag": None})

    began = time.monotonic()
    threads = [threading.Thread(target=notify, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(texts(portal, chat)) == [f"Task {number} failed" for number in range(10)]
    assert [request.status for request in portal.requests if request.status == 503] == []
    assert time.monotonic() - began > 1, "the bucket was not full, so the test shows nothing"


def nearly_fill_bucket(*, requests: int) -> None:
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

    hook = Bitrix24Hook()
    for _ in range(requests):
        hook.call("profile")


class SimpleLog:
    """What Airflow's supervisor logs by."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None

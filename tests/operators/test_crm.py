"""Messages into the chats of CRM items."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.operators.crm import Bitrix24SendCrmChatMessageOperator
from airflow_provider_b24.rest.client import Bitrix24Client
from tests.support.dag_runs import instance, xcom

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("impatient")]


@pytest.fixture
def line(portal: Emulator) -> int:
    line = portal.lines.add("Shop")
    portal.lines.install_connector("shop", line)
    return line


class Store:
    """Airflow's task state store, in memory."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        return self.values.get(key)

    def set(self, key: str, value: Any, **_: Any) -> None:
        self.values[key] = value


def crm_operator(chat_id: int, *, user_id: int = 1) -> Bitrix24SendCrmChatMessageOperator:
    return Bitrix24SendCrmChatMessageOperator(
        task_id="say", entity_type="deal", entity_id=288, user_id=user_id, message="Paid", chat_id=chat_id
    )


@pytest.mark.usefixtures("line")
def test_a_retry_of_a_crm_message_returns_what_an_earlier_try_has_posted(portal: Emulator) -> None:
    chat_id = portal.lines.add_crm_chat("deal", 288)
    context: Any = {"task_state_store": Store()}

    first, second = (crm_operator(chat_id).execute(context) for _ in range(2))

    assert first == second
    assert [each.text for each in portal.messages(chat_id)].count("Paid") == 1


@pytest.mark.usefixtures("line")
def test_a_refused_crm_message_is_not_remembered_as_posted(portal: Emulator) -> None:
    chat_id = portal.lines.add_crm_chat("deal", 288)
    store = Store()
    with pytest.raises(Bitrix24Error):
        crm_operator(chat_id, user_id=999).execute({"task_state_store": store})  # type: ignore[typeddict-unknown-key]

    (remembered,) = store.values.values()
    assert remembered["state"] == "not posted"


class Killed(BaseException):
    """The process ends."""


@pytest.mark.usefixtures("line")
def test_a_retry_after_a_kill_finds_the_crm_message(
    portal: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat_id = portal.lines.add_crm_chat("deal", 288)
    task = SimpleNamespace(dag_id="d", task_id="say", run_id="r", map_index=-1, max_tries=3, try_number=1)
    context: Any = {"ti": task, "task_state_store": Store()}
    post = Bitrix24Client.call_for_id

    def dying(self: Any, *args: Any) -> int:
        post(self, *args)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Bitrix24Client, "call_for_id", dying)
        crm_operator(chat_id).execute(context)
    task.try_number = 2
    found = crm_operator(chat_id).execute(context)

    (posted,) = [message for message in portal.messages(chat_id) if message.text == "Paid"]
    assert found == {"message_id": posted.id, "chat_id": chat_id}


def test_a_message_goes_into_the_chat_of_a_crm_item(
    portal: Emulator, line: int, run_dag: Callable[..., Any]
) -> None:
    chat_id = portal.lines.add_crm_chat("deal", 288)
    with DAG("crm", schedule=None, params={"deal": 288}) as dag:
        Bitrix24SendCrmChatMessageOperator(
            task_id="say",
            entity_type="deal",
            entity_id="{{ params.deal }}",
            user_id=1,
            message="Invoice {{ params.deal }} is paid",
        )

    run = run_dag(dag)

    posted = portal.messages(chat_id)[-1]
    assert posted.text == "Invoice 288 is paid"
    assert xcom(run, "say") == {"message_id": posted.id, "chat_id": chat_id}


def test_a_lost_reply_of_a_crm_message_is_found_in_the_chat(
    portal: Emulator, line: int, run_dag: Callable[..., Any]
) -> None:
    chat_id = portal.lines.add_crm_chat("deal", 288)
    portal.faults.add("drop_after", method="imopenlines.crm.message.add")
    with DAG("crm_lost", schedule=None) as dag:
        Bitrix24SendCrmChatMessageOperator(
            task_id="say", entity_type="deal", entity_id=288, user_id=1, message="Paid", chat_id=chat_id
        )

    run = run_dag(dag)

    posted = portal.messages(chat_id)[-1]
    assert run.state == "success"
    assert xcom(run, "say") == {"message_id": posted.id, "chat_id": chat_id}
    assert [message.text for message in portal.messages(chat_id)].count("Paid") == 1


def test_a_lost_reply_of_a_crm_message_in_a_chat_of_others_fails_the_task_without_a_retry(
    portal: Emulator, line: int, run_dag: Callable[..., Any]
) -> None:
    chat_id = portal.lines.add_crm_chat("deal", 288)
    portal.chat(chat_id).members.remove(1)
    portal.faults.add("drop_after", method="imopenlines.crm.message.add")
    with DAG("crm_lost_elsewhere", schedule=None) as dag:
        Bitrix24SendCrmChatMessageOperator(
            task_id="say",
            entity_type="deal",
            entity_id=288,
            user_id=2,
            message="Paid",
            chat_id=chat_id,
            retries=3,
            retry_delay=timedelta(0),
        )

    run = run_dag(dag)

    assert run.state == "failed"
    assert instance(run, "say").try_number == 1
    assert [message.text for message in portal.messages(chat_id)].count("Paid") == 1

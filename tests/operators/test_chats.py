"""The operator that posts to chats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.operators.chats import Bitrix24SendMessageOperator
from tests.support.dag_runs import set_rendered, xcom

from .test_idempotency import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.usefixtures("impatient")


def test_a_message_goes_to_a_chat(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    chat_id = portal.add_chat("Team", [1, 2])
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


def test_a_lost_reply_is_found_in_the_chat(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    chat_id = portal.add_chat("Team", [1, 2])
    portal.faults.add("drop_after", method="im.message.add")
    with DAG("say_lost", schedule=None) as dag:
        Bitrix24SendMessageOperator(task_id="say", chat_id=chat_id, message="Done")

    run = run_dag(dag)

    (message,) = portal.messages(chat_id)
    assert run.state == "success"
    assert xcom(run, "say") == message.id


class Killed(BaseException):
    """The process ends."""


class Saying:
    """A task that posts a message, try after try."""

    def __init__(self, chat_id: int, store: Store | None) -> None:
        self.instance = SimpleNamespace(
            dag_id="d", task_id="t", run_id="r", map_index=-1, max_tries=3, try_number=0
        )
        self.store = store
        self._chat_id = chat_id

    def run(self, message: str = "Done") -> int:
        self.instance.try_number += 1
        started = datetime.now(UTC) - timedelta(seconds=5)
        context: Any = {"ti": self.instance, "dag_run": SimpleNamespace(start_date=started)}
        if self.store is not None:
            context["task_state_store"] = self.store
        return Bitrix24SendMessageOperator(task_id="t", chat_id=self._chat_id, message=message).execute(
            context
        )

    def die(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Run a try whose process ends right after the message is posted."""
        from airflow_provider_b24.rest.client import Bitrix24Client

        post = Bitrix24Client.call_for_id

        def dying(self: Any, *args: Any) -> int:
            post(self, *args)
            raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Bitrix24Client, "call_for_id", dying)
            self.run()


@pytest.fixture(params=["store", "no store"])
def saying(request: pytest.FixtureRequest, portal: Emulator) -> Saying:
    return Saying(portal.add_chat("Team", [1, 2]), Store() if request.param == "store" else None)


def said(portal: Emulator) -> list[str]:
    chat = next(chat for chat in portal.portal.chats if chat.title == "Team")
    return [message.text for message in portal.messages(chat.id)]


@pytest.mark.parametrize("knows_ids", [True, False])
def test_a_retry_after_a_kill_finds_the_message(
    portal: Emulator, saying: Saying, monkeypatch: pytest.MonkeyPatch, *, knows_ids: bool
) -> None:
    portal.quirks.message_template_ids = knows_ids
    saying.die(monkeypatch)
    message_id = saying.run()
    assert said(portal) == ["Done"]
    assert portal.portal.chats.message(message_id)


def test_a_retry_that_the_store_does_not_answer_finds_the_message(
    portal: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.quirks.message_template_ids = False
    saying = Saying(portal.add_chat("Team", [1, 2]), Store())
    saying.die(monkeypatch)
    assert saying.store is not None
    saying.store.is_down = True
    saying.run()
    assert said(portal) == ["Done"]


def test_a_retry_finds_the_message_among_many_newer_ones(
    portal: Emulator, saying: Saying, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying.die(monkeypatch)
    for number in range(60):
        portal.say(saying._chat_id, 2, f"Other {number}")
    saying.run()
    assert said(portal).count("Done") == 1


def test_another_task_of_the_same_run_posts_the_same_text(
    portal: Emulator, saying: Saying, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying.run()
    saying.instance.task_id, saying.instance.try_number = "other", 0
    saying.store = Store() if saying.store else None
    portal.faults.add("drop_before", method="im.message.add")
    monkeypatch.setattr("airflow_provider_b24.chats.exactly_once.REQUEST_SECONDS", 0.0)
    saying.run()
    assert said(portal) == ["Done", "Done"]


def test_a_cleared_task_posts_another_message(portal: Emulator) -> None:
    saying = Saying(portal.add_chat("Team", [1, 2]), Store())
    first = saying.run()
    assert saying.run() == first
    saying.instance.max_tries = 9
    assert saying.run() != first
    assert said(portal) == ["Done", "Done"]


def test_a_clear_after_a_kill_finds_the_message(portal: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    saying = Saying(portal.add_chat("Team", [1, 2]), Store())
    saying.die(monkeypatch)
    saying.instance.max_tries = 9
    saying.run()
    assert said(portal) == ["Done"]

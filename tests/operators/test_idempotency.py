"""The poll of a task, over the tries and the clears of the task."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24ChatAccessError,
    Bitrix24Error,
    Bitrix24NoAnswerError,
    Bitrix24PollNotFoundError,
    Bitrix24PollRejectedError,
    Bitrix24ValidationError,
)
from airflow_provider_b24.operators.idempotency import send_poll_once
from airflow_provider_b24.operators.polls import Bitrix24SendPollOperator

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.usefixtures("impatient")

SEND = "vote.Integration.Im.send"


class Store:
    """A task state store, which a clear leaves as it is."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.retention: timedelta | None = None
        self.is_down = False

    def get(self, key: str, default: Any = None) -> Any:
        self._check()
        return self.values.get(key, default)

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        self._check()
        self.values[key], self.retention = value, retention

    def _check(self) -> None:
        if self.is_down:
            raise RuntimeError("the API server is away")


class Task:
    """A task that sends a poll, try after try.

    :param store: the task state store; None is an Airflow that has none.
    """

    def __init__(self, chat_id: int, store: Store | None, **options: Any) -> None:
        self.options = {"chat_id": chat_id, "question": "Deploy?", "answers": ["Yes", "No"], **options}
        self.instance = SimpleNamespace(
            dag_id="d", task_id="t", run_id="r", map_index=-1, max_tries=1, try_number=0
        )
        # Nobody reads the links here.
        self.instance.xcom_push = lambda **_: None
        self._store = store

    def run(self) -> int:
        """Return the message id of the poll that the next try returns."""
        self.instance.try_number += 1
        context: Any = {"ti": self.instance}
        if self._store is not None:
            context["task_state_store"] = self._store
        return Bitrix24SendPollOperator(task_id="t", **self.options).execute(context)["message_id"]

    def clear(self) -> None:
        """Do what Airflow does when a person clears the task."""
        self.instance.max_tries = self.instance.try_number + 1


@pytest.fixture
def chat_id(portal: Emulator) -> int:
    return portal.add_chat("Team")


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def task(chat_id: int, store: Store) -> Task:
    return Task(chat_id, store)


def polls_in(portal: Emulator, chat_id: int) -> list[int]:
    return [poll.entity_id for poll in portal.polls() if poll.chat_id == chat_id]


def lose(portal: Emulator) -> None:
    """Lose the replies to all requests of one try."""
    portal.faults.add("drop_after", method=SEND, times=4)


def lose_a_try(portal: Emulator, task: Task) -> Bitrix24Error:
    lose(portal)
    with pytest.raises(Bitrix24NoAnswerError) as caught:
        task.run()
    return caught.value


def test_a_clear_after_a_lost_try_finds_the_poll(portal: Emulator, chat_id: int, task: Task) -> None:
    lose_a_try(portal, task)
    task.clear()
    message_id = task.run()
    assert polls_in(portal, chat_id) == [message_id]


def test_a_clear_after_several_lost_clears_finds_the_poll(portal: Emulator, chat_id: int, task: Task) -> None:
    for _ in range(3):
        lose_a_try(portal, task)
        task.clear()
    lose_a_try(portal, task)
    message_id = task.run()
    assert polls_in(portal, chat_id) == [message_id]


def test_a_clear_after_a_returned_poll_sends_another(portal: Emulator, chat_id: int, task: Task) -> None:
    lose_a_try(portal, task)
    first = task.run()
    task.clear()
    second = task.run()
    assert polls_in(portal, chat_id) == [first, second]


def test_a_new_poll_of_a_cleared_task_is_not_read_back(portal: Emulator, task: Task) -> None:
    task.run()
    task.clear()
    task.run()
    # One read each for the link to the results; none for the vote id.
    assert portal.requests.count("vote.Integration.Im.send") == 2
    assert portal.requests.count() == 4


def test_a_retry_after_a_clear_returns_the_poll_that_the_cleared_try_sent(
    portal: Emulator, chat_id: int, task: Task
) -> None:
    lose_a_try(portal, task)
    task.clear()
    message_id = task.run()
    # The worker dies before Airflow hears of the success, so the task is retried.
    assert task.run() == message_id
    assert polls_in(portal, chat_id) == [message_id]


class Killed(BaseException):
    """The process ends."""


def test_a_clear_after_a_worker_that_died_while_it_sent_finds_the_poll(
    portal: Emulator, chat_id: int, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("airflow_provider_b24.polls.sending.PollSending._message_id", killed)
        task.run()
    task.clear()
    message_id = task.run()
    assert polls_in(portal, chat_id) == [message_id]


def test_a_clear_after_a_certain_refusal_is_a_first_send(portal: Emulator, task: Task, chat_id: int) -> None:
    portal.chat(chat_id).members.remove(1)
    with pytest.raises(Bitrix24ChatAccessError):
        task.run()
    portal.chat(chat_id).members.append(1)
    task.clear()
    task.run()
    sends = [request for request in portal.requests if "templateId" in request.params]
    first, second = (request.params["templateId"] for request in sends)
    assert first != second


def test_a_retry_after_a_certain_refusal_does_not_wait_for_a_copy_in_flight(
    portal: Emulator, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portal.portal.polls, "save", refuse)
    for _ in range(2):
        with pytest.raises(Bitrix24PollRejectedError):
            task.run()
    assert portal.requests.count() == 2


def refuse(*_: object, **__: object) -> None:
    from airflow_provider_b24.emulator.php.api_error import ApiError

    raise ApiError("0", "Cannot save poll. Please try again.")


def test_a_try_with_bad_input_does_not_forget_a_lost_poll(portal: Emulator, chat_id: int, task: Task) -> None:
    lose_a_try(portal, task)
    task.clear()
    task.options["answers"] = ["Yes"]
    with pytest.raises(Bitrix24ValidationError):
        task.run()
    task.clear()
    task.options["answers"] = ["Yes", "No"]
    message_id = task.run()
    assert polls_in(portal, chat_id) == [message_id]


def test_a_clear_for_another_chat_sends_another_poll(portal: Emulator, chat_id: int, task: Task) -> None:
    lose_a_try(portal, task)
    task.clear()
    other = portal.add_chat("Others")
    task.options["chat_id"] = f"chat{other}"
    message_id = task.run()
    assert polls_in(portal, other) == [message_id]


def test_a_clear_finds_the_poll_however_the_chat_is_named(portal: Emulator, chat_id: int, task: Task) -> None:
    lose_a_try(portal, task)
    task.clear()
    task.options["chat_id"] = f"chat{chat_id}"
    message_id = task.run()
    assert polls_in(portal, chat_id) == [message_id]


def test_a_clear_after_a_lost_poll_was_deleted_sends_another(
    portal: Emulator, chat_id: int, task: Task
) -> None:
    lose_a_try(portal, task)
    deleted = portal.portal.chats.message(polls_in(portal, chat_id)[0])
    assert deleted is not None
    portal.portal.chats.delete(deleted)
    with pytest.raises(Bitrix24PollNotFoundError, match="clear the task to send another"):
        task.run()
    task.clear()
    message_id = task.run()
    assert polls_in(portal, chat_id) == [message_id]


def test_the_template_id_is_kept_as_long_as_the_portal_knows_it(task: Task, store: Store) -> None:
    task.run()
    assert store.retention is not None
    assert store.retention.days == 31


# What the error says


def test_an_error_says_that_a_clear_finds_the_poll(portal: Emulator, task: Task) -> None:
    assert "A retry of the task does that, and so does clearing it." in str(lose_a_try(portal, task))


def test_an_error_says_that_a_clear_sends_another_poll_where_airflow_has_no_store(
    portal: Emulator, chat_id: int
) -> None:
    task = Task(chat_id, None)
    error = lose_a_try(portal, task)
    assert "A retry of the task does that; clearing the task sends another poll." in str(error)
    first = task.run()
    task.clear()
    second = task.run()
    assert polls_in(portal, chat_id) == [first, second]


def test_a_store_that_is_down_does_not_stop_the_poll(
    portal: Emulator, chat_id: int, task: Task, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.is_down = True
    error = lose_a_try(portal, task)
    assert "clearing the task sends another poll" in str(error)
    message_id = task.run()
    assert polls_in(portal, chat_id) == [message_id]
    assert "task state store" in caplog.text


def test_a_clear_of_a_task_with_its_own_template_id_finds_the_poll(
    portal: Emulator, chat_id: int, store: Store
) -> None:
    own = str(uuid.uuid4())
    task = Task(chat_id, store, template_id=own)
    assert "so does clearing it" in str(lose_a_try(portal, task))
    task.clear()
    message_id = task.run()
    assert polls_in(portal, chat_id) == [message_id]
    assert store.values == {}


def test_a_chat_that_can_not_be_one_is_refused_before_anything_is_remembered(store: Store) -> None:
    context: Any = {"ti": SimpleNamespace(dag_id="d", task_id="t", run_id="r"), "task_state_store": store}
    with pytest.raises(Bitrix24ValidationError, match="chat_id"):
        send_poll_once(context, lambda *_: {}, portal="https://acme.bitrix24.com", chat_id="team")
    assert store.values == {}

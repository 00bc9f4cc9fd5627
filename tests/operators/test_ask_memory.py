"""What the tries of a task know of its ask."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.asks.ask import Ask
from airflow_provider_b24.operators.ask_memory import AskMemory

if TYPE_CHECKING:
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from tests.support.crowd import Crowd

ASK = Ask(
    message_id=7,
    chat_id=2,
    question="Deploy?",
    rule={"quorum": 2},
    voters=[1, 2],
    excluded=[3],
    asked_at=1_800_000_000.5,
    escalate_to=("chat5", "7"),
)


class Store:
    """Airflow's task state store, in memory."""

    def __init__(self, *, broken: bool = False) -> None:
        self.values: dict[str, Any] = {}
        self.broken = broken

    def get(self, key: str) -> Any:
        self._check()
        return self.values.get(key)

    def set(self, key: str, value: Any) -> None:
        self._check()
        self.values[key] = value

    def _check(self) -> None:
        if self.broken:
            raise RuntimeError("the API server is down")


class TaskInstance(SimpleNamespace):
    """A task instance with its XComs."""

    def __init__(self, *, try_number: int = 1, map_index: int = -1) -> None:
        super().__init__(task_id="ask", try_number=try_number, map_index=map_index, xcoms={})

    def xcom_push(self, *, key: str, value: Any) -> None:
        self.xcoms[key, self.task_id, self.map_index] = value

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int) -> Any:
        return self.xcoms[key, task_ids, map_indexes]


def memory(ti: Any = None, store: Store | None = None) -> AskMemory:
    context: Any = {"ti": ti or TaskInstance(), "task_state_store": store}
    return AskMemory(context)


@pytest.mark.parametrize("map_index", [-1, 3])
def test_a_resumed_task_loads_the_ask_that_it_saved(map_index: int) -> None:
    ti = TaskInstance(map_index=map_index)
    memory(ti).save(ASK)

    assert memory(ti).load() == ASK


def test_the_next_try_knows_the_ask_of_the_earlier_one() -> None:
    store = Store()
    memory(store=store).save(ASK)

    assert memory(TaskInstance(try_number=2), store).earlier() == ASK


@pytest.mark.parametrize("store", [None, Store(), Store(broken=True)], ids=["none", "empty", "broken"])
def test_a_store_that_knows_nothing_gives_no_earlier_ask(store: Store | None) -> None:
    assert memory(store=store).earlier() is None


def test_a_broken_store_does_not_keep_the_ask_from_the_resumed_task(caplog: pytest.LogCaptureFixture) -> None:
    ti = TaskInstance()
    memory(ti, Store(broken=True)).save(ASK)

    assert memory(ti).load() == ASK
    assert "the API server is down" in caplog.text


def test_a_retry_keeps_the_time_at_which_the_earlier_try_has_asked() -> None:
    store, hook = Store(), SimpleNamespace()
    memory(store=store).save(ASK)
    retry: Any = memory(TaskInstance(try_number=2), store)

    assert retry.asked_at(hook, {"message_id": 7, "chat_id": 2}) == 1_800_000_000.5


@pytest.mark.usefixtures("impatient")
def test_a_retry_without_a_store_reads_the_time_from_the_chat(crowd: Crowd, hook: Bitrix24Hook) -> None:
    sent = hook.polls.send(chat_id=crowd.chat, question="Deploy?", answers=["Yes", "No"])
    crowd.portal.requests.clear()

    asked_at = memory(TaskInstance(try_number=2)).asked_at(hook, sent)

    assert asked_at == pytest.approx(time.time(), abs=60)
    assert crowd.portal.requests.count("im.dialog.messages.get") == 1


def test_a_first_try_asks_now_and_reads_nothing() -> None:
    hook: Any = SimpleNamespace()

    assert memory().asked_at(hook, {"message_id": 8, "chat_id": 2}) == pytest.approx(time.time(), abs=60)

"""What the tries of a task know of its ask."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.asks.ask import Ask
from airflow_provider_b24.operators.ask_memory import AskMemory

if TYPE_CHECKING:
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from tests.support.crowd import Crowd

PORTAL = "https://acme.bitrix24.com"
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

    def set(self, key: str, value: Any, *, retention: Any) -> None:
        assert retention.days == 31
        self._check()
        self.values[key] = value

    def _check(self) -> None:
        if self.broken:
            raise RuntimeError("the API server is down")


class TaskInstance(SimpleNamespace):
    """A task instance with its XComs."""

    def __init__(self, *, try_number: int = 1, map_index: int = -1, max_tries: int = 2) -> None:
        super().__init__(
            task_id="ask", try_number=try_number, map_index=map_index, max_tries=max_tries, xcoms={}
        )

    def xcom_push(self, *, key: str, value: Any) -> None:
        self.xcoms[key, self.task_id, self.map_index] = value

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int) -> Any:
        return self.xcoms[key, task_ids, map_indexes]


def memory(ti: Any = None, store: Store | None = None, *, portal: str = PORTAL) -> AskMemory:
    context: Any = {"ti": ti or TaskInstance(), "task_state_store": store}
    return AskMemory(context, portal=portal)


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


def test_an_ask_that_another_version_wrote_is_unknown() -> None:
    store = Store()
    memory(store=store).save(ASK)
    (stored,) = store.values.values()
    stored["ask"]["mood"] = "good"

    assert memory(store=store).earlier() is None


def test_an_ask_of_another_portal_is_not_the_earlier_one() -> None:
    store = Store()
    memory(store=store).save(ASK)

    assert memory(store=store, portal="https://b.bitrix24.com").earlier() is None


@pytest.mark.parametrize(
    "event",
    [
        {"status": "decided", "seen": [3]},
        {"chosen_options": ["Yes"], "responded_by_user": {"id": "1", "name": "Ann"}, "timedout": False},
    ],
    ids=["in the chat", "in Airflow"],
)
def test_a_decision_is_known_to_the_next_try(event: dict[str, Any]) -> None:
    store = Store()
    # Airflow's own event has a moment, too, which is no JSON value.
    memory(store=store).save_event(ASK, event | {"responded_at": datetime.now(UTC)})

    assert memory(TaskInstance(try_number=2), store).event(ASK) == event
    assert memory(store=store).event(replace(ASK, message_id=8)) is None
    json.dumps(store.values)


@pytest.mark.parametrize("status", ["timeout", "impossible"])
def test_what_may_change_until_the_next_try_is_not_remembered(status: str) -> None:
    store = Store()
    memory(store=store).save_event(ASK, {"status": status})

    assert memory(store=store).event(ASK) is None


def test_a_notifier_that_has_told_does_not_tell_again() -> None:
    store = Store()
    memory(store=store).save_notified(ASK, 1)
    retry = memory(TaskInstance(try_number=2), store)

    assert [retry.should_notify(ASK, number) for number in range(2)] == [False, True]
    assert retry.should_notify(replace(ASK, message_id=8), 0)


@pytest.mark.parametrize("try_number", [1, 2])
def test_without_a_store_the_first_try_tells(try_number: int) -> None:
    assert memory(TaskInstance(try_number=try_number)).should_notify(ASK, 0) is (try_number == 1)


def test_which_closed_poll_the_newest_follows_is_forgotten_after_a_clear() -> None:
    store = Store()
    memory(store=store).save_after(7)

    assert memory(TaskInstance(try_number=3), store).after() == 7
    assert memory(TaskInstance(try_number=3, max_tries=5), store).after() is None
    assert memory(store=store, portal="https://b.bitrix24.com").after() is None

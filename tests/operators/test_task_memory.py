"""The one door to the task state store: what it reads, and what it makes of anything else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.asks.ask import Ask
from airflow_provider_b24.exceptions import Bitrix24StateError
from airflow_provider_b24.operators.ask_memory import AskMemory
from airflow_provider_b24.operators.idempotency import send_poll_once
from airflow_provider_b24.operators.message_memory import MessageMemory
from airflow_provider_b24.operators.task_memory import VERSION, TaskMemory
from tests.support.mutations import VALUES as OTHER_VALUES
from tests.support.mutations import mutated, paths_in

from .test_ask_memory import ASK
from .test_idempotency import Store

FIELDS = {"name": str, "size": (int, type(None))}
PORTAL = "https://acme.bitrix24.com"
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def context(store: Any, *, number: int = 1, clears: int = 3) -> Any:
    ti = SimpleNamespace(
        dag_id="d",
        task_id="t",
        run_id="r",
        map_index=-1,
        try_number=number,
        max_tries=clears,
        xcom_push=lambda **_: None,
    )
    return {"ti": ti, "task_state_store": store}


def memory(store: Any, *target: Any, **tried: int) -> TaskMemory:
    return TaskMemory(context(store, **tried), "thing", target, fields=FIELDS)


def test_a_later_try_reads_what_an_earlier_one_has_written() -> None:
    store = Store()
    memory(store).write({"name": "x", "size": None})
    found = memory(store, number=2).read()
    assert found
    assert found.pop("check")
    assert found == {"version": VERSION, "clears": 3, "name": "x", "size": None}
    assert store.retention is not None
    assert store.retention.days == 31


def test_another_target_has_a_value_of_its_own() -> None:
    store = Store()
    memory(store, "portal", 1).write({"name": "x", "size": 1})
    assert memory(store, "portal", 2).read() is None
    assert memory(store, "portal", 1).read() is not None


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ("text", "it is no mapping"),
        ({"version": 1}, "another version"),
        ({"version": 99}, "another version"),
        ({"version": None}, "another version"),
        ({"clears": "3"}, "clears"),
        ({"name": 5}, "name"),
        ({"size": "5"}, "size"),
        ({"size": True}, "size"),
        ({"size": 2}, "it was changed"),
        ({"check": None}, "it was changed"),
        ({"new": 1}, "it was changed"),
    ],
)
def test_what_can_not_be_read_is_a_typed_error_and_counts_as_unknown(changed: Any, problem: str) -> None:
    store = Store()
    memory(store).write({"name": "x", "size": 1})
    (key,) = store.values
    store.values[key] = {**store.values[key], **changed} if isinstance(changed, dict) else changed
    with pytest.raises(Bitrix24StateError, match=problem):
        memory(store).read()
    assert memory(store).recall().is_known is False


@pytest.mark.parametrize(("number", "is_known"), [(1, True), (2, False)])
@pytest.mark.parametrize("state", ["none", "empty", "down"])
def test_no_memory_of_an_earlier_try_does_not_say_that_nothing_happened(
    state: str, number: int, *, is_known: bool
) -> None:
    store = None if state == "none" else Store()
    if state == "down":
        assert store
        store.is_down = True
    assert memory(store, number=number).recall().is_known is is_known


def test_a_store_that_is_down_is_a_typed_error() -> None:
    store = Store()
    store.is_down = True
    with pytest.raises(Bitrix24StateError, match="does not answer: RuntimeError: the API server is away"):
        memory(store).read()
    with pytest.raises(Bitrix24StateError, match="does not take a value"):
        memory(store).write({"name": "x", "size": 1})
    assert memory(store).save({"name": "x", "size": 1}) is False


# Whatever the store returns, the users of the memory stay right


def stored(use: Any) -> Store:
    store = Store()
    use(store)
    return store


def use_poll(store: Any, number: int = 1) -> list[tuple[str, bool]]:
    sent: list[tuple[str, bool]] = []

    def send(template_id: str, may_have_sent: bool) -> dict[str, int]:
        sent.append((template_id, may_have_sent))
        return {"message_id": 7}

    send_poll_once(context(store, number=number), send, portal=PORTAL, chat_id=5)
    return sent


def use_ask(store: Any, number: int = 1) -> None:
    kept = AskMemory(context(store, number=number), portal=PORTAL)
    assert isinstance(kept.earlier(), Ask | None)
    assert isinstance(kept.should_notify(ASK, 0), bool)
    assert isinstance(kept.event(ASK), dict | None)
    assert isinstance(kept.after(), int | None)
    kept.save(ASK)
    kept.save_after(5)
    kept.save_event(ASK, {"status": "decided", "seen": [1]})
    kept.save_notified(ASK, 1)


def use_message(store: Any, number: int = 1) -> MessageMemory:
    kept = MessageMemory(context(store, number=number), PORTAL, 5, "text")
    kept.begin(template_id="t", at=1.0)
    return kept


def replaced(store: Store, value: Any) -> Store:
    other = Store()
    other.values = dict.fromkeys(store.values, value)
    return other


@given(VALUES)
def test_garbage_in_the_store_raises_nothing_and_counts_as_unknown(value: Any) -> None:
    ((template_id, may_have_sent),) = use_poll(replaced(stored(use_poll), value), 2)
    assert len(template_id) == 36
    assert may_have_sent
    use_ask(replaced(stored(use_ask), value), 2)
    kept = MessageMemory(context(replaced(stored(use_message), value), number=2), PORTAL, 5, "text")
    assert kept.may_have_posted
    assert kept.result is None


@pytest.mark.parametrize("use", [use_poll, use_ask, use_message])
def test_a_value_that_is_changed_anywhere_raises_nothing(use: Any) -> None:
    whole = stored(use).values
    for key, value in whole.items():
        for path in paths_in(value):
            for other in OTHER_VALUES:
                store = Store()
                store.values = {**whole, key: mutated(value, path, other)}
                use(store, 2)

"""What a task remembers of its message, over its tries."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_b24.operators.message_memory import MessageMemory


class Store:
    """Airflow's task state store, in memory."""

    def __init__(self, *, broken: bool = False) -> None:
        self.values: dict[str, Any] = {}
        self.broken = broken

    def get(self, key: str) -> Any:
        if self.broken:
            raise RuntimeError("the API server is down")
        return self.values.get(key)

    def set(self, key: str, value: Any, *, retention: Any) -> None:
        assert retention.days == 31
        if self.broken:
            raise RuntimeError("the API server is down")
        self.values[key] = value


def memory(store: Store | None, *what: Any, try_number: int = 1, max_tries: int = 2) -> MessageMemory:
    ti = SimpleNamespace(try_number=try_number, max_tries=max_tries)
    context: Any = {"ti": ti, "task_state_store": store}
    return MessageMemory(context, *(what or ("chat", "text")))


def test_a_retry_returns_what_an_earlier_try_has_posted() -> None:
    store = Store()
    memory(store).begin(since=5)
    memory(store).end({"message_id": 7})

    assert memory(store, try_number=2).result == {"message_id": 7}


def test_a_try_that_died_while_it_posted_may_have_posted() -> None:
    store = Store()
    memory(store).begin(since=5)
    retry = memory(store, try_number=2)

    assert (retry.may_have_posted, retry.result, retry.fields["since"]) == (True, None, 5)


def test_what_was_certainly_not_posted_is_forgotten() -> None:
    store = Store()
    first = memory(store)
    first.begin(since=5)
    first.forget()

    assert memory(store, try_number=2).may_have_posted is False


def test_another_message_is_a_new_one() -> None:
    store = Store()
    memory(store, "chat", "one").begin(since=5)

    assert memory(store, "chat", "two").fields == {}


def test_a_cleared_task_posts_again() -> None:
    store = Store()
    memory(store).end({"message_id": 7})

    assert memory(store, max_tries=5).result is None


def test_a_store_that_does_not_answer_stops_no_message(caplog: pytest.LogCaptureFixture) -> None:
    kept = memory(Store(broken=True))
    kept.begin(since=5)
    kept.end({"message_id": 7})

    assert "It is not known what earlier tries did" in caplog.text
    assert "A later try will not know what this one did" in caplog.text


@pytest.mark.parametrize(("try_number", "doubtful"), [(1, False), (2, True)])
def test_a_retry_that_the_store_does_not_answer_may_have_posted(*, try_number: int, doubtful: bool) -> None:
    kept = memory(Store(broken=True), try_number=try_number)

    assert kept.may_have_posted is doubtful
    # What it keeps from here on does not say when the first try began.
    assert kept.is_kept is not doubtful


@pytest.mark.parametrize(("try_number", "doubtful"), [(1, False), (2, True)])
def test_without_a_store_a_retry_does_not_know(*, try_number: int, doubtful: bool) -> None:
    kept = memory(None, try_number=try_number)
    kept.begin(since=5)
    kept.forget()

    assert kept.is_kept is False
    assert memory(None, try_number=try_number).may_have_posted is doubtful

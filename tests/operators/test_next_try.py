"""Whether Airflow tries a task again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24PollTiedError, Bitrix24ServerError
from airflow_provider_b24.operators.next_try import will_retry

ERROR = Bitrix24ServerError("the portal is down")


def context(try_number: int, max_tries: int, policy: Any = None) -> Any:
    ti = SimpleNamespace(try_number=try_number, max_tries=max_tries)
    return {"ti": ti, "task": SimpleNamespace(retry_policy=policy)}


class Policy:
    """A retry policy that answers, or fails to."""

    def __init__(self, action: str | None) -> None:
        self._action = action

    def evaluate(self, **_: Any) -> Any:
        if self._action is None:
            raise RuntimeError("a policy of the user")
        return SimpleNamespace(action=SimpleNamespace(value=self._action))


@pytest.mark.parametrize(
    ("try_number", "max_tries", "expected"), [(1, 0, False), (1, 1, True), (2, 1, False), (3, 3, True)]
)
def test_a_try_is_followed_by_another_up_to_the_last(try_number: int, max_tries: int, expected: bool) -> None:
    assert will_retry(context(try_number, max_tries), ERROR) is expected


def test_an_error_that_fails_the_task_at_once_is_not_retried() -> None:
    assert will_retry(context(1, 3), Bitrix24PollTiedError("tied")) is False


@pytest.mark.parametrize(("action", "expected"), [("fail", False), ("retry", True), (None, True)])
def test_the_retry_policy_may_end_it_and_is_ignored_when_it_fails(action: str | None, expected: bool) -> None:
    assert will_retry(context(1, 3, Policy(action)), ERROR) is expected


def test_the_retry_policy_can_not_add_a_try() -> None:
    assert will_retry(context(2, 1, Policy("retry")), ERROR) is False


def test_a_task_instance_without_numbers_is_not_retried() -> None:
    assert will_retry({"ti": SimpleNamespace(), "task": SimpleNamespace()}, ERROR) is False  # type: ignore[typeddict-item]

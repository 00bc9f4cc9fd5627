"""What all operators share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_b24.operators.base import Bitrix24BaseOperator
from airflow_provider_b24.operators.task_memory import is_retry


def test_the_hook_is_made_once_and_only_when_it_is_needed() -> None:
    operator = Bitrix24BaseOperator(task_id="t", bitrix24_conn_id="nowhere")

    assert operator.hook is operator.hook
    assert operator.hook.bitrix24_conn_id == "nowhere"


def test_the_default_connection_equals_the_hooks_default() -> None:
    assert Bitrix24BaseOperator(task_id="t").bitrix24_conn_id == "bitrix24_default"


@pytest.mark.parametrize(
    ("try_number", "expected"), [(None, False), (0, False), (1, False), (2, True), (7, True)]
)
def test_is_retry_depends_on_the_try_number(try_number: Any, expected: bool) -> None:
    assert is_retry({"ti": SimpleNamespace(try_number=try_number)}) is expected  # type: ignore[typeddict-item]

"""The page on limits, run, and held to the code."""

from __future__ import annotations

import pathlib
import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24 import exceptions
from airflow_provider_b24.exceptions import Outcome
from airflow_provider_b24.rest import idempotency as methods
from airflow_provider_b24.rest.batch import MAX_BATCH_COMMANDS, MAX_PARALLEL_REQUESTS
from airflow_provider_b24.rest.error_codes import ERROR_CODES
from airflow_provider_b24.rest.idempotency import is_idempotent
from airflow_provider_b24.rest.rate_limit import PLANS
from airflow_provider_b24.rest.retry import RetryPolicy
from tests.support.snippets import run_snippets

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

PAGE = pathlib.Path(__file__).parents[2].joinpath("docs", "limits.md").read_text(encoding="utf-8")


def test_the_page_s_snippets_run(
    portal: Emulator, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(
        "airflow_provider_b24.retry_policy",
        reason="retry policies came with Airflow 3.3",
        exc_type=ImportError,
    )
    monkeypatch.setattr(methods, "IDEMPOTENT", dict(methods.IDEMPOTENT))
    left = run_snippets("limits.md")

    assert len(left["done"]) == 200
    assert left["names"]
    assert is_idempotent("crm.deal.update", {})
    assert run_dag(left["dag"]).state == "success"


def test_every_error_on_the_page_exists() -> None:
    names = set(re.findall(r"Bitrix24\w+Error", PAGE))

    assert names
    assert [name for name in names if not hasattr(exceptions, name)] == []


def test_the_figures_on_the_page_equal_the_code() -> None:
    policy = RetryPolicy()

    assert f"up to {policy.max_attempts - 1} times" in PAGE
    limit = (
        f"{policy.max_rate_limit_attempts - 1} times with pauses of {policy.max_rate_limit_delay:.0f} seconds"
    )
    assert f"up to {limit}" in PAGE
    assert policy.max_reset_wait == 120
    assert "within two minutes" in PAGE
    assert (MAX_BATCH_COMMANDS, MAX_PARALLEL_REQUESTS) == (50, 4)
    assert all(f"`{name}`" in PAGE for name in PLANS)
    not_executed = [row.code for row in ERROR_CODES if row.executed is Outcome.NOT_EXECUTED]
    assert len(not_executed) == 4
    assert all(re.search(f"`{code}`", PAGE, re.IGNORECASE) for code in not_executed)

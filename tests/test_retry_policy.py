"""Airflow retries what may pass, when it may pass, and fails the rest at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24 import exceptions as e

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

sdk = pytest.importorskip("airflow.sdk", reason="Airflow 3 has it")

pytestmark = pytest.mark.slow
if not hasattr(sdk, "RetryPolicy"):
    pytest.skip("retry policies came with Airflow 3.3", allow_module_level=True)

from airflow.sdk import DAG, RetryAction  # noqa: E402

from airflow_provider_b24.operators.rest import Bitrix24CallOperator  # noqa: E402
from airflow_provider_b24.retry_policy import Bitrix24RetryPolicy  # noqa: E402

NOW = 1_800_000_000.0
POLICY = Bitrix24RetryPolicy(clock=lambda: NOW)


def decide(error: BaseException) -> Any:
    return POLICY.evaluate(error, 1, 3)


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (e.Bitrix24ValidationError("chat_id", "must be a number"), RetryAction.FAIL),
        (e.Bitrix24ConfigurationError("no host", field="host"), RetryAction.FAIL),
        (e.Bitrix24AuthError(outcome="refused"), RetryAction.FAIL),
        (e.Bitrix24ExpiredTokenError(outcome="not executed"), RetryAction.FAIL),
        (e.Bitrix24TokenRefreshError(), RetryAction.FAIL),
        (e.Bitrix24OverloadError(outcome="not executed"), RetryAction.FAIL),
        (e.Bitrix24PortalMovedError(outcome="refused"), RetryAction.FAIL),
        (e.Bitrix24AccessDeniedError(outcome="refused"), RetryAction.FAIL),
        (e.Bitrix24PollNotFoundError(outcome="refused"), RetryAction.FAIL),
        (e.Bitrix24ApiError(outcome="refused"), RetryAction.FAIL),
        (e.Bitrix24RateLimitError(outcome="not executed"), RetryAction.RETRY),
        (e.Bitrix24OperatingLimitError(outcome="not executed"), RetryAction.RETRY),
        (e.Bitrix24NoAnswerError(outcome="unknown"), RetryAction.DEFAULT),
        (e.Bitrix24UnreachableError(outcome="not executed"), RetryAction.DEFAULT),
        (e.Bitrix24ServerError(outcome="unknown"), RetryAction.DEFAULT),
        (e.Bitrix24PollRejectedError(outcome="unknown"), RetryAction.DEFAULT),
        (e.Bitrix24LimitError(outcome="not executed"), RetryAction.DEFAULT),
        (RuntimeError("the task's own"), RetryAction.DEFAULT),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_type_has_its_retry_action(error: BaseException, action: RetryAction) -> None:
    assert decide(error).action is action


@pytest.mark.parametrize(
    ("reset_at", "seconds"),
    [(NOW + 100, 100.0), (NOW + 0.5, 0.5), (NOW, 600.0), (NOW - 5, 600.0), (1e300, 3600.0), (None, 600.0)],
    ids=str,
)
def test_the_delay_after_an_operating_limit_lasts_until_its_reset(
    reset_at: float | None, seconds: float
) -> None:
    delay = decide(e.Bitrix24OperatingLimitError(reset_at=reset_at)).retry_delay

    assert timedelta(seconds=seconds) <= delay <= timedelta(seconds=seconds * 1.1)


def test_the_delay_has_jitter() -> None:
    assert len({decide(e.Bitrix24RateLimitError()).retry_delay for _ in range(10)}) > 1


def run(run_dag: Callable[..., Any], method: str, **options: Any) -> Any:
    with DAG("a_call", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        Bitrix24CallOperator(
            task_id="call", method=method, retries=3, retry_policy=Bitrix24RetryPolicy(), **options
        )
    (call,) = run_dag(dag).get_task_instances()
    return call


def test_airflow_fails_a_refused_call_at_once(run_dag: Callable[..., Any], portal: Emulator) -> None:
    call = run(run_dag, "no.such.method", retry_delay=timedelta(seconds=0))

    assert (call.state, call.try_number) == ("failed", 1)
    assert portal.requests.count("no.such.method") == 1


def test_airflow_retries_a_call_that_had_no_answer(
    run_dag: Callable[..., Any], portal: Emulator, impatient: None
) -> None:
    portal.faults.add("status_502", times=5)
    call = run(run_dag, "user.current", retry_delay=timedelta(seconds=0))

    assert (call.state, call.try_number) == ("success", 2)

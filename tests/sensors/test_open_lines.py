"""The sensor waits until a connector works, and no longer."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException
from airflow.sdk import DAG

from airflow_provider_b24.exceptions import (
    Bitrix24AuthTypeError,
    Bitrix24ConnectorError,
    Bitrix24LineNotFoundError,
    Bitrix24ValidationError,
)
from airflow_provider_b24.sensors.open_lines import Bitrix24ConnectorStatusSensor
from tests.support.dag_runs import xcom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.usefixtures("impatient")

STATUS = "imconnector.status"


def sensor(application: str, **options: Any) -> Bitrix24ConnectorStatusSensor:
    given = {"connector": "shop", "line": 12, "poke_interval": 0.01, "timeout": 20, **options}
    return Bitrix24ConnectorStatusSensor(task_id="wait", bitrix24_conn_id=application, **given)


@pytest.fixture
def after_reads(portal: Emulator) -> Iterator[Callable[[int, Callable[[], object]], None]]:
    """Do something once the status was read so many times."""
    threads = []
    is_over = threading.Event()

    def watch(reads: int, action: Callable[[], object]) -> None:
        while portal.requests.count(STATUS) < reads and not is_over.is_set():
            time.sleep(0.005)
        if not is_over.is_set():
            action()

    def start(reads: int, action: Callable[[], object]) -> None:
        threads.append(threading.Thread(target=watch, args=(reads, action), daemon=True))
        threads[-1].start()

    yield start
    is_over.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_an_active_connector_is_returned_at_once(
    portal: Emulator, application: str, run_dag: Callable[..., Any], mode: str
) -> None:
    portal.lines.install_connector("shop", 12)
    with DAG(f"wait_{mode}", schedule=None) as dag:
        sensor(application, line="Support", mode=mode)
    run = run_dag(dag)
    assert run.state == "success"
    assert xcom(run, "wait") == {
        "connector": "shop",
        "line": "Support",
        "active": True,
        "configured": True,
        "error": False,
    }
    assert portal.requests.count(STATUS) == 1


def test_a_connector_is_waited_for(
    portal: Emulator, application: str, after_reads: Callable[..., None], run_dag: Callable[..., Any]
) -> None:
    after_reads(2, lambda: portal.lines.install_connector("shop", 12))
    with DAG("wait_later", schedule=None) as dag:
        sensor(application)
    assert run_dag(dag).state == "success"
    assert portal.requests.count(STATUS) >= 3


def test_a_connector_with_an_error_that_recovers_is_waited_for(
    portal: Emulator, application: str, after_reads: Callable[..., None]
) -> None:
    portal.lines.install_connector("shop", 12)
    portal.lines.connectors.status("shop", 12).error = True
    after_reads(2, lambda: portal.lines.connectors.activate("shop", 12))
    found = sensor(application, error_timeout=20).execute({})
    assert found["active"] is True


def test_a_connector_with_an_error_that_stays_fails_after_its_time(
    portal: Emulator, application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.lines.install_connector("shop", 12)
    portal.lines.connectors.status("shop", 12).error = True
    wait, waited = sensor(application, error_timeout=60), iter([0.0, 59.9, 60.0])
    monkeypatch.setattr(wait, "_waited", lambda _: next(waited))
    with pytest.raises(Bitrix24ConnectorError, match="flagged as broken on line 12") as caught:
        wait.execute({})
    assert "Bitrix24SetUpConnectorOperator" in str(caught.value)
    assert portal.requests.count(STATUS) == 3


class Airflow3:
    """A task instance that is asked when it was first rescheduled."""

    def __init__(self, first: datetime | None) -> None:
        self.first = first

    def get_first_reschedule_date(self, _: Any) -> datetime | None:
        return self.first


class Airflow2:
    """A task instance whose start is that of its first process."""

    def __init__(self, first: datetime | None) -> None:
        self.start_date = first


@pytest.mark.parametrize("kind", [Airflow3, Airflow2])
def test_a_rescheduled_sensor_counts_from_its_first_start(
    portal: Emulator, application: str, kind: Any
) -> None:
    portal.lines.install_connector("shop", 12)
    portal.lines.connectors.status("shop", 12).error = True
    wait, now = sensor(application, mode="reschedule", error_timeout=600), datetime.now(UTC)

    def poke(first: datetime | None) -> bool:
        context: Any = {"ti": kind(first)}
        return bool(wait.poke(context).is_done)

    assert poke(None) is False
    assert poke(now) is False
    with pytest.raises(Bitrix24ConnectorError):
        poke(now - timedelta(seconds=601))


def test_the_timeout_is_airflow_s_own(portal: Emulator, application: str) -> None:
    with pytest.raises(AirflowSensorTimeout):
        sensor(application, timeout=0.05).execute({})


@pytest.mark.parametrize("option", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("cause", ["timeout", "error", "line"])
def test_the_task_is_skipped_wherever_it_would_fail(
    portal: Emulator, application: str, option: str, cause: str
) -> None:
    options: dict[str, Any] = {option: True}
    if cause == "timeout":
        options["timeout"] = 0.05
    elif cause == "line":
        options["line"] = "Sales"
    else:
        portal.lines.install_connector("shop", 12)
        portal.lines.connectors.status("shop", 12).error = True
        options["error_timeout"] = 0
    with pytest.raises(AirflowSkipException):
        sensor(application, **options).execute({})


@pytest.mark.parametrize("kind", ["status_502", "drop_before", "html"])
def test_a_portal_that_is_down_is_waited_for(portal: Emulator, application: str, kind: str) -> None:
    portal.lines.install_connector("shop", 12)
    portal.faults.add(kind, method=STATUS, times=12)
    assert sensor(application).execute({})["active"] is True


def test_a_portal_over_its_limit_is_waited_for(
    portal: Emulator, application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.lines.install_connector("shop", 12)
    portal.faults.add("status_503_limit", method=STATUS, times=12)
    fields = portal.connection(auth="oauth")
    # With the limit of a plan, each refusal would slow the calls down.
    fields["extra"]["plan"] = "self_hosted"
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_APP", json.dumps(fields))
    assert sensor(application).execute({})["active"] is True
    assert portal.requests.count(STATUS) >= 13


def test_what_no_wait_can_change_fails_at_once(portal: Emulator, application: str) -> None:
    with pytest.raises(Bitrix24LineNotFoundError):
        sensor(application, line="Sales").execute({})
    with pytest.raises(Bitrix24AuthTypeError):
        sensor("bitrix24_default").execute({})
    assert portal.requests.count(STATUS) == 1


@pytest.mark.parametrize("value", [-1, "soon", None, True])
def test_an_error_timeout_that_is_no_number_of_seconds_is_refused(value: Any) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        sensor("bitrix24_app", error_timeout=value)
    assert caught.value.path == "error_timeout"


def test_a_connector_that_can_not_be_is_refused_while_the_dag_is_parsed() -> None:
    with pytest.raises(Bitrix24ValidationError):
        sensor("bitrix24_app", connector="a.b")

"""An Airflow of its own for the tests, made before anything imports airflow."""

from __future__ import annotations

import base64
import gc
import os
import pathlib
import signal
import tempfile
from typing import TYPE_CHECKING, Any

_HOME = pathlib.Path(tempfile.mkdtemp(prefix="airflow-home-"))
(_HOME / "dags").mkdir()
os.environ.update(
    {
        "AIRFLOW_HOME": str(_HOME),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__CORE__DAGS_FOLDER": str(_HOME / "dags"),
        # Else every process makes its own, and none can read what another has encrypted.
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME}/airflow.db",
    }
)

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

# Airflow keeps so many objects that the default takes a tenth of the time to look at them again.
gc.set_threshold(200_000, 50, 100)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background jobs ignore Ctrl-C, and the tests that press it would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
# A busy machine is no reason to fail.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from tests.support.crowd import Crowd
    from tests.support.redis_server import RedisServer


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs Redis where it is not installed; one skipped test says so."""
    from tests.support.redis_server import is_installed, needs_redis

    if not is_installed():
        config.hook.pytest_deselected(items=[item for item in items if needs_redis(item)])
        items[:] = [item for item in items if not needs_redis(item)]


@pytest.fixture(autouse=True)
def state_directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Keep each test's buckets and locks apart."""
    path = tmp_path / "bitrix24-state"
    monkeypatch.setenv("BITRIX24_STATE_DIR", str(path))
    return path


@pytest.fixture(autouse=True)
def anonymity_variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Keep apart what tests find out about portals: an address may come again."""
    from airflow_provider_b24.polls import anonymity_memory

    kept: dict[str, str] = {}
    monkeypatch.setattr(anonymity_memory, "read_variable", kept.get)
    monkeypatch.setattr(anonymity_memory, "write_variable", kept.__setitem__)
    return kept


@pytest.fixture
def portal(bitrix24_connection: Emulator) -> Emulator:
    """A fresh emulator that the connection ``bitrix24_default`` leads to, as a webhook."""
    return bitrix24_connection


@pytest.fixture
def hook(portal: Emulator) -> Bitrix24Hook:
    """A hook for the fresh emulator, as a webhook."""
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

    return Bitrix24Hook()


@pytest.fixture
def application(portal: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a connection that leads to the fresh emulator as an OAuth application."""
    import json

    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_APP", json.dumps(portal.connection(auth="oauth")))
    return "bitrix24_app"


@pytest.fixture(scope="session")
def airflow_database(bitrix24_airflow_database: None) -> None:
    """Airflow's tables, made once."""


@pytest.fixture
def run_dag(bitrix24_run_dag: Callable[..., Any]) -> Callable[..., Any]:
    """Run a whole DAG in this process, deferrals included, and return its DagRun."""
    return bitrix24_run_dag


@pytest.fixture
def crowd(portal: Emulator) -> Iterator[Crowd]:
    """A chat with four people who act while a task waits."""
    from tests.support.crowd import Crowd

    crowd = Crowd(portal)
    yield crowd
    crowd.close()


@pytest.fixture(scope="session")
def _running_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    from tests.support.redis_server import RedisServer

    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(_running_redis: RedisServer) -> RedisServer:
    """An empty Redis, which a test must leave running."""
    with _running_redis.client() as client:
        client.flushall()
    return _running_redis


@pytest.fixture
def shared_redis(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """An empty Redis that Airflow's configuration names."""
    from airflow_provider_b24.rest.state_url import read_state_url

    monkeypatch.setenv("AIRFLOW__BITRIX24__STATE_URL", redis_server.url)
    read_state_url.cache_clear()
    yield redis_server
    read_state_url.cache_clear()


@pytest.fixture
def no_other_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't wait for a pair that another host may be about to store."""
    from airflow_provider_b24.rest import token_refresh

    monkeypatch.setattr(token_refresh, "SAVE_SECONDS", -1000.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make clients retry as often as ever, with delays of a few milliseconds, and stops end at once."""
    from airflow_provider_b24.rest.retry import RetryPolicy

    monkeypatch.setattr(
        "airflow_provider_b24.rest.caller.RetryPolicy",
        lambda: RetryPolicy(base_delay=0.002, max_delay=0.01, max_rate_limit_delay=0.01),
    )
    monkeypatch.setattr("airflow_provider_b24.asks.closing._LAST_SECOND", 0.0)

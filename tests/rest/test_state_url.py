"""Where the URL of Redis comes from, what it may be, and that nobody sees it."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError
from airflow_provider_b24.rest import shared_state as shared_state_module
from airflow_provider_b24.rest.file_state import FileState
from airflow_provider_b24.rest.redaction import REGISTRY, Secret
from airflow_provider_b24.rest.redis_state import RedisState
from airflow_provider_b24.rest.shared_state import shared_state
from airflow_provider_b24.rest.state_url import read_state_url
from tests.support.redis_server import PASSWORD

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.slow

VARIABLE = "AIRFLOW__BITRIX24__STATE_URL"


@pytest.fixture(autouse=True)
def _read_anew() -> Iterator[None]:
    """Forget what the process has read."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    read_state_url.cache_clear()
    shared_state_module._redis_state.cache_clear()


def test_without_a_url_the_state_is_that_of_the_host() -> None:
    assert read_state_url() is None
    assert isinstance(shared_state(), FileState)


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_url_is_none(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(VARIABLE, value)

    assert read_state_url() is None


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "rediss://user:s3cretword@redis.example.com/2",
        "unix:///run/redis.sock?db=1",
        "redis://[::1]:6379",
    ],
)
def test_urls_of_redis_are_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv(VARIABLE, f" {url} ")

    assert read_state_url() == Secret(url)
    assert isinstance(shared_state(), RedisState)


@pytest.mark.parametrize(
    "url",
    [
        "s3cretword",
        "http://:s3cretword@127.0.0.1:6379",
        "redis://",
        "redis://:s3cretword@",
        "redis://:s3cretword@127.0.0.1:port",
        "redis://:s3cretword@[::1",
        "unix://",
        "redis:///s3cretword",
    ],
)
def test_other_urls_are_refused_by_the_options_name_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    monkeypatch.setenv(VARIABLE, url)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Bitrix24ConfigurationError, match=r"\[bitrix24\] state_url names no Redis") as caught:
        shared_state()

    assert caught.value.field == "state_url"
    assert "s3cretword" not in str(caught.value) + repr(caught.value) + caplog.text


def test_the_url_may_come_from_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{VARIABLE}_CMD", "echo redis://:s3cretword@127.0.0.1:6379/0")

    assert read_state_url() == Secret("redis://:s3cretword@127.0.0.1:6379/0")


def test_the_url_may_come_from_a_secrets_backend(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """In a process of its own, because Airflow makes its secrets backend once."""
    backend = tmp_path / "backend.py"
    backend.write_text(
        "from airflow.secrets.base_secrets import BaseSecretsBackend\n"
        "class Backend(BaseSecretsBackend):\n"
        "    def get_config(self, key):\n"
        "        return 'redis://:s3cretword@127.0.0.1:6379/0' if key == 'redis-url' else None\n"
    )
    script = (
        "from airflow_provider_b24.rest.state_url import read_state_url;"
        "print(read_state_url().reveal() == 'redis://:s3cretword@127.0.0.1:6379/0')"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "backend.Backend")
    monkeypatch.setenv("AIRFLOW__WORKERS__SECRETS_BACKEND", "backend.Backend")
    monkeypatch.setenv(f"{VARIABLE}_SECRET", "redis-url")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.stdout.split()[-1:] == ["True"], done.stderr


def test_a_command_that_fails_is_a_typed_error_without_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{VARIABLE}_CMD", "ls s3cretword")
    with pytest.raises(Bitrix24ConfigurationError, match="can't be read") as caught:
        read_state_url()

    assert "s3cretword" not in str(caught.value)
    assert caught.value.__context__ is None


def test_airflow_declares_the_url_as_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.configuration import conf

    assert ("bitrix24", "state_url") in conf.sensitive_config_values
    monkeypatch.setenv(VARIABLE, "redis://:s3cretword@127.0.0.1:6379/0")
    shown: Any = conf.as_dict(display_sensitive=False)
    assert shown["bitrix24"]["state_url"] == "< hidden >"


def test_url_and_password_are_redacted_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "redis://:s3cret%2Fword@127.0.0.1:6379/0"
    monkeypatch.setenv(VARIABLE, url)
    shared_state()

    for text in (url, "s3cret%2Fword", "s3cret/word"):
        assert REGISTRY.redact(f"<{text}>") == "<***>"


def test_a_password_among_the_options_is_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "unix:///run/redis.sock?password=hidden-w0rd")
    shared_state()

    assert REGISTRY.redact("hidden-w0rd") == "***"


def test_without_redis_py_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "redis://:s3cretword@127.0.0.1:6379/0")
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(Bitrix24ConfigurationError, match="not installed") as caught:
        shared_state()

    assert "airflow-provider-b24[redis]" in str(caught.value)
    assert "s3cretword" not in str(caught.value)


def test_without_a_url_redis_py_is_not_imported() -> None:
    script = (
        "import sys; from airflow_provider_b24.rest.shared_state import shared_state; shared_state();"
        "print('redis' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.stdout.split()[-1:] == ["False"], done.stderr


def test_a_hook_uses_the_redis_of_the_configuration(
    hook: Bitrix24Hook,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(VARIABLE, redis_server.url)
    hook.call("profile")
    with redis_server.client() as client:
        assert len(client.keys("airflow-provider-b24:bucket:*")) == 1

    assert PASSWORD not in caplog.text
    assert redis_server.url not in caplog.text


def test_a_hook_works_while_its_redis_does_not(
    hook: Bitrix24Hook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(VARIABLE, "redis://:s3cretword@127.0.0.1:1/0")

    assert hook.call("profile")
    assert hook.call("profile")
    assert sum("state_url" in message for message in caplog.messages) == 1
    assert "s3cretword" not in caplog.text

"""The emulator in Python, as pytest fixtures and from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_b24.emulator import Emulator
from airflow_provider_b24.emulator.http import server

from .conftest import Caller

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Clock


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", ""])
def test_an_address_that_is_not_loopback_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        Emulator(host=host)


def test_ipv6_loopback_is_served() -> None:
    with Emulator(host="::1") as portal:
        assert portal.url.startswith("http://[::1]:")
        assert requests.get(portal.webhook_url + "profile").ok


def test_the_default_world_is_the_same_each_time_and_secrets_differ() -> None:
    with Emulator() as one, Emulator() as two:
        assert [user.full_name for user in one.portal.people] == [
            user.full_name for user in two.portal.people
        ]
        assert [chat.title for chat in one.portal.chats] == ["General"]
        assert one.webhook_code != two.webhook_code
        assert one.application.client_secret != two.application.client_secret
        assert one.url != two.url


def test_a_webhook_code_can_be_given(portal: Emulator) -> None:
    with Emulator(webhook_code="abc123") as mine:
        assert mine.webhook_url == f"{mine.url}/rest/1/abc123/"
        assert requests.get(mine.webhook_url + "profile").ok


def test_connections_have_the_fields_of_airflow(portal: Emulator) -> None:
    webhook, oauth = portal.connection(), portal.connection("oauth")
    assert webhook == {
        "conn_type": "bitrix24",
        "host": portal.url,
        "login": "1",
        "password": portal.webhook_code,
        "extra": {},
    }
    assert (oauth["login"], oauth["password"]) == (
        portal.application.client_id,
        portal.application.client_secret,
    )
    assert oauth["extra"] == {
        "refresh_token": portal.application.refresh_token,
        "access_token": portal.application.access_token,
        "oauth_server": portal.url,
    }
    with pytest.raises(ValueError, match="webhook or oauth"):
        portal.connection("password")


def test_vote_stop_and_resume_need_no_request(caller: Caller, portal: Emulator, clock: Clock) -> None:
    message = caller.send()["messageId"]
    portal.vote(message, user_id=2, answers=["Yes"])
    with pytest.raises(ValueError, match="already voted"):
        portal.vote(message, user_id=2, answers=["No"])
    with pytest.raises(ValueError, match="no answer 'Maybe'"):
        portal.vote(message, user_id=3, answers=["Maybe"])
    with pytest.raises(LookupError):
        portal.vote(1, user_id=2, answers=["Yes"])
    portal.stop_poll(message)
    clock.pass_by(1)
    with pytest.raises(ValueError, match="has ended"):
        portal.vote(message, user_id=3, answers=["Yes"])
    portal.resume_poll(message)
    portal.vote(message, user_id=3, answers=["Yes"])
    assert [len(poll.events) for poll in portal.polls()] == [2]


def test_starting_without_uvicorn_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match=r'pip install "airflow-provider-b24\[emulator\]"'):
        Emulator().start()
    assert "starlette" in server.NEEDS_EXTRA


def test_importing_the_package_loads_no_web_server() -> None:
    code = "import sys, airflow_provider_b24.emulator, airflow_provider_b24.emulator.pytest_plugin as p;"
    code += "print(sorted({'uvicorn', 'starlette', 'asyncio', 'requests'} & set(sys.modules)))"
    code = "import pytest, sys; before = set(sys.modules);" + code.replace(
        "set(sys.modules)", "(set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class TestFixtures:
    def test_the_emulator_fixture_answers_calls(self, bitrix24_emulator: Emulator) -> None:
        assert Caller(bitrix24_emulator).result("profile")["ID"] == "1"

    def test_the_connection_is_in_the_environment(self, bitrix24_connection: Emulator) -> None:
        connection = json.loads(os.environ["AIRFLOW_CONN_BITRIX24_DEFAULT"])
        assert connection == bitrix24_connection.connection()


class TestCommand:
    def start(self, *options: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "airflow_provider_b24.emulator", "--port", "0", *options]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_prints_addresses_serves_and_ends_cleanly(self, tmp_path: Path, number: Any) -> None:
        file = tmp_path / "connections.json"
        options = (
            "--connection-file",
            str(file),
            "--webhook-code",
            "abc",
            "--voters",
            "2",
            "--vote-every",
            "0.01",
        )
        with self.start(*options) as process:
            lines = [process.stdout.readline() for _ in range(10)]
            written = json.loads(file.read_text())
            assert requests.get(f"{written['url']}/rest/1/abc/profile").ok
            process.send_signal(number)
            assert process.wait(timeout=10) == 0
        assert f"{written['url']}/rest/1/abc/" in "".join(lines)
        exported = next(line for line in lines if line.startswith("export"))
        assert json.loads(exported.partition("=")[2].strip().strip("'")) == written["webhook"]
        assert written["oauth"]["extra"]["oauth_server"] == written["url"]
        assert file.stat().st_mode & 0o077 == 0

    def test_it_refuses_other_addresses_than_loopback(self) -> None:
        command = [sys.executable, "-m", "airflow_provider_b24.emulator", "--host", "0.0.0.0"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, "loopback only" in done.stderr) == (1, True)

"""The emulator in Python, as pytest fixtures and from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_b24.emulator import Emulator
from airflow_provider_b24.emulator.__main__ import main
from airflow_provider_b24.emulator.http import server
from airflow_provider_b24.emulator.state.portal import COLLEAGUES

from .conftest import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def test_a_second_user_gets_a_webhook_of_their_own(portal: Emulator) -> None:
    url = portal.add_webhook(3)

    assert url.startswith(f"{portal.url}/rest/3/")
    assert requests.get(url + "profile").json()["result"]["ID"] == "3"
    assert requests.get(portal.webhook_url + "profile").json()["result"]["ID"] == "1"
    assert requests.get(url.replace("/rest/3/", "/rest/1/") + "profile").status_code == 401


@pytest.mark.parametrize("user_id", [99, 7])
def test_a_webhook_of_someone_who_is_no_employee_is_refused(portal: Emulator, user_id: int) -> None:
    portal.lines.add_crm_chat("deal", 288, guest="Visitor")  # the guest is user 7

    with pytest.raises(LookupError, match=f"no employee {user_id}"):
        portal.add_webhook(user_id)


@pytest.mark.parametrize(
    ("people", "names"),
    [
        (0, []),
        (2, ["Anna Petrova", "Boris Klein"]),
        (7, [*(name for name, _ in COLLEAGUES), "Colleague 6", "Colleague 7"]),
        (["Zoe Ray", "Ivan"], ["Zoe Ray", "Ivan"]),
    ],
)
def test_the_people_of_the_portal_are_chosen(people: int | list[str], names: list[str]) -> None:
    portal = Emulator(people=people).portal

    staff = portal.people.employees()
    assert [user.full_name for user in staff] == ["Airflow Service", *names]
    assert [user.id for user in staff] == list(range(1, len(names) + 2))
    assert next(iter(portal.chats)).members == [user.id for user in staff]


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


def test_starting_without_uvicorn_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match="pip install starlette uvicorn"):
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
    @contextmanager
    def started(self, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """Start the command, and give the process with what it has printed."""
        command = [sys.executable, "-m", "airflow_provider_b24.emulator", "--port", "0", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                lines = list(iter(process.stdout.readline, "# Ctrl-C stops it.\n"))
                yield process, "".join(lines)
            finally:
                process.kill()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_prints_addresses_serves_and_ends_cleanly(self, tmp_path: Path, number: Any) -> None:
        file = tmp_path / "connections.json"
        options = ("--connection-file", str(file), "--webhook-code", "abc")
        with self.started(*options, "--voters", "2", "--vote-every", "0.01") as (process, printed):
            written = json.loads(file.read_text())
            assert requests.get(f"{written['url']}/rest/1/abc/profile").ok
            process.send_signal(number)
            assert process.wait(timeout=60) == 0
        assert f"{written['url']}/rest/1/abc/" in printed
        assert written["oauth"]["extra"]["oauth_server"] == written["url"]
        assert file.stat().st_mode & 0o077 == 0

    def test_what_it_prints_is_pasted_into_a_shell_as_two_connections(self, tmp_path: Path) -> None:
        file = tmp_path / "connections.json"
        with self.started("--connection-file", str(file), "--webhook-code", "o'clock") as (_, printed):
            script = f"{printed}env | grep ^AIRFLOW_CONN_"
            done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, env=os.environ)
        assert done.returncode == 0, done.stderr
        pasted = dict(line.split("=", 1) for line in done.stdout.splitlines())
        written = json.loads(file.read_text())
        assert {name: json.loads(value) for name, value in pasted.items()} == {
            "AIRFLOW_CONN_BITRIX24_DEFAULT": written["webhook"],
            "AIRFLOW_CONN_BITRIX24_APP": written["oauth"],
        }

    def test_people_chats_and_deals_are_set_up_and_printed(self) -> None:
        options = ("--people", "Zoe Ray, Ivan", "--chat", "Release", "--chat", "Team", "--deal", "288")
        with self.started(*options) as (_, printed):
            url = printed.split()[3].rstrip("/")
            state = requests.get(f"{url}/emulator/state").json()
        names = {user["id"]: user["name"] for user in state["users"] if not user["external"]}
        assert names == {1: "Airflow Service", 2: "Zoe Ray", 3: "Ivan"}
        chats = {chat["title"]: chat for chat in state["chats"]}
        assert chats["Release"]["members"] == chats["Team"]["members"] == [1, 2, 3]
        (talk,) = state["lines"][0]["conversations"]
        for title in ("General", "Release", "Team"):
            assert f"{title} {chats[title]['id']}" in printed
        assert f"deal 288: chat {talk['chat_id']}" in printed

    def test_a_number_of_people_is_taken(self) -> None:
        with self.started("--people", "2") as (_, printed):
            users = requests.get(f"{printed.split()[3].rstrip('/')}/emulator/users").json()
        assert [user["id"] for user in users] == [1, 2, 3]

    @pytest.mark.parametrize(
        ("option", "value"),
        [("--people", "-1"), ("--people", " , "), ("--deal", "0"), ("--deal", "x"), ("--chat", " ")],
    )
    def test_a_bad_value_is_refused_with_the_option(
        self, option: str, value: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit):
            main([f"{option}={value}"])
        assert f"argument {option}:" in capsys.readouterr().err

    def test_it_refuses_other_addresses_than_loopback(self) -> None:
        command = [sys.executable, "-m", "airflow_provider_b24.emulator", "--host", "0.0.0.0"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, "loopback only" in done.stderr) == (1, True)

"""The command itself, as a person starts it."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.get_provider_info import get_provider_info
from airflow_provider_b24.login.cli import get_cli_commands
from airflow_provider_b24.login.command import main
from airflow_provider_b24.login.options import OPTIONS, SECRET_VARIABLE, parser

from .conftest import CONN_ID, allow

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.slow

AIRFLOW = (str(Path(sys.executable).with_name("airflow")), "bitrix24", "login")
MODULE = (sys.executable, "-m", "airflow_provider_b24.login")


def options(portal: Emulator) -> list[str]:
    given = {
        "--conn-id": CONN_ID,
        "--portal": portal.url,
        "--client-id": portal.application.client_id,
        "--oauth-server": portal.url,
    }
    return [word for pair in given.items() for word in pair]


class Command:
    """A running command, with pipes for a terminal."""

    def __init__(self, *words: str) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        self.out = ""

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def address(self) -> str:
        """Return the address to open, once it is printed."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.out += line
            if found := re.search(r"http\S+/oauth/authorize/\S+", line):
                return found[0]
        raise AssertionError(f"no address in {self.out!r}: {self.process.communicate()[1]}")

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=240)
        return self.process.returncode, self.out + out, err


@pytest.mark.parametrize("words", [AIRFLOW, MODULE], ids=["airflow", "module"])
def test_the_command_stores_a_connection_and_shows_no_secret_anywhere(
    portal: Emulator, rows: Callable[[], Any], words: tuple[str, ...]
) -> None:
    command = Command(*words, *options(portal), "--secret-from-stdin")
    command.type(portal.application.client_secret)
    redirect = allow(command.address())
    seen = Path(f"/proc/{command.process.pid}/cmdline").read_bytes().decode()
    command.type(redirect)
    status, out, err = command.end()

    assert status == 0, err
    assert "user Airflow Service (id 1" in out
    application = portal.application
    assert rows()["extra"]["refresh_token"] == application.refresh_token
    code = redirect.partition("code=")[2].partition("&")[0]
    for secret in (application.client_secret, application.refresh_token, application.access_token, code):
        assert not [text for text in (out, err, seen) if secret in text]


def test_an_error_is_one_line_and_the_status_is_one(portal: Emulator, rows: Callable[[], Any]) -> None:
    command = Command(*MODULE, *options(portal), "--secret-from-stdin")
    command.type(portal.application.client_secret)
    command.address()
    command.type("https://app.example/?code=avmocpghblyi01m3h42bljvqtyd19sw1&state=forged")
    status, _, err = command.end()

    assert status == 1
    assert "The state of the redirect is not the one of this login" in err
    assert "Traceback" not in err
    assert rows() is None


def test_without_a_terminal_the_secret_is_not_asked_for(
    portal: Emulator, rows: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(options(portal)) == 1
    assert "Use --secret-from-stdin or the environment variable" in capsys.readouterr().err


def test_a_secret_among_the_arguments_is_refused_and_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--client-secret", "hunter2hunter2"], ["--client-secret=hunter2hunter2"]):
        with pytest.raises(SystemExit) as caught:
            main(words)
        shown = "".join(capsys.readouterr())
        assert caught.value.code == 2
        assert "other users of this machine can read" in shown
        assert "hunter2" not in shown


@pytest.mark.parametrize("words", [["--listen", "65536"], ["--listen", "-1"], ["--timeout", "0"]])
def test_an_impossible_number_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert words[0] in capsys.readouterr().err


def test_airflows_command_line_has_the_same_options() -> None:
    assert get_provider_info()["cli"] == [f"{get_cli_commands.__module__}.{get_cli_commands.__name__}"]
    (group,) = get_cli_commands()
    (login,) = group.subcommands
    assert {flag for arg in login.args for flag in arg.flags} == set(OPTIONS)
    module = {name for action in parser()._actions for name in action.option_strings if name != "-h"}
    assert module == {*OPTIONS, "--help"}


def test_airflow_starts_without_importing_the_login() -> None:
    script = (
        "import sys, airflow_provider_b24.login.cli as cli\n"
        "print([name for name in sys.modules if name == 'requests' or name.startswith('airflow.')"
        " or name == 'airflow_provider_b24.rest'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr

"""The demo: its world lets all examples run as they are, and Ctrl-C ends it without an error of make."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import requests

from demo.processes import Processes
from demo.stack import Airflow, free_port
from demo.world import Portal
from tests.support.dag_runs import xcom
from tests.support.examples import NAMES, load_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
CHAT = 1489


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    folder = tmp_path_factory.mktemp("demo")
    processes = Processes(logs=folder, env=os.environ)
    portal = Portal(folder=folder, processes=processes)
    try:
        portal.start(port=free_port(), vote_every=0.05)
        yield portal
    finally:
        processes.stop()


@pytest.fixture(scope="module")
def environment(world: Portal) -> dict[str, str]:
    return world.prepare()


@pytest.fixture
def trigger(
    environment: dict[str, str], run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Any]:
    """Run an example as a Trigger without a configuration does; of several DAGs in a file, the last."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return lambda name: [run_dag(once(dag)) for dag in load_all(name)][-1]


def once(dag: Any) -> Any:
    """Let a task that fails end the run at once: a retry would wait for minutes."""
    for task in dag.tasks:
        task.retries = 0
    return dag


@pytest.mark.parametrize("name", NAMES)
def test_each_example_succeeds_with_its_defaults(name: str, trigger: Callable[[str], Any]) -> None:
    run = trigger(name)

    assert {ti.task_id: ti.state for ti in run.get_task_instances() if ti.state == "failed"} == {}
    assert run.state == "success"


def test_the_tickets_are_pushed_once(trigger: Callable[[str], Any], environment: dict[str, str]) -> None:
    trigger("ticket_round_trip")

    folder = Path(environment["TICKETS"])
    assert sorted(path.name for path in folder.iterdir()) == ["1.ticket.pushed", "2.ticket.pushed"]


def test_the_service_accounts_vote_is_its_own(trigger: Callable[[str], Any], world: Portal) -> None:
    run = trigger("service_account_vote")

    asked = xcom(run, "ask")["message_id"]
    chat = next(chat for chat in world.state()["chats"] if chat["id"] == CHAT)
    assert asked in [message["id"] for message in chat["messages"]]
    assert xcom(run, "vote")["is_voted"]
    assert xcom(run, "quorum")["is_voted"] is False  # The one who asks has not voted.


def test_a_second_night_pushes_the_same_messages_again(trigger: Callable[[str], Any]) -> None:
    for _ in range(2):
        run = trigger("nightly_connector_push")

        report = xcom(run, "push")
        assert (run.state, report["accepted"], report["rejected"]) == ("success", 3, 1)


def test_the_deals_customer_is_reminded(trigger: Callable[[str], Any], world: Portal) -> None:
    trigger("deal_chat_reminder")

    (talk,) = [
        chat
        for chat in world.state()["chats"]
        if any("order 288" in message["text"] for message in chat["messages"])
    ]
    assert talk["kind"] == "lines"


class SlowApi(BaseHTTPRequestHandler):
    """Answers each kind of request only from the second time on."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.command)
        if self.asked.count(self.command) == 1:
            time.sleep(0.6)
        body = b'{"state": "success", "dag_run_id": "one"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def slow_airflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    monkeypatch.setattr("demo.stack._ANSWER_WITHIN", 0.3)
    SlowApi.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowApi) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield Airflow(url=url, processes=Processes(logs=tmp_path, env={}))
        server.shutdown()


def test_a_read_that_airflow_does_not_answer_in_time_is_sent_again(slow_airflow: Airflow) -> None:
    assert slow_airflow.run_state("dag", "one") == "success"
    assert SlowApi.asked == ["GET", "GET"]


def test_a_run_that_may_have_started_is_not_started_again(slow_airflow: Airflow) -> None:
    with pytest.raises(requests.RequestException):
        slow_airflow.run_dag("dag", {})

    assert SlowApi.asked == ["POST"]


MAKEFILE = """
demo:
\t{python} demo_like.py
"""
DEMO_LIKE = """
import signal
from demo.terminal import own_terminal

with own_terminal():
    try:
        print("ready", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        print("stopped", flush=True)
"""


def test_ctrl_c_ends_a_demo_under_make_without_an_error(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE.format(python=sys.executable))
    (tmp_path / "demo_like.py").write_text(DEMO_LIKE)
    # A shell with job control, as a person has: it gives make the terminal and takes it back.
    script = "set -m; make demo; echo status $?; read answer; echo answer $answer"
    process, terminal = in_a_terminal(["bash", "-c", script], cwd=tmp_path)
    with os.fdopen(terminal, "r+b", buffering=0) as screen:
        shown = read_until(screen, b"ready")
        screen.write(b"\x03")
        shown += read_until(screen, b"status")
        screen.write(b"yes\n")
        shown += read_until(screen, b"answer yes")
        assert process.wait(timeout=60) == 0
    assert b"stopped" in shown
    assert b"status 0" in shown
    assert b"***" not in shown


TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def in_a_terminal(command: list[str], *, cwd: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command with a terminal of its own, and return it with the terminal's other end."""
    other, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE_TERMINAL, *command],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    return process, other


def read_until(screen: Any, wanted: bytes) -> bytes:
    """Return what the terminal shows, up to the line with a word."""
    shown = b""
    while wanted not in shown or not shown.endswith(b"\n"):
        ready, _, _ = select.select([screen], [], [], 20)
        assert ready, f"{wanted!r} did not come: {shown!r}"
        shown += screen.read(1000)
    return shown

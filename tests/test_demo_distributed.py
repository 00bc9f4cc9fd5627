"""The distributed demo: what is missing is named, and a lost machine takes all its processes with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from benchmarks.evidence import leaks
from demo.distributed.binaries import Binaries
from demo.distributed.components import Components

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

#: A parent whose child opens a session of its own, as a Celery worker's task does.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def components(tmp_path: Path) -> Iterator[Components]:
    components = Components(logs=tmp_path)
    yield components
    components.stop_all(components.names())


def child_of(components: Components, folder: Path) -> int:
    components.launch("worker", [sys.executable, "-c", PARENT], env=os.environ)
    until(lambda: (folder / "worker.log").read_text().endswith("\n"))
    return int((folder / "worker.log").read_text())


def runs(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return bool(state.strip()) and not state.startswith("Z")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_killed_component_takes_a_child_with_a_session_of_its_own_with_it(
    components: Components, tmp_path: Path
) -> None:
    child = child_of(components, tmp_path)

    components.kill("worker")

    until(lambda: not runs(child))
    assert components.names() == []


def test_a_stopped_component_leaves_no_child_behind(components: Components, tmp_path: Path) -> None:
    child = child_of(components, tmp_path)

    components.stop_all(["worker"])

    until(lambda: not runs(child))


def test_a_component_that_ended_by_itself_is_named_once_and_appends_to_its_log_when_it_starts_again(
    components: Components, tmp_path: Path
) -> None:
    def start() -> None:
        components.launch("scheduler", [sys.executable, "-c", "print('here')"], env=os.environ)
        found: list[str] = []
        until(lambda: bool(found.extend(components.ended()) or found))
        assert found == ["scheduler"]

    start()
    start()

    assert (tmp_path / "scheduler.log").read_text() == "here\nhere\n"


def test_one_process_is_stopped_by_a_signal_to_it_alone(components: Components) -> None:
    components.launch("redis", [sys.executable, "-c", "import time; time.sleep(60)"], env=os.environ)

    components.stop_one("redis", signal.SIGINT)

    assert components.names() == []
    with contextlib.suppress(KeyError):
        components.kill("redis")
        pytest.fail("it was forgotten")


def test_missing_programs_are_named_with_the_command_that_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "initdb").touch(mode=0o700)

    with pytest.raises(
        RuntimeError, match=r"Not found: postgres, redis-server\..*apt-get install postgresql"
    ):
        Binaries.find([str(tmp_path)])


def test_the_newest_postgres_is_taken(tmp_path: Path) -> None:
    for version in ("9", "15", "14"):
        for name in ("initdb", "postgres", "redis-server"):
            path = tmp_path / version / "bin" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o700)

    assert Binaries.find([f"{tmp_path}/*/bin"]).postgres == str(tmp_path / "15" / "bin" / "postgres")


def test_a_secret_in_a_log_of_any_folder_is_found_and_not_repeated(tmp_path: Path) -> None:
    deep = tmp_path / "home" / "logs"
    deep.mkdir(parents=True)
    (deep / "task.log").write_text("called https://portal/rest/1/s3cr3t/user.get")
    (tmp_path / "clean.log").write_text("nothing")

    found = leaks([tmp_path], {"webhook code": "s3cr3t", "token": "other"})

    assert found == ["webhook code in task.log"]

"""The processes of a distributed Airflow, each with its descendants."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from demo.processes import Processes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_TERMINATE_SECONDS = 20.0


class Components(Processes):
    """Processes that are killed as a machine is lost: a worker's tasks open sessions of their own.

    :param logs: where the log files are; a component that starts again appends to its own.
    """

    def __init__(self, *, logs: Path) -> None:
        super().__init__(logs=logs, env={})

    def launch(self, name: str, command: Iterable[str], *, env: Mapping[str, str]) -> None:
        """Start a component in a process group of its own.

        :param name: the component's name.
        :param command: the program and its arguments.
        :param env: its whole environment.
        """
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                list(command),
                env=dict(env),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name: str) -> int:
        """Kill a component and all its descendants with SIGKILL; return its pid."""
        process = self._running.pop(name)
        family = _family(process.pid)
        _send(signal.SIGKILL, family)
        process.wait()
        return process.pid

    def stop_one(self, name: str, number: signal.Signals) -> None:
        """Stop one process by a signal to it alone, and wait for its end; kill it when it takes too long."""
        process = self._running.pop(name)
        _send(number, [process.pid])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_TERMINATE_SECONDS)
            return
        _send(signal.SIGKILL, _family(process.pid))
        process.wait()

    def ended(self) -> list[str]:
        """Return the components that have ended by themselves, and forget them."""
        names = [name for name, process in self._running.items() if process.poll() is not None]
        for name in names:
            del self._running[name]
        return names

    def names(self) -> list[str]:
        """Return the names of what was started and not stopped."""
        return list(self._running)

    def stop_all(self, names: Iterable[str]) -> None:
        """Stop components together: SIGTERM, and SIGKILL for those that take too long."""
        processes = [self._running.pop(name) for name in names if name in self._running]
        families = {process.pid: _family(process.pid) for process in processes}
        for process in processes:
            _send(signal.SIGTERM, [process.pid])
        deadline = time.monotonic() + _TERMINATE_SECONDS
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0.1))
        for process in processes:
            # A leader that has ended may leave children behind.
            alive = _family(process.pid) if process.poll() is None else []
            _send(signal.SIGKILL, {*alive, *_still(families[process.pid])})
            process.wait()


def _still(family: Mapping[int, str]) -> list[int]:
    """Return the processes that still run; a number that another process has got by now is not one."""
    return [pid for pid, started in family.items() if _started(pid) == started]


def _family(pid: int) -> dict[int, str]:
    """Return a process and its descendants, each with the time of its start."""
    table = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    children: dict[int, list[int]] = {}
    for line in table.stdout.splitlines():
        child, parent = (int(word) for word in line.split())
        children.setdefault(parent, []).append(child)
    found, waiting = {}, [pid]
    while waiting:
        one = waiting.pop()
        found[one] = _started(one)
        waiting += children.get(one, [])
    return found


def _started(pid: int) -> str:
    """Return when a process was started, in the kernel's ticks; empty when it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

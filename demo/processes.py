"""Background processes that are stopped by their own pids."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TERMINATE_SECONDS = 15.0


class Processes:
    """A set of background processes, each with a log file."""

    def __init__(self, *, logs: Path, env: Mapping[str, str]) -> None:
        self._logs = logs
        self._env = dict(env)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> None:
        """Start a process in its own process group, so that its children are stopped with it."""
        with (self._logs / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, name: str, *command: str) -> None:
        """Run a command until it ends.

        :raises RuntimeError: when it fails, with the end of its log.
        """
        self.start(name, *command)
        if self._running.pop(name).wait() != 0:
            raise RuntimeError(f"{name} failed:\n{self.tail(name)}")

    def kill(self, name: str) -> int:
        """Kill a process and its children with SIGKILL; return its pid."""
        process = self._running.pop(name)
        _signal(process, signal.SIGKILL)
        process.wait()
        return process.pid

    def terminate(self, name: str) -> None:
        """Stop one process with SIGTERM and wait for its end."""
        process = self._running.pop(name)
        _signal(process, signal.SIGTERM)
        process.wait(_TERMINATE_SECONDS * 2)

    def children(self, name: str) -> list[int]:
        """Return the pids of a process's children."""
        pid = str(self._running[name].pid)
        found = subprocess.run(["pgrep", "-P", pid], capture_output=True, text=True, check=False)
        return [int(number) for number in found.stdout.split()]

    def check(self) -> None:
        """Raise an error when a process has ended unexpectedly.

        :raises RuntimeError: with the end of its log.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended unexpectedly:\n{self.tail(name)}")

    def tail(self, name: str, lines: int = 15) -> str:
        """Return the end of a process's log."""
        text = (self._logs / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> None:
        """Stop all processes with SIGTERM, then with SIGKILL."""
        for process in self._running.values():
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + _TERMINATE_SECONDS
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0.1))
            # Children of a leader that has ended may still run.
            _signal(process, signal.SIGKILL)
            process.wait()
        self._running.clear()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)

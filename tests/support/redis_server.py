"""A Redis of its own for a test: on loopback and on a socket, without a disk, with a password."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NOT_INSTALLED = "redis-server is not installed (Debian: apt-get install redis-server)"
PASSWORD = "pass-w0rd/of+redis"
_QUOTED = "pass-w0rd%2Fof%2Bredis"
_PATIENCE = 60.0
_FIXTURES = {"_running_redis", "own_redis"}


def is_installed() -> bool:
    """Return whether a test can start a server."""
    return shutil.which("redis-server") is not None


def needs_redis(item: pytest.Item) -> bool:
    """Return whether a test starts a server, by a fixture or as the case "redis" of several."""
    fixtures = set(getattr(item, "fixturenames", ()))
    case = getattr(item, "callspec", None)
    return bool(fixtures & _FIXTURES) or (case is not None and case.params.get("make_state") == "redis")


class RedisServer:
    """A server that a test starts, stops and looks into."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self._log = folder / "redis.log"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://:{_QUOTED}@127.0.0.1:{self.port}/0"
        self.socket_url = f"unix://:{_QUOTED}@{self._socket}?db=0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = {"port": self.port, "bind": "127.0.0.1", "unixsocket": self._socket, "save": ""}
        options |= {"appendonly": "no", "requirepass": PASSWORD, "logfile": self._log}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen(["redis-server", *words], cwd=self._socket.parent)
        until = time.monotonic() + _PATIENCE
        while not self._answers():
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError(f"redis-server does not start:\n{self._log.read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill the server; what it held is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self) -> Any:
        """Return a client of its own."""
        from redis import Redis

        return Redis.from_url(self.url, socket_timeout=5, protocol=2)

    def _answers(self) -> bool:
        from redis.exceptions import RedisError

        try:
            with self.client() as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

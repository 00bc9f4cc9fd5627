"""A Redis of its own for one row: a socket in a private folder, and no disk."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

_PATIENCE = 30.0


class RedisServer:
    """A context manager that starts ``redis-server`` and stops it."""

    def __enter__(self) -> Self:
        binary = shutil.which("redis-server")
        if binary is None:
            raise SystemExit("redis-server is not installed (Debian: apt-get install redis-server)")
        self._folder = tempfile.TemporaryDirectory(prefix="bitrix24-redis-")
        socket = Path(self._folder.name) / "redis.sock"
        self.url = f"unix://{socket}?db=0"
        options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL, cwd=self._folder.name)
        until = time.monotonic() + _PATIENCE
        while not socket.exists():
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError("redis-server does not start")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

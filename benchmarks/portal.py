"""A fresh emulated portal for one contender, in its own process."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from tests.support.certificate import Certificate

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 20.0


class Portal:
    """An emulated portal in another process; a context manager.

    :param plan: ``standard``, ``enterprise`` or ``none``.
    :param certificate: with it, the portal speaks TLS.
    :param port: a port that it takes again after it was down; 0 takes a free one.
    """

    def __init__(
        self, *, plan: str = "standard", certificate: Certificate | None = None, port: int = 0
    ) -> None:
        self.plan = plan
        self._fixed_port = port
        self._pipes = threading.Lock()
        self.certificate = certificate
        self.url = ""
        self.webhook_url = ""
        self.webhook: dict[str, Any] = {}
        self.oauth: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="bitrix24-bench-")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.portal_server", "--plan", self.plan),
                *("--port", str(self._fixed_port), *self._tls()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )
        addresses = json.loads(self._read_line())
        self.url, self.webhook_url = addresses["url"], addresses["webhook_url"]
        self.webhook, self.oauth = addresses["webhook"], addresses["oauth"]
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()

    def stop(self) -> None:
        """End the portal's process."""
        with suppress(OSError):
            self._pipe(self._process.stdin).close()
        # A forked worker may still hold the other end of the pipe.
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pipe(self._process.stdout).close()

    @property
    def state(self) -> Path:
        """The state directory that the processes of one host share."""
        path = Path(self._folder.name) / "state"
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    @property
    def domain(self) -> str:
        """Host and port."""
        return self.url.partition("://")[2]

    @property
    def port(self) -> int:
        """The port alone."""
        return int(self.url.rpartition(":")[2])

    @property
    def chat_id(self) -> int:
        """A chat to which the webhook's user may write."""
        return int(self.control("GET", "chats")[0]["id"])

    def control(self, verb: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the emulator's control API; the rate limit does not count it."""
        request = urllib.request.Request(
            f"{self.url}/emulator/{path}",
            method=verb,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, context=self._context(), timeout=_PATIENCE) as reply:
            return json.load(reply)

    def requests(self, method: str | None = None) -> list[dict[str, Any]]:
        """Return the requests that arrived, of one method or of all."""
        rows: list[dict[str, Any]] = self.control("GET", "requests")
        return rows if method is None else [row for row in rows if row["method"].lower() == method.lower()]

    def messages(self) -> list[str]:
        """Return the texts of all messages in all chats."""
        return [message["text"] for chat in self.control("GET", "chats") for message in chat["messages"]]

    def polls(self) -> list[dict[str, Any]]:
        """Return all polls with their questions."""
        return list(self.control("GET", "state")["polls"])

    def add_fault(self, kind: str, **details: Any) -> None:
        """Add a fault; docs/emulator.md lists the kinds."""
        self.control("POST", "faults", {"kind": kind, **details})

    def expire_token(self) -> None:
        """Expire the application's access token."""
        self._send("expire")

    def make_polls(self, count: int) -> list[int]:
        """Post polls without a request; return their message ids."""
        return [int(number) for number in self._send(f"polls {count}")]

    def install_connector(self, connector: str) -> int:
        """Register a connector for the portal's application on its line; return the line's number."""
        return int(self._send(f"connector {connector}"))

    def scale_bucket(self, factor: int) -> None:
        """Let the bucket of requests drain faster."""
        self._send(f"scale {factor}")

    def delete(self, message_id: int) -> None:
        """Delete a message, and its poll with it, without a request."""
        self._send(f"delete {message_id}")

    def counts(self) -> dict[str, int]:
        """Return how many requests arrived, were refused, and read polls in lists or one by one."""
        return dict(self._send("counts"))

    def go_down(self) -> None:
        """Close the port; what the portal knows stays."""
        self._send("down")

    def come_up(self) -> None:
        """Open the port again."""
        self._send("up")

    def evidence(self) -> dict[str, Any]:
        """Return what an audit needs: polls, delivered messages, counts of requests, the present tokens."""
        return dict(self._send("evidence"))

    def _send(self, command: str) -> Any:
        with self._pipes:
            stdin = self._pipe(self._process.stdin)
            stdin.write(f"{command}\n")
            stdin.flush()
            return json.loads(self._read_line())

    def _tls(self) -> list[str]:
        if self.certificate is None:
            return []
        return ["--certfile", str(self.certificate.certfile), "--keyfile", str(self.certificate.keyfile)]

    def _context(self) -> ssl.SSLContext | None:
        if self.certificate is None:
            return None
        return ssl.create_default_context(cafile=str(self.certificate.certfile))

    def _read_line(self) -> str:
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise RuntimeError("the portal's process ended; its output is above")
        return str(line)

    @staticmethod
    def _pipe(pipe: Any) -> Any:
        if pipe is None:
            raise RuntimeError("the portal's process has no pipe")
        return pipe


def refused(rows: list[dict[str, Any]]) -> int:
    """Return how many requests the bucket refused."""
    return sum(row["status"] == 503 for row in rows)

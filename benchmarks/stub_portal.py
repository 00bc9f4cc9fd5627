"""``python -m benchmarks.stub_portal``: a portal that accepts every connector message and keeps nothing.

It answers at once and in the shape of the real reply, so that a measurement of the sender holds no portal.
It prints its port, and ends at the end of its input. The method ``counts`` returns what it received.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from typing import BinaryIO

_TAKEN = {
    "user": "585",
    "message": {"id": "run-1-000001", "date": [], "text": "Where is my order number 1?"},
    "chat": {"id": "order-1", "name": "Order 1"},
    "SUCCESS": True,
    "session": {"ID": "323", "CHAT_ID": "1767"},
}
_ROW = json.dumps(_TAKEN, separators=(",", ":"))
_TIME = '"time":{"start":1,"finish":1,"duration":0,"processing":0,"operating":0}'


class _Counts:
    def __init__(self) -> None:
        self.requests = 0
        self.messages = 0
        self.lock = threading.Lock()


class _Handler(socketserver.StreamRequestHandler):
    """Serves one connection until the client closes it."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        while self._answer(self.rfile):
            pass

    def _answer(self, stream: BinaryIO) -> bool:
        first = stream.readline()
        if not first:
            return False
        length = 0
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = stream.read(length)
        content = self._content(first, body)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        self.wfile.write(head.encode() + content)
        return True

    def _content(self, first: bytes, body: bytes) -> bytes:
        counts: _Counts = self.server.counts  # type: ignore[attr-defined]
        if b"/counts" in first:
            return json.dumps({"requests": counts.requests, "messages": counts.messages}).encode()
        messages = body.count(b'"chat":')
        with counts.lock:
            counts.requests += 1
            counts.messages += messages
        rows = ",".join([_ROW] * messages)
        return f'{{"result":{{"SUCCESS":true,"DATA":{{"RESULT":[{rows}]}}}},{_TIME}}}'.encode()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    counts = _Counts()


def main() -> int:
    """Serve until the input ends."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

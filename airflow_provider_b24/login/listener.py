"""Takes the redirect on this machine's loopback, as the application's own address."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24LoginError
from airflow_provider_b24.login.authorization import read_redirect

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.login.authorization import Redirect

_HOST = "127.0.0.1"
#: Seconds after which a browser's idle connection is closed.
_IDLE_SECONDS = 10.0
_DONE = "Airflow has the code. You can close this page and go back to the terminal."


class Listener:
    """A server on loopback that waits for one redirect; a context manager.

    :param port: the port; 0 chooses a free one.
    :param check: raises Bitrix24LoginError for a redirect that is not the awaited one.
    :param report: is told why a redirect was refused; the wait goes on.
    :raises Bitrix24LoginError: the port is taken.
    """

    def __init__(
        self, port: int, *, check: Callable[[Redirect], None], report: Callable[[str], None]
    ) -> None:
        self._check = check
        self._report = report
        self._found: Redirect | None = None
        self._arrived = threading.Event()
        try:
            self._server = ThreadingHTTPServer((_HOST, port), self._handler())
        except OSError as error:
            raise Bitrix24LoginError(
                f"Port {port} of {_HOST} can't be opened: {error.strerror}",
                advice="End the program that uses it, or choose another port with --listen and change the "
                "application's handler path in Bitrix24.",
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        """What the application's handler path in Bitrix24 must be."""
        return f"http://{_HOST}:{self._server.server_port}/"

    def wait(self, seconds: float) -> Redirect:
        """Return the redirect.

        :raises Bitrix24LoginError: none has come within this time.
        """
        if not self._arrived.wait(seconds) or self._found is None:
            raise Bitrix24LoginError(
                f"Bitrix24 has not redirected to {self.address} within {seconds:.0f} s",
                advice="Make it the application's handler path in Bitrix24. When Bitrix24 shows an error on "
                "its own page, install the application on this portal. When the browser is on another "
                "machine, leave --listen out and paste the address.",
            )
        return self._found

    def _take(self, path: str) -> tuple[int, str]:
        """Return the status and the text for the browser."""
        if "?" not in path:
            return 404, "There is nothing here."
        try:
            redirect = read_redirect(path)
            self._check(redirect)
        except Bitrix24LoginError as error:
            self._report(str(error))
            return 400, str(error)
        self._found = redirect
        self._arrived.set()
        return 200, _DONE

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            """Answers one request with plain text."""

            timeout = _IDLE_SECONDS

            def do_GET(self) -> None:
                status, text = take(self.path)
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Referrer-Policy", "no-referrer")
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Write nothing: the line would hold the code."""

        return Handler

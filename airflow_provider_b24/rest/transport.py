"""One HTTP request and what came back, as values: nothing here raises, decides or retries."""

from __future__ import annotations

import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from airflow_provider_b24.exceptions import Outcome
from airflow_provider_b24.rest.secrets import Secret, guard_loggers

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

#: A reply that is larger is not read to the end.
LARGEST_REPLY = 32 * 1024 * 1024
#: Servers close idle connections after 15 seconds or more; a request sent into that moment is lost
#: with its outcome unknown, so an older connection is not used again.
_IDLE_SECONDS = 10.0


@dataclass(frozen=True)
class HttpRequest:
    """A POST whose address and headers hold secrets."""

    url: Secret
    body: bytes
    headers: Mapping[str, Secret] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True)
class HttpReply:
    """A complete HTTP answer."""

    status: int
    body: bytes
    content_type: str = ""
    location: str | None = None
    disposition: str = ""


@dataclass(frozen=True)
class NoReply:
    """No complete answer came.

    :param outcome: whether the portal may have executed the request.
    :param reason: why, in plain words without addresses.
    :param repeatable: False when asking again would end the same way.
    """

    outcome: Outcome
    reason: str
    repeatable: bool = True


@dataclass(frozen=True)
class TransportOptions:
    """How to reach the portal.

    :param timeout: seconds to connect and seconds to wait for the reply.
    :param verify: True, False, or the path of a CA bundle.
    :param proxies: scheme to proxy URL, as ``requests`` takes it; may hold passwords.
    """

    timeout: tuple[float, float] = (10.0, 70.0)
    verify: bool | str = True
    proxies: Mapping[str, str] | None = field(default=None, repr=False)


class Transport(Protocol):
    """Sends a request and returns what came back."""

    def send(self, request: HttpRequest) -> HttpReply | NoReply:
        """Send one request, once."""


class RequestsTransport:
    """A transport over one keep-alive ``requests`` session.

    Redirects are never followed, cookies never kept, ``.netrc`` never read.
    """

    def __init__(self, options: TransportOptions | None = None) -> None:
        self._options = options or TransportOptions()
        self._session: requests.Session | None = None
        self._lock = threading.Lock()
        self._used_at = 0.0

    def send(self, request: HttpRequest) -> HttpReply | NoReply:
        """Send one request, once."""
        import requests

        try:
            return self._send(request)
        except (requests.RequestException, OSError, ssl.SSLError) as error:
            # Only words leave this frame: the exception itself carries the URL.
            return _no_reply(error)

    def close(self) -> None:
        """Close the idle connections."""
        if self._session is not None:
            self._session.close()

    def _send(self, request: HttpRequest) -> HttpReply | NoReply:
        headers = {name: value.reveal() for name, value in request.headers.items()}
        response = self._fresh_session().post(
            request.url.reveal(),
            data=request.body,
            headers={"Content-Type": request.content_type, "Accept": "application/json", **headers},
            timeout=self._options.timeout,
            verify=self._options.verify,
            proxies=dict(self._options.proxies or {}),
            auth=_no_auth,
            allow_redirects=False,
            stream=True,
        )
        with response:
            return _read(response)

    def _fresh_session(self) -> requests.Session:
        with self._lock:
            if self._session is None:
                self._session = _new_session()
            elif time.monotonic() - self._used_at > _IDLE_SECONDS:
                self._session.close()
            self._used_at = time.monotonic()
            return self._session


def _new_session() -> requests.Session:
    from http.cookiejar import DefaultCookiePolicy

    import requests

    guard_loggers()
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stand in for an auth handler: without one, ``.netrc`` would replace our header."""
    return request


def _read(response: requests.Response) -> HttpReply | NoReply:
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_content(64 * 1024):
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_REPLY:
            return NoReply(Outcome.UNKNOWN, "the reply is larger than 32 MB", repeatable=False)
    return HttpReply(
        status=response.status_code,
        body=b"".join(chunks),
        content_type=response.headers.get("Content-Type", ""),
        location=response.headers.get("Location"),
        disposition=response.headers.get("Content-Disposition", ""),
    )


def _no_reply(error: Exception) -> NoReply:
    causes = list(_causes(error))
    for outcome, reason, names in _REASONS:
        if any(type(cause).__name__ in names for cause in causes):
            return NoReply(outcome, reason)
    return NoReply(Outcome.UNKNOWN, "the connection broke before the reply was complete")


#: Names instead of classes: requests and urllib3 are not imported until the first call.
_REASONS = (
    (Outcome.NOT_EXECUTED, "the proxy refused the connection", {"ProxyError", "InvalidProxyURL"}),
    (Outcome.NOT_EXECUTED, "the certificate is not trusted", {"SSLCertVerificationError"}),
    (Outcome.NOT_EXECUTED, "the host name is unknown", {"NameResolutionError", "gaierror"}),
    (Outcome.NOT_EXECUTED, "connecting timed out", {"ConnectTimeout", "ConnectTimeoutError"}),
    (Outcome.NOT_EXECUTED, "the connection was refused", {"NewConnectionError", "ConnectionRefusedError"}),
    (
        Outcome.NOT_EXECUTED,
        "the address is not usable",
        {"InvalidURL", "InvalidSchema", "LocationParseError"},
    ),
    (Outcome.UNKNOWN, "no reply came in time", {"ReadTimeout", "ReadTimeoutError"}),
)


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    queue: list[object] = [error]
    while queue:
        current = queue.pop(0)
        if isinstance(current, BaseException) and current not in found:
            found.append(current)
            queue += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
    return found

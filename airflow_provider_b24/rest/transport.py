"""One HTTP request and what came back, as values: nothing here raises, decides or retries."""

from __future__ import annotations

import os
import time
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_b24 import __version__
from airflow_provider_b24.exceptions import Outcome
from airflow_provider_b24.rest.redaction import Secret, guard_loggers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import requests

#: A reply that is larger is not read to the end.
MAX_REPLY_BYTES = 32 * 1024 * 1024
#: The same with headers and the frames of chunks.
_MAX_RECEIVED_BYTES = 2 * MAX_REPLY_BYTES
#: More than one layer of compression, or a stronger one, unpacks to more memory than is worth reading.
_COMPRESSIONS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
#: Servers close idle connections after 15 seconds or more; a request sent into that moment is lost
#: with its outcome unknown, so an older connection is not used again.
_IDLE_SECONDS = 10.0
#: Connections kept for threads that call at the same time.
_POOL = 32


@dataclass(frozen=True)
class HttpRequest:
    """A request whose address, headers and body hold secrets."""

    url: Secret
    body: bytes = field(repr=False)
    headers: Mapping[str, Secret] = field(default_factory=dict)
    content_type: str = "application/json"
    verb: str = "POST"


@dataclass(frozen=True)
class HttpReply:
    """A complete HTTP answer, whose body and location may repeat secrets."""

    status: int
    body: bytes = field(repr=False)
    content_type: str = ""
    location: str | None = field(default=None, repr=False)
    disposition: str = ""


@dataclass(frozen=True)
class NoReply:
    """No complete answer came.

    :param outcome: whether the portal may have executed the request.
    :param reason: why, without addresses.
    :param retryable: False when a retry would end in the same way.
    """

    outcome: Outcome
    reason: str
    retryable: bool = True


@dataclass(frozen=True)
class TransportOptions:
    """How to reach the portal.

    :param timeout: seconds to connect to one address, and seconds for the whole exchange.
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
    """A transport over one keep-alive ``requests`` session for each process.

    Redirects are never followed, cookies never kept, ``.netrc`` never read.
    """

    def __init__(self, options: TransportOptions | None = None) -> None:
        self._options = options or TransportOptions()
        self._session: requests.Session | None = None
        self._process = 0
        self._used_at = 0.0
        self._routes: dict[str, dict[str, Any]] = {}
        self._last: tuple[Any, requests.PreparedRequest] | None = None

    def send(self, request: HttpRequest) -> HttpReply | NoReply:
        """Send one request, once."""
        import requests
        from urllib3.exceptions import HTTPError

        body = _Body(request.body)
        try:
            return self._send(request, body)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            # Only the reason leaves this frame: the exception itself carries the URL.
            return _no_reply(error, started=body.started)

    def close(self) -> None:
        """Close the idle connections."""
        if self._session is not None:
            self._session.close()

    def _send(self, request: HttpRequest, body: _Body) -> HttpReply | NoReply:
        from airflow_provider_b24.rest.exchange_limits import limits

        with limits(seconds=self._options.timeout[1], received=_MAX_RECEIVED_BYTES):
            return self._exchange(request, body)

    def _exchange(self, request: HttpRequest, body: _Body) -> HttpReply | NoReply:
        session = self._fresh_session()
        url = request.url.reveal()
        prepared = copy(self._prepared(session, request))
        prepared.headers = prepared.headers.copy()
        prepared.headers["Content-Length"] = str(len(body))
        prepared.body = body  # type: ignore[assignment]
        # The adapter, not the session, which would look for redirects and cookies in each reply.
        response = session.get_adapter(url).send(
            prepared, stream=True, timeout=self._options.timeout, **self._route(url)
        )
        with response:
            reply = _read(response)
        self._used_at = time.monotonic()
        return reply

    def _prepared(self, session: requests.Session, request: HttpRequest) -> requests.PreparedRequest:
        """Return address and headers as the session writes them, once for calls of one method in a row."""
        import requests

        known, prepared = self._last or (None, None)
        target = request.url, request.headers, request.content_type, request.verb
        if prepared is None or known != target:
            headers = {name: value.reveal() for name, value in request.headers.items()}
            headers = {**_HEADERS, "Content-Type": request.content_type, **headers}
            prepared = session.prepare_request(
                requests.Request(request.verb, request.url.reveal(), headers=headers, auth=_no_auth)
            )
            self._last = target, prepared
        return prepared

    def _route(self, url: str) -> dict[str, Any]:
        """Return proxies and certificates for a host, with what the environment says of both.

        The session would read the environment at each request, which takes longer than writing the request.
        """
        host = url.partition("://")[2].partition("/")[0]
        if host not in self._routes:
            import requests

            proxies, verify = dict(self._options.proxies or {}), self._options.verify
            found = requests.Session().merge_environment_settings(url, proxies, True, verify, None)
            self._routes[host] = {"proxies": found["proxies"], "verify": found["verify"]}
        return self._routes[host]

    def _fresh_session(self) -> requests.Session:
        if self._session is None or self._process != os.getpid():
            # A forked child that used its parent's sockets would read its parent's replies.
            self._session, self._process = _new_session(), os.getpid()
        elif time.monotonic() - self._used_at > _IDLE_SECONDS:
            self._session.close()
        self._used_at = time.monotonic()
        return self._session


_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"airflow-provider-b24/{__version__}",
}


class _Body:
    """A body that knows whether its sending has started: before, nothing can have been executed."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.started = False

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[bytes]:
        self.started = True
        yield self._data


def _new_session() -> requests.Session:
    from http.cookiejar import DefaultCookiePolicy

    import requests

    from airflow_provider_b24.rest.exchange_limits import LimitedAdapter

    guard_loggers()
    session = requests.Session()
    # The environment is read once for each host, and .netrc never.
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, LimitedAdapter(pool_maxsize=_POOL))
    return session


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stand in for an auth handler: without one, ``.netrc`` would replace our header."""
    return request


def _read(response: requests.Response) -> HttpReply | NoReply:
    compression = response.headers.get("Content-Encoding", "").strip().lower()
    if compression not in _COMPRESSIONS:
        return NoReply(Outcome.UNKNOWN, "the reply is compressed in an unknown way", retryable=False)
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_content(64 * 1024):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_REPLY_BYTES:
            return NoReply(Outcome.UNKNOWN, _TOO_LARGE, retryable=False)
    return HttpReply(
        status=response.status_code,
        body=b"".join(chunks),
        content_type=response.headers.get("Content-Type", ""),
        location=response.headers.get("Location"),
        disposition=response.headers.get("Content-Disposition", ""),
    )


def _no_reply(error: Exception, *, started: bool) -> NoReply:
    outcome = Outcome.UNKNOWN if started else Outcome.NOT_EXECUTED
    causes = {type(cause).__name__ for cause in _causes(error)}
    for reason, names in _REASONS.items():
        if causes & names:
            said = _CONNECTING if reason == _NO_REPLY and not started else reason
            return NoReply(outcome, said, retryable=reason not in _PERMANENT)
    when = "the reply was complete" if started else "the request was sent"
    return NoReply(outcome, f"the connection broke before {when}")


_CONNECTING = "connecting timed out"
_NO_REPLY = "no reply came in time"
_TOO_LARGE = "the reply is larger than 32 MB"
#: Names instead of classes: requests and urllib3 are not imported until the first call.
_REASONS: dict[str, frozenset[str]] = {
    "the proxy refused the connection": frozenset({"ProxyError"}),
    "the certificate is not trusted": frozenset({"SSLCertVerificationError", "CertificateError"}),
    "the host name is unknown": frozenset({"NameResolutionError", "gaierror"}),
    _CONNECTING: frozenset({"ConnectTimeout", "ConnectTimeoutError"}),
    "the connection was refused": frozenset({"NewConnectionError", "ConnectionRefusedError"}),
    "the address or a header is not usable": frozenset(
        {
            *("InvalidURL", "InvalidSchema", "MissingSchema", "LocationParseError", "LocationValueError"),
            *("InvalidProxyURL", "ProxySchemeUnknown", "InvalidHeader", "UnicodeEncodeError", "UnicodeError"),
        }
    ),
    _TOO_LARGE: frozenset({"ReceivedTooMuchError"}),
    _NO_REPLY: frozenset({"ReadTimeout", "ReadTimeoutError", "TimeoutError"}),
}
_PERMANENT = frozenset(
    {"the certificate is not trusted", "the address or a header is not usable", _TOO_LARGE}
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

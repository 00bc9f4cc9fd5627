"""Limits for a whole exchange: connecting, a proxy, TLS, sending, headers and body.

``requests`` and the sockets below it know a timeout for each single read, so that a server which sends a byte
now and then would hold a call for ever. Here a thread has one deadline, and each operation on a socket gets
the time that is left until then. What is received is counted too: a header, or the frame of a chunk, is not
part of the body and could be of any length. Only the resolver of host names keeps to its own limits.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A handshake gets this when no time is left; it must fail there, where its socket is closed.
_NO_TIME = 0.001


class ReceivedTooMuchError(OSError):
    """An exchange received more bytes than it may."""


class _Limits(threading.local):
    """What this thread's exchange may still use; no limit outside of one."""

    deadline: float | None = None
    bytes_left: float = math.inf


_limits = _Limits()


@contextmanager
def limits(*, seconds: float, received: int) -> Iterator[None]:
    """Limit what this thread does on the adapter's sockets.

    :param seconds: from now until the deadline.
    :param received: bytes that may be received, headers and frames included.
    """
    outer = _limits.deadline, _limits.bytes_left
    _limits.deadline, _limits.bytes_left = time.monotonic() + seconds, received
    try:
        yield
    finally:
        _limits.deadline, _limits.bytes_left = outer


class LimitedAdapter(HTTPAdapter):
    """An adapter whose connections keep to the limits of the thread that uses them."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools for connections without a proxy."""
        super().init_poolmanager(*args, **kwargs)
        _limit_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the pools for a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        _limit_pools(manager)
        return manager


def _limit_pools(manager: Any) -> None:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _limited_pool(pool) for scheme, pool in pools.items()}


@lru_cache
def _limited_pool(pool: type) -> type:
    if issubclass(pool.ConnectionCls, _Connection):  # type: ignore[attr-defined]
        return pool
    connection = type("Connection", (_Connection, pool.ConnectionCls), {})  # type: ignore[attr-defined]
    return type("Pool", (pool,), {"ConnectionCls": connection})


class _Connection:
    """What is added to each class of urllib3's connections: with TLS, without, and through SOCKS."""

    sock: Any
    host: str
    port: int
    timeout: float
    socket_options: Any

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.sock = _limited(self.sock)

    def _new_conn(self) -> Any:
        if hasattr(self, "_socks_options"):
            self.timeout = min(self.timeout, _time_left() or self.timeout)
            return _limited(super()._new_conn())  # type: ignore[misc]
        try:
            return _limited(_connect(self.host, self.port, self.timeout, self.socket_options))
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out") from error
        except OSError as error:
            raise NewConnectionError(self, f"Failed to establish a new connection: {error}") from error  # type: ignore[arg-type]

    def _connect_tls_proxy(self, *args: Any, **kwargs: Any) -> Any:
        return _limited(super()._connect_tls_proxy(*args, **kwargs))  # type: ignore[misc]


def _connect(host: str, port: int, timeout: float, options: Any) -> socket.socket:
    """Try the host's addresses one after the other, each with its share of the time that is left."""
    error = OSError("the host has no address")
    addresses = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        left = _time_left()
        sock = socket.socket(family, kind, protocol)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(timeout if left is None else min(timeout, left / (len(addresses) - tried)))
            sock.connect(address)
        except OSError as failure:
            sock.close()
            error = failure
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise error


class _Socket:
    """What is added to a socket: each operation gets the time that is left."""

    # With an instance dictionary, a socket could not be made one of these.
    __slots__ = ()

    def recv(self, *args: Any) -> Any:
        self._limit()
        data = super().recv(*args)  # type: ignore[misc]
        _count(len(data))
        return data

    def recv_into(self, *args: Any) -> Any:
        self._limit()
        size = super().recv_into(*args)  # type: ignore[misc]
        _count(size)
        return size

    def send(self, *args: Any) -> Any:
        self._limit()
        return super().send(*args)  # type: ignore[misc]

    def sendall(self, *args: Any) -> Any:
        self._limit()
        return super().sendall(*args)  # type: ignore[misc]

    def gettimeout(self) -> Any:
        """Return the time that is left: a TLS handshake takes it from here."""
        try:
            self._limit()
        except TimeoutError:
            return _NO_TIME
        return super().gettimeout()  # type: ignore[misc]

    def _limit(self) -> None:
        left = _time_left()
        if left is not None:
            super().settimeout(left)  # type: ignore[misc]


def _limited(sock: Any) -> Any:
    """Return the socket with limited operations; TLS inside TLS is no socket, but uses a limited one."""
    if isinstance(sock, socket.socket) and not isinstance(sock, _Socket):
        kind: Any = type(sock)
        sock.__class__ = _limited_socket(kind)
    return sock


@lru_cache
def _limited_socket(kind: Any) -> Any:
    return type("Socket", (_Socket, kind), {"__slots__": ()})


def _count(size: int) -> None:
    _limits.bytes_left -= size
    if _limits.bytes_left < 0:
        raise ReceivedTooMuchError("too much was received")


def _time_left() -> float | None:
    """Return the seconds until this thread's deadline; None without one.

    :raises TimeoutError: when it has passed.
    """
    if _limits.deadline is None:
        return None
    left = _limits.deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left

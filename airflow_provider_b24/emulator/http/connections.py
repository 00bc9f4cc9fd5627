"""The TCP side: replies in one write, and connections that can be dropped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Address = tuple[str, int]


class Connections:
    """The open connections by the client's address, for the ``drop`` faults."""

    def __init__(self) -> None:
        self._open: dict[Address, asyncio.Transport] = {}

    def opened(self, address: Address, transport: asyncio.Transport) -> None:
        """Add a connection."""
        self._open[address] = transport

    def closed(self, address: Address) -> None:
        """Remove a connection."""
        self._open.pop(address, None)

    def drop(self, address: Address) -> None:
        """Close a connection at once, with no byte sent."""
        transport = self._open.pop(address, None)
        if transport is not None:
            transport.abort()

    def drop_all(self) -> None:
        """Close all connections at once."""
        for address in list(self._open):
            self.drop(address)


class _OneWrite:
    """A transport that joins the writes of one turn of the event loop.

    The HTTP server writes the headers and the body apart; a client that sees two
    packets wakes twice.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._waiting.clear()
        self._transport.abort()

    def _flush(self) -> None:
        if self._waiting and not self._transport.is_closing():
            self._transport.write(b"".join(self._waiting))
        self._waiting.clear()


def protocol_class(connections: Connections) -> Callable[..., asyncio.Protocol]:
    """Return uvicorn's HTTP protocol, made to report its connections."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    class EmulatorProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        _address: Address | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            joined = _OneWrite(transport, asyncio.get_running_loop())
            super().connection_made(joined)
            if self.client is not None:
                self._address = tuple(self.client)
                connections.opened(self._address, joined)  # type: ignore[arg-type]

        def connection_lost(self, exc: Exception | None) -> None:
            if self._address is not None:
                connections.closed(self._address)
            super().connection_lost(exc)

    return EmulatorProtocol

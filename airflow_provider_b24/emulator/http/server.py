"""The web server under the emulator: uvicorn, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.http.connections import protocol_class

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_b24.emulator.api.dispatch import Dispatcher
    from airflow_provider_b24.emulator.http.connections import Connections
    from airflow_provider_b24.emulator.state.world import World

NEEDS_EXTRA = (
    "the emulator needs starlette and uvicorn, which Airflow 2.11 lacks: pip install starlette uvicorn"
)


class Server:
    """A uvicorn server in a thread of its own."""

    def __init__(
        self,
        world: World,
        dispatcher: Dispatcher,
        connections: Connections,
        *,
        host: str,
        port: int,
        certfile: str | Path | None = None,
        keyfile: str | Path | None = None,
    ) -> None:
        try:
            import uvicorn

            from airflow_provider_b24.emulator.http.app import application
        except ImportError as error:
            raise ImportError(NEEDS_EXTRA) from error
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=512)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            application(world, dispatcher, connections),
            http=protocol_class(connections),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
            ssl_certfile=certfile,
            ssl_keyfile=None if keyfile is None else str(keyfile),
        )
        self._ready = threading.Event()
        self._server = _server_class(self._ready, connections)(config)
        self._thread = threading.Thread(target=self._run, name="bitrix24-emulator", daemon=True)

    def start(self) -> None:
        """Return when the port is served."""
        self._thread.start()
        self._ready.wait(timeout=10)

    def stop(self) -> None:
        """Return when the thread has ended."""
        self._server.should_exit = True
        self._server.wake()
        self._thread.join(timeout=10)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


def _server_class(ready: threading.Event, connections: Connections) -> Any:
    """Return a uvicorn server that says when it listens and stops without a pause."""
    import uvicorn

    class PromptServer(uvicorn.Server):
        _loop: asyncio.AbstractEventLoop | None = None
        _closing: asyncio.Event | None = None

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
            await super().startup(sockets=sockets)
            ready.set()

        async def main_loop(self) -> None:
            while self._closing is not None and not await self.on_tick(0):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), 1.0)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # Not uvicorn's own, which always sleeps: hundreds of tests would wait for it.
            for listener in (*self.servers, *(sockets or ())):
                listener.close()
            connections.drop_all()
            if self.server_state.tasks:
                await asyncio.wait(self.server_state.tasks, timeout=1.0)

        def wake(self) -> None:
            if self._loop is not None and self._closing is not None:
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._closing.set)

    return PromptServer

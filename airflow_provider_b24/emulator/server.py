"""The emulator itself: a portal, served on loopback from a thread."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_b24.emulator.dispatch import Dispatcher
from airflow_provider_b24.emulator.faults import Faults
from airflow_provider_b24.emulator.journal import Journal
from airflow_provider_b24.emulator.limits import Limits
from airflow_provider_b24.emulator.portal import Portal
from airflow_provider_b24.emulator.transport import Connections, protocol_class
from airflow_provider_b24.emulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from airflow_provider_b24.emulator.credentials import Application
    from airflow_provider_b24.emulator.quirks import Quirks

NEEDS_EXTRA = 'the emulator needs starlette and uvicorn: pip install "airflow-provider-b24[emulator]"'


class Emulator(World):
    """A Bitrix24 portal on loopback; a context manager.

    ``plan`` is the portal's limit of requests: ``standard`` (2 a second, 50 at
    once), ``enterprise`` (5, 250) or ``none``. ``clock`` returns Unix time and may
    be a test's own. Secrets are random unless ``webhook_code`` is given. A
    certificate turns TLS on.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        plan: str = "standard",
        clock: Callable[[], float] = time.time,
        seed: int = 0,
        webhook_code: str | None = None,
        quirks: Quirks | None = None,
        certfile: str | Path | None = None,
        keyfile: str | Path | None = None,
    ) -> None:
        _require_loopback(host)
        super().__init__(Portal(clock=clock, seed=seed, webhook_code=webhook_code, quirks=quirks))
        self.limits = Limits(clock=clock, plan=plan)
        self.faults = Faults()
        self.requests = Journal()
        self.connections = Connections()
        self.dispatcher = Dispatcher(self.portal, self.limits, self.faults, self.requests)
        self._host, self._port = host, port
        self._tls = (certfile, keyfile)
        self._service: _Service | None = None
        self.portal.populate()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Open the port and serve from a thread."""
        self._service = _Service(self, self._host, self._port, self._tls)
        scheme = "https" if self._tls[0] else "http"
        shown = f"[{self._host}]" if ":" in self._host else self._host
        self.portal.url = f"{scheme}://{shown}:{self._service.port}"
        self.application.oauth_server = self.portal.url
        self._service.start()

    def stop(self) -> None:
        """Close the port; held calls are let go."""
        self.faults.release()
        if self._service is not None:
            self._service.stop()
            self._service = None

    @property
    def url(self) -> str:
        """The portal's address, ``http://127.0.0.1:PORT``."""
        return self.portal.url

    @property
    def webhook_code(self) -> str:
        """The secret of the webhook."""
        return self.portal.credentials.webhook.code

    @property
    def webhook_url(self) -> str:
        """The webhook's address, to which a method's name is added."""
        return f"{self.url}/rest/{self.portal.credentials.webhook.user_id}/{self.webhook_code}/"

    @property
    def application(self) -> Application:
        """The OAuth application: its id, secret and present tokens."""
        return self.portal.credentials.application

    @property
    def quirks(self) -> Quirks:
        """Which kind of portal this is; may be changed at any time."""
        return self.portal.quirks

    def connection(self, auth: str = "webhook") -> dict[str, Any]:
        """Return the fields of an Airflow connection: ``webhook`` or ``oauth``."""
        if auth == "webhook":
            login, password = str(self.portal.credentials.webhook.user_id), self.webhook_code
            extra: dict[str, Any] = {}
        elif auth == "oauth":
            application = self.application
            login, password = application.client_id, application.client_secret
            extra = {
                "refresh_token": application.refresh_token,
                "access_token": application.access_token,
                "oauth_server": application.oauth_server,
            }
        else:
            raise ValueError(f"auth must be webhook or oauth, not {auth!r}")
        return {
            "conn_type": "bitrix24",
            "host": self.url,
            "login": login,
            "password": password,
            "extra": extra,
        }

    def expire_access_token(self) -> None:
        """End the application's access token, as if its hour were over."""
        self.portal.credentials.expire_access_tokens()


class _Service:
    """A uvicorn server in a thread of its own."""

    def __init__(
        self, emulator: Emulator, host: str, port: int, tls: tuple[str | Path | None, str | Path | None]
    ) -> None:
        try:
            import uvicorn

            from airflow_provider_b24.emulator.web import application
        except ImportError as error:
            raise ImportError(NEEDS_EXTRA) from error
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=512)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            application(emulator),
            http=protocol_class(emulator.connections),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
            ssl_certfile=tls[0],
            ssl_keyfile=None if tls[1] is None else str(tls[1]),
        )
        self._ready = threading.Event()
        self._server = _server_class(self._ready)(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="bitrix24-emulator", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait(timeout=10)

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.wake()
        self._thread.join(timeout=10)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


def _server_class(ready: threading.Event) -> Any:
    """Return a uvicorn server that says when it listens and stops without a pause."""
    import uvicorn

    class Server(uvicorn.Server):
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

        def wake(self) -> None:
            if self._loop is not None and self._closing is not None:
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._closing.set)

    return Server


def _require_loopback(host: str) -> None:
    """Refuse addresses that other machines can reach: the portal has no secrets to guard it.

    Raises:
        ValueError: it is not a loopback address.
    """
    with contextlib.suppress(ValueError):
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return
    raise ValueError(f"the emulator listens on loopback only, not on {host!r}")

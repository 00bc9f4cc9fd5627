"""The emulator itself: a portal, served on loopback from a thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_b24.emulator.api.dispatch import Dispatcher
from airflow_provider_b24.emulator.api.limits import Limits
from airflow_provider_b24.emulator.http.connections import Connections
from airflow_provider_b24.emulator.http.loopback import is_loopback
from airflow_provider_b24.emulator.http.server import Server
from airflow_provider_b24.emulator.state.faults import Faults
from airflow_provider_b24.emulator.state.journal import Journal
from airflow_provider_b24.emulator.state.portal import COLLEAGUES, Portal
from airflow_provider_b24.emulator.state.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from airflow_provider_b24.emulator.state.credentials import Application
    from airflow_provider_b24.emulator.state.quirks import Quirks


class Emulator(World):
    """A Bitrix24 portal on loopback; a context manager.

    :param host: a loopback address; others are refused.
    :param port: 0 takes a free one.
    :param plan: the limit of requests: ``standard`` (2 a second, 50 at once), ``enterprise``
        (5 a second, 250 at once) or ``none``.
    :param clock: returns Unix time; a test may pass a clock of its own.
    :param people: the colleagues of the account that DAGs act as: how many, or their names.
    :param webhook_code: the secret of the webhook; None: a random one.
    :param quirks: which kind of portal this is.
    :param certfile: a certificate, which turns TLS on.
    :param keyfile: the certificate's private key.
    :raises ValueError: the host is not a loopback address, or there is no such plan.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        plan: str = "standard",
        clock: Callable[[], float] = time.time,
        people: int | Sequence[str] = len(COLLEAGUES),
        webhook_code: str | None = None,
        quirks: Quirks | None = None,
        certfile: str | Path | None = None,
        keyfile: str | Path | None = None,
    ) -> None:
        _require_loopback(host)
        super().__init__(Portal(clock=clock, webhook_code=webhook_code, quirks=quirks))
        self.limits = Limits(clock=clock, plan=plan)
        self.faults = Faults()
        self.requests = Journal()
        self.connections = Connections()
        self.dispatcher = Dispatcher(self.portal, self.limits, self.faults, self.requests)
        self._host, self._port = host, port
        self._tls = (certfile, keyfile)
        self._server: Server | None = None
        self.portal.populate(people)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Open the port and serve from a thread.

        :raises ImportError: starlette or uvicorn is not installed.
        :raises OSError: the port is taken.
        """
        certfile, keyfile = self._tls
        self._server = Server(
            self,
            self.dispatcher,
            self.connections,
            host=self._host,
            port=self._port,
            certfile=certfile,
            keyfile=keyfile,
        )
        scheme = "https" if certfile else "http"
        shown = f"[{self._host}]" if ":" in self._host else self._host
        self.portal.url = f"{scheme}://{shown}:{self._server.port}"
        self.application.oauth_server = self.portal.url
        self._server.start()

    def stop(self) -> None:
        """Close the port; calls that a ``hold`` keeps in flight go on."""
        self.faults.release()
        if self._server is not None:
            self._server.stop()
            self._server = None

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
        return self.portal.webhook_url(self.portal.credentials.webhook)

    @property
    def application(self) -> Application:
        """The OAuth application: its id, secret and present tokens."""
        return self.portal.credentials.application

    @property
    def quirks(self) -> Quirks:
        """Which kind of portal this is; may be changed at any time."""
        return self.portal.quirks

    def connection(self, auth: str = "webhook") -> dict[str, Any]:
        """Return the fields of an Airflow connection.

        :param auth: ``webhook`` or ``oauth``.
        :raises ValueError: it is neither of them.
        """
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
        """Expire the application's access token now."""
        self.portal.credentials.expire_access_tokens()


def _require_loopback(host: str) -> None:
    """Refuse addresses that other machines can reach: the portal has no secrets to guard it.

    :raises ValueError: it is not a loopback address.
    """
    if not is_loopback(host):
        raise ValueError(f"the emulator listens on loopback only, not on {host!r}")

"""A portal with TLS, because the official SDKs speak nothing else."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.emulator import Emulator
from tests.support.certificate import OFFICIAL_OAUTH_HOST, Certificate, make_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for this machine and for the official authorisation server."""
    return make_certificate(tmp_path_factory.mktemp("certificate"), "localhost", OFFICIAL_OAUTH_HOST)


@pytest.fixture
def portal(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A portal that the SDKs trust and reach, also under the name of the authorisation server."""
    for name in ("REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.setenv(name, str(certificate.certfile))
    with Emulator(plan="none", certfile=certificate.certfile, keyfile=certificate.keyfile) as emulator:
        _resolve(monkeypatch, OFFICIAL_OAUTH_HOST, int(emulator.url.rpartition(":")[2]))
        yield emulator


def _resolve(monkeypatch: pytest.MonkeyPatch, host: str, port: int) -> None:
    """Let a host name lead to a port of this machine, as a hosts file would."""
    real = socket.getaddrinfo

    def getaddrinfo(name: Any, service: Any, *args: Any, **kwargs: Any) -> Any:
        return (
            real("127.0.0.1", port, *args, **kwargs) if name == host else real(name, service, *args, **kwargs)
        )

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def chat_id(portal: Emulator) -> int:
    return portal.add_chat("Releases", members=[1, 2, 3])


@pytest.fixture
def webhook(portal: Emulator) -> Any:
    """The Python SDK's client, by webhook."""
    from .pysdk import webhook_of

    return webhook_of(portal)


@pytest.fixture
def token(portal: Emulator) -> Any:
    """The application's token, as the Python SDK keeps it."""
    from .pysdk import token_of

    return token_of(portal)


@pytest.fixture
def application(token: Any) -> Any:
    """The Python SDK's client, as the application."""
    return token.get_client()


@pytest.fixture
def poll(webhook: Any, chat_id: int) -> dict[str, Any]:
    """A poll that lets people change their votes: where it is, and what it has."""
    from .pysdk import sent_poll

    return sent_poll(webhook, chat_id)

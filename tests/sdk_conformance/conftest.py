"""A portal with TLS, because the official SDKs speak nothing else."""

from __future__ import annotations

import datetime
import ipaddress
import socket
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_provider_b24.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The Python SDK knows this one authorisation server and takes no other.
OFFICIAL_OAUTH_HOST = "oauth.bitrix24.tech"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for this machine and for the official authorisation server, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName(OFFICIAL_OAUTH_HOST)]
    names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Emulated portal")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certfile, keyfile = folder / "portal.pem", folder / "portal.key"
    certfile.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    keyfile.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certfile, keyfile


@pytest.fixture
def portal(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A portal that the SDKs trust and reach, also under the name of the authorisation server."""
    certfile, keyfile = certificate
    for name in ("REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.setenv(name, str(certfile))
    with Emulator(plan="none", certfile=certfile, keyfile=keyfile) as emulator:
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

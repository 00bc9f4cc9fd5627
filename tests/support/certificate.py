"""A TLS certificate for an emulated portal, signed by itself."""

from __future__ import annotations

import datetime
import ipaddress
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

#: b24pysdk refreshes tokens at this server only; tests and benchmarks resolve the name to the portal.
OFFICIAL_OAUTH_HOST = "oauth.bitrix24.tech"
_VALID_FOR = datetime.timedelta(days=1)
_CLOCK_SKEW = datetime.timedelta(hours=1)


class Certificate(NamedTuple):
    """Where the certificate and its key are."""

    certfile: Path
    keyfile: Path


def make_certificate(folder: Path, *hosts: str) -> Certificate:
    """Write a certificate for 127.0.0.1 and for these host names, and its key, into a folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = Certificate(folder / "portal.pem", folder / "portal.key")
    made.certfile.write_bytes(_sign(key, hosts).public_bytes(serialization.Encoding.PEM))
    made.keyfile.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made


def _sign(key: ec.EllipticCurvePrivateKey, hosts: tuple[str, ...]) -> x509.Certificate:
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    names: list[x509.GeneralName] = [loopback, *(x509.DNSName(host) for host in hosts)]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Emulated portal")])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )

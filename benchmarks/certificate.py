"""A certificate for the emulated portal: one of the peers speaks nothing but TLS, so all do."""

from __future__ import annotations

import datetime
import ipaddress
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

#: b24pysdk renews tokens at this one server; it is led to the portal instead.
OFFICIAL_OAUTH_HOST = "oauth.bitrix24.tech"


@dataclass(frozen=True)
class Certificate:
    """Where the certificate and its key are."""

    certfile: Path
    keyfile: Path

    def trust(self) -> None:
        """Let the HTTP clients of this process and of its children trust it."""
        os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = str(self.certfile)


def make_certificate(folder: Path) -> Certificate:
    """Write a certificate for loopback and for the official authorisation server."""
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
    made = Certificate(folder / "portal.pem", folder / "portal.key")
    made.certfile.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    made.keyfile.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made

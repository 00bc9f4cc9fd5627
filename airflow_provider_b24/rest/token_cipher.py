"""Encryption of stored tokens with a key that is derived from the application's client secret."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from airflow_provider_b24.utils.lazy import cached_property

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

    from airflow_provider_b24.rest.redaction import Secret

_SALT = b"airflow_provider_b24.token_cipher"


class TokenCipher:
    """Encrypts texts so that only the holder of the client secret reads them.

    :param client_secret: the application's secret, a long random text: a slow derivation would add nothing.
    :param context: what the texts belong to; those of another context can't be decrypted.
    """

    def __init__(self, *, client_secret: Secret, context: str) -> None:
        self._client_secret = client_secret
        self._context = context

    def encrypt(self, text: str) -> str:
        """Return the text, encrypted and authenticated."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, text: str) -> str | None:
        """Return what was encrypted; None when it was not encrypted here, or with another secret."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(text.encode()).decode()
        except (InvalidToken, ValueError):
            return None

    @cached_property
    def _fernet(self) -> Fernet:
        # Imported here: webhooks need none of it.
        from cryptography.fernet import Fernet
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        derivation = HKDF(algorithm=SHA256(), length=32, salt=_SALT, info=self._context.encode())
        key = derivation.derive(self._client_secret.reveal().encode("utf-8", "surrogatepass"))
        return Fernet(base64.urlsafe_b64encode(key))

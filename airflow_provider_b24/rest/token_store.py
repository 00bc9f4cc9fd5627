"""Where a rotating pair of OAuth tokens lives.

A task can't write Airflow connections, so the pair lives in an Airflow Variable. It is encrypted here,
with a key that is derived from the client secret: Airflow writes a Variable's value into its own log at
DEBUG, ``airflow variables export`` shows it, and without a Fernet key the database holds it as it is.

The connection only starts the chain: the stored pair remembers a fingerprint of the connection's refresh
token, so that a token of a new authorisation in the connection takes precedence over the old chain.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError
from airflow_provider_b24.rest.redaction import Secret, protect
from airflow_provider_b24.rest.token_cipher import TokenCipher
from airflow_provider_b24.rest.variables import read_variable, unreadable_variable, write_variable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TokenPair:
    """An access token and the refresh token that replaces it, once.

    :param access: None before the first refresh.
    :param refresh: None when the connection has only an access token.
    :param seed: a fingerprint of the connection's refresh token, the first of this pair's chain.
    :param issued: when the OAuth server issued the pair, in Unix seconds; None when nobody knows.
    """

    access: Secret | None
    refresh: Secret | None
    seed: str = ""
    issued: float | None = field(default=None, compare=False)

    @classmethod
    def from_connection(cls, *, access_token: str, refresh_token: str) -> TokenPair:
        """Return the pair that a connection's extra starts with."""
        seed = fingerprint(refresh_token or access_token)
        return cls(
            Secret(access_token) if access_token else None,
            Secret(refresh_token) if refresh_token else None,
            seed,
        )


class TokenStore(Protocol):
    """Keeps one pair for all processes that use a connection."""

    def load(self) -> TokenPair | None:
        """Return the newest pair, or None when there is none yet."""

    def save(self, pair: TokenPair) -> None:
        """Keep the pair; when this returns, other processes can read it."""


class MemoryTokenStore:
    """A store for one process, for use outside Airflow."""

    def __init__(self) -> None:
        self._pair: TokenPair | None = None

    def load(self) -> TokenPair | None:
        """Return the pair saved last."""
        return self._pair

    def save(self, pair: TokenPair) -> None:
        """Keep the pair."""
        self._pair = pair


class VariableTokenStore:
    """A store in the Airflow Variable ``bitrix24_oauth_token__<conn_id>``.

    :param conn_id: the connection; its pair can't be read as another connection's.
    :param client_secret: the application's secret, with which the pair is encrypted.
    """

    def __init__(self, conn_id: str, *, client_secret: Secret) -> None:
        self._key = variable_name(conn_id)
        self._cipher = TokenCipher(client_secret=client_secret, context=self._key)
        self._warned = False

    def load(self) -> TokenPair | None:
        """Return the newest pair; a Variable that can't be read as one counts as none.

        :raises Bitrix24StateError: when Airflow says that it could not look (3.3 and later).
        """
        text = read_variable(self._key)
        if not text:
            return None
        # Earlier versions stored the pair unencrypted; the next save encrypts it.
        pair = _decode(text) or _decode(self._cipher.decrypt(text))
        if pair is None:
            self._warn()
        return pair

    def save(self, pair: TokenPair) -> None:
        """Write the pair to the Variable.

        :raises Bitrix24ConfigurationError: when another value is read back.
        :raises Bitrix24StateError: when no value is read back.
        """
        text = self._cipher.encrypt(_encode(pair))
        write_variable(self._key, text)
        read = read_variable(self._key)
        if read == text:
            return
        if read is None:
            raise unreadable_variable(self._key)
        raise Bitrix24ConfigurationError(
            f"The Variable {self._key} was written, and another value is read back: a secrets backend, or "
            f"the environment variable AIRFLOW_VAR_{self._key.upper()}, takes precedence over it",
            advice="Delete it there: only Airflow's own database takes the tokens of each refresh.",
        )

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            log.warning(
                "The Variable %s holds no pair of tokens that the connection's client secret decrypts; the "
                "tokens in the connection are used.",
                self._key,
            )


def variable_name(conn_id: str) -> str:
    """Return the name of the Variable that holds a connection's pair."""
    return f"bitrix24_oauth_token__{conn_id}"


def fingerprint(token: str) -> str:
    """Return a short digest that identifies a token and does not reveal it."""
    return hashlib.sha256(f"bitrix24:{token}".encode()).hexdigest()[:16]


def is_token(value: Any) -> TypeGuard[str]:
    """Say whether a value can be a token: text that an HTTP header takes."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and value.strip() == value != ""


def _secret(value: Any) -> Secret | None:
    return Secret(value) if is_token(value) else None


def _encode(pair: TokenPair) -> str:
    tokens = {"access_token": pair.access, "refresh_token": pair.refresh}
    shown = {name: secret.reveal() if secret else None for name, secret in tokens.items()}
    return json.dumps({**shown, "seed": pair.seed, "issued": pair.issued})


def _decode(text: str | None) -> TokenPair | None:
    try:
        data = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    access, refresh = _secret(data.get("access_token")), _secret(data.get("refresh_token"))
    protect(access, refresh)
    issued = data.get("issued")
    known = float(issued) if isinstance(issued, int | float) else None
    return TokenPair(access, refresh, str(data.get("seed", "")), known) if access or refresh else None

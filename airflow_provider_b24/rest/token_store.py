"""Where a rotating pair of OAuth tokens lives.

A task can't write Airflow connections, so the pair lives in an Airflow Variable, encrypted by the
Fernet key and masked by its name. The connection only starts the chain: the stored pair remembers
a fingerprint of the connection's refresh token, so that a token of a new authorisation in the
connection takes precedence over the old chain.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_provider_b24.rest.redaction import Secret, protect


@dataclass(frozen=True)
class TokenPair:
    """An access token and the refresh token that replaces it, once.

    :param access: None before the first refresh.
    :param refresh: None when the connection has only an access token.
    :param seed: a fingerprint of the connection's refresh token, the first of this pair's chain.
    """

    access: Secret | None
    refresh: Secret | None
    seed: str = ""

    @classmethod
    def from_connection(cls, *, access_token: str, refresh_token: str) -> TokenPair:
        """Return the pair that a connection's extra starts with."""
        return cls(_secret(access_token), _secret(refresh_token), fingerprint(refresh_token or access_token))


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
    """A store in the Airflow Variable ``bitrix24_oauth_token__<conn_id>``."""

    def __init__(self, conn_id: str) -> None:
        self._key = f"bitrix24_oauth_token__{conn_id}"

    def load(self) -> TokenPair | None:
        """Return the newest pair; a Variable that isn't ours to read counts as none."""
        return _decode(_get_variable(self._key))

    def save(self, pair: TokenPair) -> None:
        """Write the pair to the Variable."""
        _set_variable(self._key, _encode(pair))


def fingerprint(token: str) -> str:
    """Return a short digest that identifies a token and does not reveal it."""
    return hashlib.sha256(f"bitrix24:{token}".encode()).hexdigest()[:16]


def _secret(value: Any) -> Secret | None:
    return Secret(str(value)) if value else None


def _encode(pair: TokenPair) -> str:
    tokens = {"access_token": pair.access, "refresh_token": pair.refresh}
    shown = {name: secret.reveal() if secret else None for name, secret in tokens.items()}
    return json.dumps({**shown, "seed": pair.seed})


def _decode(text: str | None) -> TokenPair | None:
    try:
        data = json.loads(text or "null")
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    pair = TokenPair(
        _secret(data.get("access_token")), _secret(data.get("refresh_token")), str(data.get("seed", ""))
    )
    protect(pair.access, pair.refresh)
    return pair


def _get_variable(key: str) -> str | None:
    from airflow.providers.common.compat.sdk import Variable

    get: Any = Variable.get
    try:
        value = get(key, default=None)
    except TypeError:  # Airflow 2 has another name for it.
        value = get(key, default_var=None)
    if value is None and _is_outside_a_task():
        # There the SDK reads no database; the pair that an earlier script saved is in it all the same.
        from airflow.models import Variable as DatabaseVariable

        value = DatabaseVariable.get(key, default_var=None)
    return str(value) if value is not None else None


def _is_outside_a_task() -> bool:
    try:
        from airflow.sdk.execution_time import task_runner
    except ImportError:  # Airflow 2 has one Variable for both.
        return False
    return not hasattr(task_runner, "SUPERVISOR_COMMS")


def _set_variable(key: str, value: str) -> None:
    from airflow.providers.common.compat.sdk import Variable

    try:
        Variable.set(key, value)
    except ImportError:
        # Outside a task the SDK has no supervisor to write through; a script has the database.
        from airflow.models import Variable as DatabaseVariable

        DatabaseVariable.set(key, value)

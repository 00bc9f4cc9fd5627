"""The newest pair of a connection: in the store, or in this process alone while the store fails."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError
from airflow_provider_b24.rest.redaction import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.token_store import TokenPair, TokenStore

log = logging.getLogger(__name__)

#: Seconds between the attempts to save a new pair: a database may restart meanwhile.
_SAVE_DELAYS = (0.5, 1.0, 2.0, 4.0)
#: Seconds after which a pair that could not be saved is saved again.
_SAVE_INTERVAL = 30.0


class _Unsaved(NamedTuple):
    """A pair that only this process knows.

    :param pair: the pair.
    :param replaced: what the store had in its place.
    """

    pair: TokenPair
    replaced: TokenPair | None


class TokenChain:
    """The pairs of one connection, each of which replaces the one before.

    :param start: the pair in the connection, the first of the chain.
    :param store: where the newest pair is stored.
    :param conn_id: names the connection in the log.
    :param clock: returns seconds.
    :param sleep: waits for seconds.
    """

    def __init__(
        self,
        *,
        start: TokenPair,
        store: TokenStore,
        conn_id: str,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._start = start
        self._store = store
        self._conn_id = conn_id
        self._clock = clock
        self._sleep = sleep
        # What the store had when it was last read or written.
        self._stored: TokenPair | None = None
        self._unsaved: _Unsaved | None = None
        self._save_at: float | None = None

    def newest(self) -> TokenPair:
        """Return the newest pair that this process can know."""
        stored, unsaved = self._load(), self._unsaved
        if unsaved is not None and stored == unsaved.replaced:
            return unsaved.pair
        self._stored = stored
        return stored if stored is not None and stored.seed == self._start.seed else self._start

    def save(self, pair: TokenPair) -> bool:
        """Store the pair that replaces the newest one, with retries.

        :returns: False when only this process has it.
        """
        # Kept from now on: a timeout of the task may interrupt the saving.
        self._unsaved = _Unsaved(pair, self._stored)
        self._save_at = self._clock()
        reason = self._try_to_save(pair)
        for seconds in _SAVE_DELAYS:
            if reason is None or self._save_at is None:
                break
            self._sleep(seconds)
            reason = self._try_to_save(pair)
        if reason is not None:
            self._warn(reason)
        return reason is None

    @property
    def is_save_due(self) -> bool:
        """Whether a pair that could not be saved should be saved again now."""
        return self._unsaved is not None and self._save_at is not None and self._clock() >= self._save_at

    def postpone_save(self) -> None:
        """Save the pair that could not be saved some time later."""
        if self._save_at is not None:
            self._save_at = self._clock() + _SAVE_INTERVAL

    def save_again(self) -> bool:
        """Save the pair that could not be saved; False when that fails again, or is not needed any more."""
        unsaved = self._unsaved
        if unsaved is None:
            return False
        if self.newest() != unsaved.pair:
            # Another process has stored a pair of its own meanwhile.
            self._unsaved = None
            return False
        return self._try_to_save(unsaved.pair) is None

    def _load(self) -> TokenPair | None:
        """Return the pair in the store, or what was last known of it while it can't be read."""
        try:
            loaded = self._store.load()
        except Exception:
            if self._stored is None and self._unsaved is None:
                raise
            loaded = None
        # Airflow answers None also when a read fails, and a pair that was stored is not removed.
        return self._stored if loaded is None else loaded

    def _try_to_save(self, pair: TokenPair) -> str | None:
        """Save the pair and return None, or return why it could not be saved."""
        try:
            self._store.save(pair)
        except Bitrix24ConfigurationError as error:
            # A person must act first.
            self._save_at = None
            return str(error)
        except Exception as error:  # noqa: BLE001 - a secrets backend raises whatever it likes
            self._save_at = self._clock() + _SAVE_INTERVAL
            return REGISTRY.redact_and_truncate(f"{type(error).__name__}: {error}")
        self._stored, self._unsaved = pair, None
        return None

    def _warn(self, reason: str) -> None:
        again = " and tries to save them again" if self._save_at is not None else ""
        log.warning(
            "Connection %r: the new OAuth tokens could not be saved: %s This process goes on with them%s. "
            "When it ends before they are saved, authorise the application again (airflow bitrix24 login).",
            self._conn_id,
            reason if reason.endswith(".") else f"{reason}.",
            again,
        )

"""One refresh of an application's token for all processes that share the state.

A refresh token works once. Who spends it holds a lock and leaves a mark beside it, so that the pair is not
replaced twice, and so that others know what happened when its holder dies. Hosts that share no state may
spend the same token: the OAuth server refuses all but one of them, and these wait for the pair of that one.
"""

from __future__ import annotations

import logging
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError, Bitrix24StateError, Outcome
from airflow_provider_b24.rest.error_codes import RetryKind, retry_kind
from airflow_provider_b24.rest.redaction import protect
from airflow_provider_b24.rest.refresh_mark import MarkState, RefreshMark
from airflow_provider_b24.rest.response import Failure
from airflow_provider_b24.rest.state_files import LOCK_SECONDS
from airflow_provider_b24.rest.token_store import TokenPair, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from airflow_provider_b24.rest.oauth_server import OAuthServer, Tokens
    from airflow_provider_b24.rest.redaction import Secret
    from airflow_provider_b24.rest.shared_state import Mark, SharedState
    from airflow_provider_b24.rest.token_chain import TokenChain

log = logging.getLogger(__name__)

#: Seconds that a new pair needs from the OAuth server's answer into the store of all hosts.
SAVE_SECONDS = 15.0
#: Seconds for which a lock is waited for longer than its holder may need.
_LOCK_MARGIN = 30.0
#: Seconds that a save which failed before waits for the lock.
_SAVE_LOCK_SECONDS = 2.0
#: Seconds between reads of the store while another host's pair is waited for; the last is repeated.
_REREAD_DELAYS = (1.0, 1.0, 2.0, 2.0, 3.0, 5.0)


class _Refused(NamedTuple):
    """The OAuth server has refused a refresh token as spent.

    :param mark: what is known of the token.
    :param code: the server's code.
    """

    mark: RefreshMark
    code: str


class TokenRefresher:
    """Replaces the newest pair of a connection.

    :param chain: where the newest pair is.
    :param server: what replaces it.
    :param state: what processes share.
    :param lock_name: names the chain for all who share the state.
    :param seed: the fingerprint with which the connection's pairs begin.
    :param conn_id: names the connection in errors.
    :param exchange_seconds: how long one exchange with the OAuth server may take.
    :param clock: returns Unix seconds.
    :param sleep: waits for seconds.
    """

    def __init__(
        self,
        *,
        chain: TokenChain,
        server: OAuthServer,
        state: SharedState,
        lock_name: str,
        seed: str,
        conn_id: str,
        exchange_seconds: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._chain = chain
        self._server = server
        self._state = state
        self._lock_name = lock_name
        self._seed = seed
        self._conn_id = conn_id
        self._patience = exchange_seconds + SAVE_SECONDS
        needed = self._patience + _LOCK_MARGIN
        self._lock_limit = needed if needed > LOCK_SECONDS else None
        self._clock = clock
        self._sleep = sleep

    def refresh(self, refused: Secret | None) -> tuple[TokenPair, bool]:
        """Return a pair with another access token than the refused one, and whether it was refreshed here.

        :param refused: the access token that the portal refused; None when there was none.
        :raises Bitrix24Error: when there is no such pair.
        """
        return self._refresh_when(lambda pair: pair.access is None or pair.access == refused)

    def refresh_when_older(self, seconds: float) -> tuple[TokenPair, bool]:
        """Return the newest pair, and whether it was refreshed for its age.

        :param seconds: the age up to which a pair stays as it is; one of unknown age is refreshed.
        :raises Bitrix24Error: when it can't be refreshed.
        """
        return self._refresh_when(lambda pair: pair.issued is None or self._clock() - pair.issued > seconds)

    def _refresh_when(self, is_due: Callable[[TokenPair], bool]) -> tuple[TokenPair, bool]:
        with self._locked(limit=self._lock_limit) as mark:
            pair = self._chain.newest()
            if not is_due(pair):
                return pair, False
            fresh = self._request_pair(pair, mark)
        # Outside of the lock, so that all processes of a host wait at the same time.
        return (self._pair_of_another_host(pair, fresh) if isinstance(fresh, _Refused) else fresh), True

    def save_again(self) -> None:
        """Save the pair that could not be saved when it was new, once its time has come."""
        if not self._chain.is_save_due:
            return
        try:
            with self._locked(limit=_SAVE_LOCK_SECONDS) as mark:
                if self._chain.is_save_due and self._chain.save_again():
                    mark.write("")
        except Bitrix24StateError:
            # This process has the pair, so that the call need not wait.
            self._chain.postpone_save()

    def _locked(self, *, limit: float | None) -> AbstractContextManager[Mark]:
        return self._state.lock(self._lock_name, limit=limit)

    def _request_pair(self, pair: TokenPair, mark: Mark) -> TokenPair | _Refused:
        """Return the new pair, saved, unless the server says that the refresh token is spent."""
        if pair.refresh is None:
            raise self.no_refresh_token()
        known = self._known(mark, pair.refresh)
        if known is not None and known.state is not MarkState.SPENDING and self._left(known) > 0:
            # Another process was refused a moment ago, and waits for the new pair.
            return _Refused(known, "invalid_grant")
        outcome = self._spend(pair.refresh, known, mark)
        if isinstance(outcome, _Refused):
            return outcome
        if isinstance(outcome, Failure):
            raise self._server.error(outcome)
        protect(outcome.access, outcome.refresh)
        fresh = TokenPair(outcome.access, outcome.refresh, self._seed, self._clock())
        return self._saved(fresh, pair, mark)

    def no_refresh_token(self) -> Bitrix24ConfigurationError:
        """Return the error for an application that nobody has authorised."""
        return Bitrix24ConfigurationError(
            "The connection has no refresh_token to get access tokens with",
            field="extra.refresh_token",
            conn_id=self._conn_id,
            advice="Authorise the application: airflow bitrix24 login (before Airflow 3.2: "
            "python -m airflow_provider_b24.login).",
        )

    def _spend(self, refresh: Secret, known: RefreshMark | None, mark: Mark) -> Tokens | Failure | _Refused:
        """Send the refresh token to the OAuth server, and leave a mark while that may have spent it."""
        before, now = mark.read() if known else "", self._clock()
        if known is None:
            self._write(mark, RefreshMark(fingerprint(refresh.reveal()), MarkState.SPENDING, now))
        outcome = self._server.refresh(refresh)
        if not isinstance(outcome, Failure) or outcome.outcome is Outcome.UNKNOWN:
            return outcome
        if retry_kind(outcome.code) is not RetryKind.REREAD:
            # The server did not take the token now; it may have taken it in an earlier attempt.
            mark.write(before)
            return outcome
        refused = self._refused(refresh, known)
        self._write(mark, refused)
        return _Refused(refused, outcome.code)

    def _refused(self, refresh: Secret, known: RefreshMark | None) -> RefreshMark:
        """Return what is known of a token that was refused as spent."""
        if known is None:
            return RefreshMark(fingerprint(refresh.reveal()), MarkState.REFUSED, self._clock())
        if known.state is MarkState.SPENDING:
            return RefreshMark(known.token, MarkState.LOST, self._clock())
        return known

    def _saved(self, fresh: TokenPair, spent: TokenPair, mark: Mark) -> TokenPair:
        """Save the new pair, unless another host took the lock over and has saved one of its own."""
        if not mark.is_held():
            log.warning("Connection %r: another host took the refresh over meanwhile", self._conn_id)
            newest = self._chain.newest()
            if newest != spent:
                return newest
        if self._chain.save(fresh):
            mark.write("")
        return fresh

    def _pair_of_another_host(self, spent: TokenPair, refused: _Refused) -> TokenPair:
        """Return the pair that another host saves in place of the spent one, as long as that may take."""
        for pause in self._pauses(refused.mark):
            newest = self._chain.newest()
            if newest != spent:
                return newest
            self._sleep(pause)
        newest = self._chain.newest()
        if newest != spent:
            return newest
        if refused.mark.state is MarkState.LOST:
            why = "an earlier refresh spent the refresh token, and its answer was lost before it was saved"
        else:
            why = "the refresh token is spent or revoked, and no other host has saved a new pair"
        raise self._server.refusal(refused.code, why)

    def _pauses(self, mark: RefreshMark) -> Iterator[float]:
        """Yield the pauses that fill the time for which another host's pair may still come."""
        left = self._left(mark)
        for number, delay in enumerate(chain(_REREAD_DELAYS, repeat(_REREAD_DELAYS[-1]))):
            if left <= 0:
                return
            if number == 1:
                text = "Connection %r: another process has spent the refresh token; waiting for its new pair"
                log.info(text, self._conn_id)
            yield min(delay, left)
            left -= delay

    def _left(self, mark: RefreshMark) -> float:
        """Return for how many seconds the pair of who spent the token may still come."""
        return self._patience - mark.age(self._clock())

    def _known(self, mark: Mark, refresh: Secret) -> RefreshMark | None:
        """Return what the mark says of a token, by this host's clock; a mark from the future says nothing."""
        known, now = RefreshMark.read(mark.read()), self._clock()
        if known is None or known.token != fingerprint(refresh.reveal()):
            return None
        known = known.moved(-mark.clock_offset(now))
        return None if known.is_from_future(now) else known

    def _write(self, mark: Mark, known: RefreshMark) -> None:
        """Write what is known of a token, by the clock of all who share the mark."""
        mark.write(str(known.moved(mark.clock_offset(self._clock()))))

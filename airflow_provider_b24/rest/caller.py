"""The attempts of a call: one request at a time, the retry loop, and the typed error in the end.

A single call and the commands of a batch go through the same loop. Each call of a request has its own
outcome: what succeeded is done, what may be retried is sent again, and the rest gets its error.
"""

from __future__ import annotations

import logging
import time
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_b24.exceptions import (
    Bitrix24ApiError,
    Bitrix24AuthError,
    Bitrix24Error,
    Bitrix24LockTimeoutError,
    Bitrix24NoAnswerError,
    Bitrix24OperatingLimitError,
    Bitrix24OutcomeUnknownError,
    Bitrix24PortalMovedError,
    Bitrix24RateLimitError,
    Bitrix24UnreachableError,
    Outcome,
)
from airflow_provider_b24.rest.error_codes import RetryKind, error_type, retry_kind
from airflow_provider_b24.rest.limiter import Limiter, NoLimit
from airflow_provider_b24.rest.operating_time import OperatingTimeTracker
from airflow_provider_b24.rest.redaction import REGISTRY
from airflow_provider_b24.rest.response import Failure, Response
from airflow_provider_b24.rest.retry import GiveUp, RefreshToken, RetryPolicy, Step, Wait, next_step
from airflow_provider_b24.rest.token_replacement import TokenReplacement
from airflow_provider_b24.utils.frames import without_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_b24.rest.auth import Credentials
    from airflow_provider_b24.rest.transport import HttpReply, HttpRequest, NoReply, Transport

log = logging.getLogger(__name__)

#: Tokens that one call tries after the first one was refused.
_MAX_REPLACED_TOKENS = 2


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a method, alone or in a batch.

    :param method: the REST method.
    :param idempotent: whether it may be sent again after an attempt whose outcome is unknown.
    """

    method: str
    idempotent: bool


Result = Response | Bitrix24Error


class Exchange(Protocol):
    """How calls become one request, and how its reply becomes their outcomes."""

    @property
    def method(self) -> str:
        """The REST method that the request calls."""

    def body(self, calls: list[Call]) -> bytes:
        """Return the request's body."""

    def read(self, reply: HttpReply | NoReply, calls: list[Call]) -> list[Response | Failure] | Failure:
        """Return an outcome for each call, or one failure when the request as a whole failed."""


@dataclass
class _Progress:
    """What happened to one call so far.

    :param sent: how many requests were sent.
    :param rate_limited: how many attempts the portal refused for its rate.
    :param failed: how many attempts failed otherwise.
    :param replaced_tokens: how many tokens came in place of refused ones.
    :param refreshed: whether its token can't be refreshed once more.
    :param may_have_executed: whether an attempt had an unknown outcome.
    """

    sent: int = 0
    rate_limited: int = 0
    failed: int = 0
    replaced_tokens: int = 0
    refreshed: bool = False
    may_have_executed: bool = False

    def record_failure(self, failure: Failure) -> None:
        """Record a failed attempt: waits for the rate leave the attempts for other failures as they are."""
        if retry_kind(failure.code) is RetryKind.RATE_LIMIT:
            self.rate_limited += 1
        else:
            self.failed += 1
        self.may_have_executed |= failure.outcome is Outcome.UNKNOWN

    def attempts_like(self, failure: Failure) -> int:
        """Return how many attempts count where this one does."""
        return self.rate_limited if retry_kind(failure.code) is RetryKind.RATE_LIMIT else self.failed

    def record_token(self, replacement: TokenReplacement) -> None:
        """Record what came in place of a refused token: one that was taken over may have expired, too."""
        self.replaced_tokens += replacement is not TokenReplacement.NONE
        fresh = replacement is TokenReplacement.REFRESHED
        self.refreshed = fresh or self.replaced_tokens >= _MAX_REPLACED_TOKENS


class Caller:
    """Sends requests within the portal's limits and retries them.

    :param credentials: who calls.
    :param transport: how requests travel.
    :param limiter: the portal's bucket.
    :param conn_id: the Airflow connection, named in errors.
    :param policy: how often a call is retried.
    :param clock: returns Unix seconds.
    :param sleep: waits for seconds.
    """

    def __init__(
        self,
        *,
        credentials: Credentials,
        transport: Transport,
        limiter: Limiter | None = None,
        conn_id: str | None = None,
        policy: RetryPolicy | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.conn_id = conn_id
        self.operating = OperatingTimeTracker(clock)
        self._credentials = credentials
        self._transport = transport
        self._limiter = limiter or NoLimit()
        self._policy = policy or RetryPolicy()
        self._clock = clock
        self._sleep = sleep

    def run(self, exchange: Exchange, calls: Iterable[Call], done: dict[Call, Result]) -> None:
        """Send calls, retry those that may be retried, and put the result of each into ``done``.

        :param exchange: how the calls travel.
        :param calls: what to send.
        :param done: takes the results, as soon as they are known.
        :raises Bitrix24Error: when the request as a whole failed for every call.
        """
        progress = {call: _Progress() for call in calls}
        pending = list(progress)
        while pending:
            request, outcome = self._attempt(exchange, pending)
            failed = self._sort(pending, outcome, progress, done, sent=request is not None)
            steps = {call: self._next_step(call, failure, progress[call]) for call, failure in failed.items()}
            self._refresh_token(request, steps, failed, progress)
            given_up = [call for call, step in steps.items() if isinstance(step, GiveUp)]
            if isinstance(outcome, Failure) and _ends_request(outcome, given_up, progress):
                raise self.error(exchange.method, failed[given_up[0]], progress[given_up[0]], idempotent=True)
            for call in given_up:
                done[call] = self._error_of(call, failed[call], progress[call])
            pending = [call for call in steps if call not in done]
            self._pause(exchange.method, pending, steps, failed, progress)

    def _attempt(
        self, exchange: Exchange, calls: list[Call]
    ) -> tuple[HttpRequest | None, list[Response | Failure] | Failure]:
        """Send one request; return it, or None when it was not sent, and what came back."""
        try:
            request = self._credentials.request(exchange.method, exchange.body(calls))
            self._limiter.wait()
        except Bitrix24Error as error:
            return None, _not_sent(error)
        started = self._clock()
        outcome = exchange.read(self._transport.send(request), calls)
        # A 503 of another kind, such as a page of maintenance, says nothing of who else uses the address.
        if isinstance(outcome, Failure) and retry_kind(outcome.code) is RetryKind.RATE_LIMIT:
            self._limiter.refused()
        log.debug("%s: %s in %.3f s", exchange.method, type(outcome).__name__, self._clock() - started)
        return request, outcome

    def _sort(
        self,
        calls: list[Call],
        outcome: list[Response | Failure] | Failure,
        progress: dict[Call, _Progress],
        done: dict[Call, Result],
        *,
        sent: bool,
    ) -> dict[Call, Failure]:
        """Put the responses into ``done`` and return the failures."""
        failed: dict[Call, Failure] = {}
        results = [outcome] * len(calls) if isinstance(outcome, Failure) else outcome
        for call, result in zip(calls, results, strict=True):
            state = progress[call]
            state.sent += sent
            if isinstance(result, Failure):
                state.record_failure(result)
                failed[call] = result
            else:
                self.operating.record(call.method, result.operating)
                done[call] = replace(result, attempts=state.sent, may_have_executed=state.may_have_executed)
        return failed

    def _next_step(self, call: Call, failure: Failure, state: _Progress) -> Step:
        return next_step(
            failure,
            attempt=state.attempts_like(failure),
            idempotent=call.idempotent,
            policy=self._policy,
            reset_in=self.operating.reset_in(call.method),
            refreshed=state.refreshed,
        )

    def _refresh_token(
        self,
        request: HttpRequest | None,
        steps: dict[Call, Step],
        failed: dict[Call, Failure],
        progress: dict[Call, _Progress],
    ) -> None:
        """Refresh the token once for all calls that were refused for it, and say what follows for each."""
        calls = [call for call, step in steps.items() if isinstance(step, RefreshToken)]
        if not calls or request is None:
            return
        try:
            replacement = self._credentials.refresh(request)
        except Bitrix24Error as error:
            failure = _not_sent(error)
            for call in calls:
                failed[call] = failure
                steps[call] = self._next_step(call, failure, progress[call])
            return
        for call in calls:
            progress[call].record_token(replacement)
            steps[call] = GiveUp() if replacement is TokenReplacement.NONE else Wait(0.0)

    def _pause(
        self,
        method: str,
        pending: list[Call],
        steps: dict[Call, Step],
        failed: dict[Call, Failure],
        progress: dict[Call, _Progress],
    ) -> None:
        """Log why calls are retried, and wait for the longest of their delays."""
        delays = {call: step.seconds for call in pending if isinstance(step := steps[call], Wait)}
        longest = max(delays, key=delays.__getitem__, default=None)
        if longest is None or delays[longest] <= 0.0:
            return
        failure, seconds, state = failed[longest], delays[longest], progress[longest]
        reason = REGISTRY.redact_and_truncate(failure.code or failure.description)
        attempt = state.rate_limited + state.failed
        log.warning("%s: attempt %d failed (%s); retrying in %.1f s", method, attempt, reason, seconds)
        self._sleep(seconds)

    def _error_of(self, call: Call, failure: Failure, state: _Progress) -> Bitrix24Error:
        return self.error(call.method, failure, state, idempotent=call.idempotent)

    def error(self, method: str, failure: Failure, state: _Progress, *, idempotent: bool) -> Bitrix24Error:
        """Return the typed error for a failure."""
        if state.may_have_executed and failure.outcome is Outcome.NOT_EXECUTED:
            # The last attempt was not executed, but an earlier one may have been.
            failure = replace(failure, outcome=Outcome.UNKNOWN)
        # A copy: calls that failed together get an error each.
        error = copy(failure.error) if failure.error else self._typed(method, failure, idempotent=idempotent)
        error.outcome = failure.outcome
        error.attempts = state.sent or None
        error.method = error.method or method
        error.conn_id = error.conn_id or self.conn_id
        error.may_have_executed = state.may_have_executed
        return error

    def _typed(self, method: str, failure: Failure, *, idempotent: bool) -> Bitrix24Error:
        description = failure.description
        if failure.argument:
            description = f"{description} (parameter {failure.argument})"
        fields: dict[str, Any] = {
            "method": method,
            "code": REGISTRY.redact_and_truncate(failure.code) or None,
            "description": REGISTRY.redact_and_truncate(description),
            "status": failure.status,
        }
        if (failure.status or 0) // 100 == 3:
            return _moved(failure, fields)
        if failure.outcome is Outcome.UNKNOWN and not idempotent:
            return Bitrix24OutcomeUnknownError(**fields)
        if not failure.code and failure.outcome is Outcome.UNKNOWN:
            return Bitrix24NoAnswerError(**fields)
        if not failure.code and failure.status is None and failure.outcome is Outcome.NOT_EXECUTED:
            return Bitrix24UnreachableError(**fields)
        kind = error_type(method=method, code=failure.code, status=failure.status)
        if issubclass(kind, Bitrix24OperatingLimitError):
            fields["reset_at"] = self.operating.reset_at(method)
        if kind is Bitrix24AuthError:
            fields["advice"] = self._credentials.auth_advice
        return kind(**fields)


def _not_sent(error: Bitrix24Error) -> Failure:
    """Return the failure of an attempt that ended before its request was sent.

    It has no code: one of the OAuth server says nothing of how the call is retried.
    """
    # A queue that is too long stays so for the whole call, and a lock was waited for long enough.
    lasting = isinstance(error, Bitrix24RateLimitError | Bitrix24LockTimeoutError)
    retryable = error.transient is True and not lasting
    return Failure(
        Outcome.NOT_EXECUTED,
        description=error.message or error.description or "",
        retryable=retryable,
        error=without_frames(error),
    )


def _ends_request(failure: Failure, given_up: list[Call], progress: dict[Call, _Progress]) -> bool:
    """Say whether a request failed for all of its calls in the same way."""
    if len(given_up) < len(progress):
        return False
    return failure.outcome is not Outcome.UNKNOWN or all(call.idempotent for call in given_up)


def _moved(failure: Failure, fields: dict[str, Any]) -> Bitrix24ApiError:
    location = failure.location
    where = f"to {location}" if location else "elsewhere"
    return Bitrix24PortalMovedError(
        location=location,
        **{**fields, "description": f"the portal redirects {where}"},
        advice="If that is your portal's new address, put it (and a new webhook) into the connection.",
    )

"""One call of any method: authentication, limits, retries, and an error that says what became of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import (
    Bitrix24ApiError,
    Bitrix24Error,
    Bitrix24NoAnswerError,
    Bitrix24OperatingLimitError,
    Bitrix24OutcomeUnknownError,
    Bitrix24PortalMovedError,
    Bitrix24UnreachableError,
    Outcome,
)
from airflow_provider_b24.rest.encoding import check_params, encode_json
from airflow_provider_b24.rest.error_codes import error_type
from airflow_provider_b24.rest.idempotency import BINARY_METHODS, is_repeatable
from airflow_provider_b24.rest.operating_time import OperatingTimeTracker
from airflow_provider_b24.rest.rate_limit import Limiter, NoLimit
from airflow_provider_b24.rest.redaction import REGISTRY
from airflow_provider_b24.rest.response import Answer, Failure, classify
from airflow_provider_b24.rest.retry import Renew, RetryPolicy, Wait, next_step

if TYPE_CHECKING:
    from airflow_provider_b24.rest.auth import Credentials
    from airflow_provider_b24.rest.batch import BatchResult
    from airflow_provider_b24.rest.transport import Transport

log = logging.getLogger(__name__)

_PAGE_LIMIT = 100_000


class Bitrix24Client:
    """Calls a portal's REST methods within its limits.

    :param credentials: who calls.
    :param transport: how requests travel.
    :param limiter: the portal's bucket.
    :param conn_id: the Airflow connection, named in errors.
    :param policy: how long to insist.
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
        self.portal = credentials.portal
        self.conn_id = conn_id
        self._credentials = credentials
        self._transport = transport
        self._limiter = limiter or NoLimit()
        self._policy = policy or RetryPolicy()
        self._clock = clock
        self._sleep = sleep
        self.operating = OperatingTimeTracker(clock)

    def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, repeatable: bool | None = None
    ) -> Any:
        """Call one method and return the reply's ``result``.

        :param method: the method's name as Bitrix24 documents it, for example ``user.get``.
        :param params: its parameters; dates, decimals and nested values are encoded.
        :param repeatable: whether the call may be repeated although it may have been executed;
            None looks the method up in :mod:`airflow_provider_b24.rest.idempotency`.
        :raises Bitrix24OutcomeUnknownError: when it may have been executed and must not be repeated.
        :raises Bitrix24Error: one of the types of :mod:`airflow_provider_b24.exceptions`.
        """
        return self.ask(method, params, repeatable=repeatable).result

    def ask(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        repeatable: bool | None = None,
    ) -> Answer:
        """Call one method and return the whole answer: result, total, next page and attempts."""
        checked = check_params(method, params)
        body = encode_json(checked)
        if repeatable is None:
            repeatable = is_repeatable(method, checked)
        try:
            return self._insist(method, body, repeatable)
        except Bitrix24Error as error:
            error.conn_id = error.conn_id or self.conn_id
            error.method = error.method or method
            raise

    def call_batch(
        self, commands: Mapping[Any, Sequence[Any] | str], *, repeatable: bool | None = None
    ) -> BatchResult:
        """Call many methods, fifty a request, and return a result or an error for each.

        :param commands: a key of your own to ``(method, params)``, or to a method without parameters.
        :param repeatable: whether each may be repeated although it may have been executed; None looks
            the methods up.
        """
        from airflow_provider_b24.rest.batch import run_batch

        return run_batch(self, commands, repeatable=repeatable)

    def iterate(self, method: str, params: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """Yield every item of a list method, page by page.

        Methods that wrap their list (``{"items": [...]}``) are unwrapped.

        :raises Bitrix24Error: also when the method answers with no list, or with several.
        """
        start: int | None = None
        for _ in range(_PAGE_LIMIT):
            page = dict(params or {}) if start is None else {**(params or {}), "start": start}
            answer = self.ask(method, page)
            items = self._items(method, answer.result)
            yield from items
            if answer.next is None or answer.next <= (start or 0) or not items:
                return
            start = answer.next

    def _items(self, method: str, result: Any) -> list[Any]:
        items = list_of(result)
        if items is None:
            raise Bitrix24Error(
                f"{method} answers with no list, or with several, so it has no items to go through",
                method=method,
                conn_id=self.conn_id,
                advice="Call it with hook.call and take what you need from the result.",
            )
        return items

    def _insist(self, method: str, body: bytes, repeatable: bool) -> Answer:
        attempt = 0
        renewed = doubtful = False
        while True:
            attempt += 1
            outcome, request = self._attempt(method, body)
            if isinstance(outcome, Answer):
                self.operating.note(method, outcome.operating)
                return replace(outcome, attempts=attempt)
            doubtful = doubtful or outcome.outcome is Outcome.UNKNOWN
            step = next_step(
                outcome,
                attempt=attempt,
                repeatable=repeatable,
                policy=self._policy,
                reset_in=self.operating.reset_in(method),
                renewed=renewed,
            )
            if isinstance(step, Renew) and self._credentials.renew(request):
                renewed = True
            elif isinstance(step, Wait):
                self.pause(method, outcome.code or outcome.description, attempt, step.seconds)
            else:
                if doubtful and outcome.outcome is Outcome.NOT_EXECUTED:
                    # The last attempt was not executed, but an earlier one may have been.
                    outcome = replace(outcome, outcome=Outcome.UNKNOWN)
                raise self.error(method, outcome, attempts=attempt, repeatable=repeatable)

    def _attempt(self, method: str, body: bytes) -> tuple[Answer | Failure, Any]:
        request = self._credentials.request(method, body)
        self._limiter.wait()
        started = self._clock()
        reply = self._transport.send(request)
        outcome = classify(reply, binary=method.lower() in BINARY_METHODS)
        if isinstance(outcome, Failure) and _is_overflow(outcome):
            self._limiter.refused()
        log.debug("%s: %s in %.3f s", method, type(outcome).__name__, self._clock() - started)
        return outcome, request

    def pause_before_repeat(self, error: Bitrix24Error, attempt: int) -> float | None:
        """Return how long to wait before a command that was not executed is sent again; None is never."""
        failure = Failure(Outcome.NOT_EXECUTED, code=error.code or "")
        reset_in = self.operating.reset_in(error.method or "")
        step = next_step(failure, attempt=attempt, repeatable=False, policy=self._policy, reset_in=reset_in)
        return step.seconds if isinstance(step, Wait) else None

    def pause(self, method: str, why: str, attempt: int, seconds: float) -> None:
        """Say in the log why a call is repeated, and wait."""
        log.warning(
            "%s: attempt %d got no answer (%s); asking again in %.1f s",
            method,
            attempt,
            REGISTRY.redact_and_truncate(why),
            seconds,
        )
        self._sleep(seconds)

    def error(self, method: str, failure: Failure, *, attempts: int, repeatable: bool) -> Bitrix24Error:
        """Return the typed error for a failure."""
        description = failure.description
        if failure.argument:
            description = f"{description} (parameter {failure.argument})"
        fields: dict[str, Any] = {
            "method": method,
            "code": REGISTRY.redact_and_truncate(failure.code) or None,
            "description": REGISTRY.redact_and_truncate(description),
            "status": failure.status,
            "attempts": attempts,
            "outcome": failure.outcome,
            "conn_id": self.conn_id,
        }
        return _typed(method, failure, fields, repeatable, self.operating.reset_at(method))


def list_of(result: Any) -> list[Any] | None:
    """Return the list in a list method's result, wrapped in a mapping or not; None when it holds none."""
    if isinstance(result, list):
        return result
    if not isinstance(result, Mapping):
        return None
    if not result:
        return []
    if isinstance(result.get("items"), list):
        items: list[Any] = result["items"]
        return items
    if _is_list_with_gaps(result):
        return list(result.values())
    lists = [
        list_of(value) for value in result.values() if isinstance(value, list) or _is_list_with_gaps(value)
    ]
    return lists[0] if len(lists) == 1 else None


def _is_list_with_gaps(value: Any) -> bool:
    """Recognise what PHP writes for a list that lacks its beginning or has holes: an object of numbers."""
    return isinstance(value, Mapping) and bool(value) and all(str(key).isdecimal() for key in value)


def _is_overflow(failure: Failure) -> bool:
    return failure.code.lower() == "query_limit_exceeded" or failure.status == 503


def _typed(
    method: str, failure: Failure, fields: dict[str, Any], repeatable: bool, reset_at: float | None
) -> Bitrix24Error:
    if (failure.status or 0) // 100 == 3:
        return _moved(failure, fields)
    if failure.outcome is Outcome.UNKNOWN and not repeatable:
        return Bitrix24OutcomeUnknownError(**fields)
    if not failure.code and failure.outcome is Outcome.UNKNOWN:
        return Bitrix24NoAnswerError(**fields)
    if not failure.code and failure.status is None and failure.outcome is Outcome.NOT_EXECUTED:
        return Bitrix24UnreachableError(**fields)
    kind = error_type(method=method, code=failure.code, status=failure.status)
    if issubclass(kind, Bitrix24OperatingLimitError):
        return kind(reset_at=reset_at, **fields)
    return kind(**fields)


def _moved(failure: Failure, fields: dict[str, Any]) -> Bitrix24ApiError:
    location = failure.location
    where = f"to {location}" if location else "elsewhere"
    return Bitrix24PortalMovedError(
        location=location,
        **{**fields, "description": f"the portal redirects {where}"},
        advice="If that is your portal's new address, put it (and a new webhook) into the connection.",
    )

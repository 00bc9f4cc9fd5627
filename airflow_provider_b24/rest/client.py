"""The REST methods of one portal: a single call, a batch, or all pages of a list."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24OutcomeUnknownError, Outcome
from airflow_provider_b24.rest import php
from airflow_provider_b24.rest.batch import run_batch
from airflow_provider_b24.rest.caller import Call, Caller, Result
from airflow_provider_b24.rest.encoding import check_params
from airflow_provider_b24.rest.idempotency import is_idempotent
from airflow_provider_b24.rest.pagination import paginate
from airflow_provider_b24.rest.single_call import SingleCall
from airflow_provider_b24.utils.frames import hide_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_b24.rest.auth import Credentials
    from airflow_provider_b24.rest.batch import BatchResult
    from airflow_provider_b24.rest.limiter import Limiter
    from airflow_provider_b24.rest.operating_time import OperatingTimeTracker
    from airflow_provider_b24.rest.response import Response
    from airflow_provider_b24.rest.retry import RetryPolicy
    from airflow_provider_b24.rest.transport import Transport


@hide_frames
class Bitrix24Client:
    """Calls a portal's REST methods within its limits.

    :param credentials: who calls.
    :param transport: how requests travel.
    :param limiter: the portal's bucket.
    :param conn_id: the Airflow connection, named in errors.
    :param policy: how often a call is retried.
    :param clock: returns Unix seconds.
    :param sleep: waits for seconds.
    :param anonymous_value: the ANONYMITY that the connection takes for anonymous polls, for the polls' part;
        None where it says nothing.
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
        anonymous_value: int | None = None,
    ) -> None:
        self.anonymous_value = anonymous_value
        self.portal = credentials.portal
        self.conn_id = conn_id
        self._caller = Caller(
            credentials=credentials,
            transport=transport,
            limiter=limiter,
            conn_id=conn_id,
            policy=policy,
            clock=clock,
            sleep=sleep,
        )

    @property
    def operating(self) -> OperatingTimeTracker:
        """How much of its running time each method has used."""
        return self._caller.operating

    def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, repeatable: bool | None = None
    ) -> Any:
        """Call one method and return the reply's ``result``.

        :param method: the method's name as Bitrix24 documents it, for example ``user.get``.
        :param params: its parameters; dates, decimals and nested values are encoded.
        :param repeatable: whether the call is idempotent, so that it may be sent again after an attempt
            whose outcome is unknown; None looks the method up in
            :mod:`airflow_provider_b24.rest.idempotency`.
        :raises Bitrix24OutcomeUnknownError: when it may have been executed and is not idempotent.
        :raises Bitrix24Error: one of the types of :mod:`airflow_provider_b24.exceptions`.
        """
        return self.request(method, params, repeatable=repeatable).result

    def call_for_id(self, method: str, params: Mapping[str, Any]) -> int:
        """Call a method that posts something, and return the id of what it posted.

        :param method: the method's name.
        :param params: its parameters.
        :raises Bitrix24OutcomeUnknownError: when the reply has no id.
        """
        result = self.call(method, params)
        try:
            return php.as_id(result)
        except ValueError:
            raise self.outcome_unknown(method, "the reply has no id") from None

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        repeatable: bool | None = None,
    ) -> Response:
        """Call one method and return the whole response: result, total, next page and attempts.

        :param method: the method's name.
        :param params: its parameters.
        :param repeatable: the same as for :meth:`call`.
        :raises Bitrix24Error: one of the types of :mod:`airflow_provider_b24.exceptions`.
        """
        checked = check_params(method, params)
        if repeatable is None:
            repeatable = is_idempotent(method, checked)
        call = Call(method, repeatable)
        done: dict[Call, Result] = {}
        self._caller.run(SingleCall(method, checked), [call], done)
        result = done[call]
        if isinstance(result, Bitrix24Error):
            raise result
        return result

    def call_batch(
        self, commands: Mapping[Any, Sequence[Any] | str], *, repeatable: bool | None = None
    ) -> BatchResult:
        """Call many methods, fifty a request, and return a result or an error for each.

        :param commands: a key of your own to ``(method, params)``, or to a method without parameters.
        :param repeatable: whether each is idempotent; None looks the methods up.
        :raises Bitrix24ValidationError: when a command is not usable; nothing is sent.
        """
        return run_batch(self._caller, commands, idempotent=repeatable)

    def iterate(
        self, method: str, params: Mapping[str, Any] | None = None, *, repeatable: bool | None = None
    ) -> Iterator[Any]:
        """Yield every item of a list method, page by page.

        Methods that wrap their list (``{"items": [...]}``) are unwrapped.

        :param method: the list method.
        :param params: its parameters.
        :param repeatable: the same as for :meth:`call`, for each page.
        :raises Bitrix24Error: also when the method answers with no list, or with several.
        """
        try:
            yield from paginate(partial(self.request, repeatable=repeatable), method, params)
        except Bitrix24Error as error:
            error.conn_id = error.conn_id or self.conn_id
            raise

    def refusal(self, kind: type[Bitrix24Error], method: str, text: str) -> Bitrix24Error:
        """Return the error for a reply that refuses a call without saying so.

        :param kind: the type of error.
        :param method: the method that answered.
        :param text: what is wrong.
        """
        return kind(method=method, description=text, outcome=Outcome.REFUSED, conn_id=self.conn_id)

    def outcome_unknown(self, method: str, text: str, **fields: Any) -> Bitrix24OutcomeUnknownError:
        """Return the error for a reply that does not say what the call did.

        :param method: the method that answered.
        :param text: what is wrong.
        :param fields: further fields of the error, for example its advice.
        """
        fields = {"outcome": Outcome.UNKNOWN, "conn_id": self.conn_id, **fields}
        return Bitrix24OutcomeUnknownError(method=method, description=text, **fields)

"""The hook's client, with the raw reply of each call: a probe looks at what a client hides."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.conformance.answers import Answer
from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24LimitError, Bitrix24ScopeError
from airflow_provider_b24.rest.decoding import decode
from airflow_provider_b24.rest.transport import HttpReply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from airflow_provider_b24.rest.transport import HttpRequest, NoReply, Transport


class Recorder:
    """A transport that keeps the last reply.

    :param transport: how requests travel.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.last: HttpReply | None = None

    def send(self, request: HttpRequest) -> HttpReply | NoReply:
        """Send one request, once."""
        reply = self._transport.send(request)
        self.last = reply if isinstance(reply, HttpReply) else None
        return reply


class RecordedPortal:
    """Calls a portal within its limits, and returns what it really answered.

    :param hook: the connection's hook.
    """

    def __init__(self, hook: Bitrix24Hook) -> None:
        self._recorder = Recorder(hook.transport)
        self._client = hook.client_with(transport=self._recorder, limiter=hook.limiter)

    def ask(
        self, method: str, params: Mapping[str, Any] | None = None, *, without_scope: bool = False
    ) -> Answer:
        """Call a method and return the portal's answer, be it a refusal.

        :param method: the method.
        :param params: its parameters.
        :param without_scope: whether a missing scope is an answer too.
        :raises Bitrix24Error: when there is no answer, a limit stopped the call, or a scope is missing.
        """
        error = self._call(method, params)
        stopped = isinstance(error, Bitrix24LimitError) or (
            isinstance(error, Bitrix24ScopeError) and not without_scope
        )
        answer = None if self._recorder.last is None else read_answer(self._recorder.last)
        if error is not None and (stopped or answer is None):
            raise error
        if answer is None:
            # A method that answers with a file.
            return Answer(200, {"result": None})
        return answer

    def _call(self, method: str, params: Mapping[str, Any] | None) -> Bitrix24Error | None:
        self._recorder.last = None
        try:
            self._client.request(method, params)
        except Bitrix24Error as error:
            return error
        return None


def read_answer(reply: HttpReply) -> Answer | None:
    """Return the answer in a reply; None when it is no answer of Bitrix24.

    :param reply: the reply.
    """
    body: Any = None
    with suppress(ValueError):
        body = decode(reply.body)
    is_answer = isinstance(body, dict) and ("result" in body or "error" in body)
    return Answer(reply.status, body) if is_answer else None

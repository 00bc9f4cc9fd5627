"""One call in one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.rest.encoding import encode_json
from airflow_provider_b24.rest.response import BINARY_METHODS, Failure, Response, classify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_b24.rest.caller import Call
    from airflow_provider_b24.rest.transport import HttpReply, NoReply


class SingleCall:
    """One call in one request.

    :param method: the REST method.
    :param params: its parameters.
    :raises Bitrix24ValidationError: when a parameter is no JSON value.
    """

    def __init__(self, method: str, params: Mapping[str, Any]) -> None:
        self.method = method
        self._body = encode_json(params)

    def body(self, calls: list[Call]) -> bytes:  # noqa: ARG002
        """Return the request's body."""
        return self._body

    def read(self, reply: HttpReply | NoReply, calls: list[Call]) -> list[Response | Failure] | Failure:  # noqa: ARG002
        """Return the call's response, or why there is none."""
        outcome = classify(reply, binary=self.method.lower() in BINARY_METHODS)
        return outcome if isinstance(outcome, Failure) else [outcome]

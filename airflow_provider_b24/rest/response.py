"""A reply, or its absence, becomes a response or a failure that says whether the call was executed.

The status alone decides nothing: an error can come with status 200, a limit with 401, and a
success never without the key ``result``.

=====================================  ============  ==============================================
what came back                         executed?     why
=====================================  ============  ==============================================
no connection                          not executed  no byte reached the portal
JSON with ``QUERY_LIMIT_EXCEEDED``     not executed  the front server refuses before it runs
JSON with ``OPERATION_TIME_LIMIT``     not executed  checked before the method runs
JSON with ``expired_token``            not executed  checked before the method runs
status 429 with any body               not executed  what 429 means
JSON with any other ``error``, < 500   refused       the method itself, or a check before it, said no
3xx; 4xx without JSON                  refused       never reached the method
JSON with an ``error``, >= 500         unknown       the method may have stopped halfway
5xx without JSON, also 503             unknown       a proxy speaks, and can't know
2xx without usable JSON                unknown       executed most likely, the answer is lost
timeout, reset, reply too large        unknown       no answer
=====================================  ============  ==============================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_b24.exceptions import Bitrix24Error, Outcome
from airflow_provider_b24.rest.decoding import TooLargeError, decode
from airflow_provider_b24.rest.error_codes import outcome_of
from airflow_provider_b24.rest.redaction import REGISTRY
from airflow_provider_b24.rest.transport import HttpReply, NoReply

#: Methods that answer with a file instead of JSON, in lower case.
BINARY_METHODS = frozenset({"vote.attachedvote.download"})


@dataclass(frozen=True)
class OperatingTime:
    """How much of its running time a method has used, as the portal reports it.

    :param used: seconds within the current ten minutes.
    :param reset_at: when the portal counts from 0 again, in Unix seconds.
    """

    used: float = 0.0
    reset_at: float | None = None


@dataclass(frozen=True)
class Response:
    """What the portal answered to a call that it executed.

    :param result: the reply's ``result``.
    :param total: how many items a list method knows in all.
    :param next: where the next page starts; None on the last.
    :param raw: the reply's body when it is no JSON (a download).
    :param attempts: how many requests were sent.
    :param may_have_executed: whether an earlier attempt may have been executed too.
    """

    result: Any
    total: int | None = None
    next: int | None = None
    operating: OperatingTime = field(default_factory=OperatingTime)
    raw: bytes | None = field(default=None, repr=False)
    attempts: int = 1
    may_have_executed: bool = False


@dataclass(frozen=True)
class Failure:
    """Why there is no response, and whether the portal executed the call.

    :param code: the portal's error code; empty when the failure isn't the portal's.
    :param location: where a redirect points to: scheme and host only.
    :param retryable: False when a retry would end in the same way.
    :param argument: the parameter that the portal names.
    :param error: the typed error, where it is known already: nothing was sent to the portal.
    """

    outcome: Outcome
    code: str = ""
    description: str = ""
    status: int | None = None
    location: str | None = None
    retryable: bool = True
    argument: str | None = None
    error: Bitrix24Error | None = None


def classify(reply: HttpReply | NoReply, *, binary: bool = False) -> Response | Failure:
    """Read one reply.

    :param binary: whether the method answers with a file instead of JSON.
    """
    if isinstance(reply, NoReply):
        return Failure(reply.outcome, description=reply.reason, retryable=reply.retryable)
    try:
        body = _json(reply.body)
    except TooLargeError as error:
        return _too_large(reply, error)
    if isinstance(body, dict) and (problem := error_in(body)) is not None:
        return read_problem(problem, status=reply.status)
    if 300 <= reply.status < 400:
        return _redirect(reply)
    if 200 <= reply.status < 300:
        return _success(reply, body, binary=binary)
    return Failure(outcome_of("", status=reply.status), description=_describe(reply), status=reply.status)


def error_in(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the part of a reply that holds an error, at the top or inside ``result``.

    The code may be ``"0"``, 0 or empty: the key's presence counts, not its value.
    """
    if "error" in body and (body.get("result") is None or body["result"] is False):
        return body
    inner = body.get("result")
    if isinstance(inner, dict) and inner.get("error") and inner.get("result") is False:
        return inner
    return None


def read_operating(time: Any) -> OperatingTime:
    """Return what a reply's ``time`` says of the method's running time."""
    if not isinstance(time, dict):
        return OperatingTime()
    return OperatingTime(_seconds(time.get("operating")), _seconds(time.get("operating_reset_at")) or None)


def read_problem(problem: Any, *, status: int | None) -> Failure:
    """Return the failure that a reply, or a batch about one command, describes.

    :param problem: an object with ``error`` and ``error_description``; PHP may leave it a text or a list.
    :param status: the HTTP status; None inside a batch.
    """
    fields = problem if isinstance(problem, dict) else {"error_description": problem}
    error = fields.get("error")
    # REST 3.0 nests code and message; no method of this provider is there, a call by name may be.
    nested = error if isinstance(error, dict) else {}
    code = _code_text(nested.get("code") if nested else error)
    text = nested.get("message") or fields.get("error_description") or ""
    return Failure(
        outcome_of(code, status=status),
        code=code,
        description=str(text),
        status=status,
        argument=fields.get("argument"),
    )


def _code_text(code: Any) -> str:
    """Return an error code, which PHP may have written as a number or as nothing, as text."""
    return "" if code is None else str(code)


def _redirect(reply: HttpReply) -> Failure:
    location = _origin(reply.location or "")
    text = f"the portal redirects to {location or 'another address'}"
    return Failure(Outcome.REFUSED, description=text, status=reply.status, location=location)


def _origin(url: str) -> str | None:
    """Return scheme and host alone: the path of a redirect repeats the webhook's code."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return REGISTRY.redact_and_truncate(origin) if parts.netloc else None


def _success(reply: HttpReply, body: Any, *, binary: bool) -> Response | Failure:
    if isinstance(body, dict) and "result" in body:
        return Response(
            body["result"], _int(body.get("total")), _int(body.get("next")), read_operating(body.get("time"))
        )
    if binary and body is None and reply.body and _is_file(reply):
        return Response(None, raw=reply.body)
    return Failure(Outcome.UNKNOWN, description=_describe(reply), status=reply.status)


def _is_file(reply: HttpReply) -> bool:
    """Tell a report, which is an HTML table too, from a proxy's or a login page, and from JSON's ``null``."""
    kind = reply.content_type.lower()
    if "json" in kind or reply.body.strip() == b"null":
        return False
    return "attachment" in reply.disposition.lower() or "html" not in kind


def _describe(reply: HttpReply) -> str:
    if not reply.body.strip():
        return "the reply is empty"
    if "html" in reply.content_type.lower() or reply.body.lstrip()[:1] == b"<":
        return "the reply is an HTML page, not Bitrix24's JSON"
    return "the reply is not Bitrix24's JSON"


def _json(body: bytes) -> Any:
    try:
        return decode(body)
    except TooLargeError:
        raise
    except ValueError:
        return None


def _too_large(reply: HttpReply, error: TooLargeError) -> Failure:
    outcome = Outcome.UNKNOWN if reply.status < 300 else outcome_of("", status=reply.status)
    text = f"the reply is not decoded: {error}"
    return Failure(outcome, description=text, status=reply.status, retryable=False)


def _int(value: Any) -> int | None:
    text = str(value)
    # No list is longer than a 64-bit number can count.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0

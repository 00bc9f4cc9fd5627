"""A large reply to a batch, decoded command by command, and made small on the way.

A reply with 2,500 polls is some 5 MB of JSON: decoded at once it would stop every other thread of the
process for a tenth of a second, and its objects would take 30 MB for a moment. Here each command's result
is decoded by itself, and what nobody needs of it is let go before the next one.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.rest.transport import HttpReply

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.transport import HttpRequest, NoReply, Transport

#: Where a batch keeps the results of its commands.
_PATH = ("result", "result")
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")


class PartialJsonTransport:
    """A transport whose batch replies are made small.

    :param inner: sends the requests.
    :param shrink: returns what is kept of a command's result.
    """

    def __init__(self, inner: Transport, shrink: Callable[[Any], Any]) -> None:
        self._inner = inner
        self._shrink = shrink

    def send(self, request: HttpRequest) -> HttpReply | NoReply:
        """Send one request, once."""
        reply = self._inner.send(request)
        if not isinstance(reply, HttpReply) or reply.status != 200:
            return reply
        body = slim(reply.body, self._shrink)
        return HttpReply(reply.status, body, reply.content_type, reply.location, reply.disposition)


def slim(body: bytes, shrink: Callable[[Any], Any]) -> bytes:
    """Return a batch's reply with each command's result made small; a body that is no JSON as it is."""
    try:
        text = body.decode()
        value, end = _decode(text, _skip(text, 0), _PATH, shrink)
        if _skip(text, end) == len(text):
            return json.dumps(value).encode()
    except (ValueError, IndexError, RecursionError):
        pass
    return body


def _decode(text: str, at: int, path: tuple[str, ...], shrink: Callable[[Any], Any]) -> tuple[Any, int]:
    """Decode the value that starts here, an object member by member; return it and where it ends."""
    if text[at] != "{":
        return _DECODER.raw_decode(text, at)
    found: dict[str, Any] = {}
    at = _skip(text, at + 1)
    while text[at] != "}":
        _past(text, at, '"')
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _past(text, _skip(text, at), ":"))
        if path and key == path[0]:
            found[key], at = _decode(text, at, path[1:], shrink)
        else:
            value, at = _DECODER.raw_decode(text, at)
            found[key] = value if path else shrink(value)
        at = _skip(text, at)
        if text[at] != "}":
            at = _skip(text, _past(text, at, ","))
            _past(text, at, '"')
    return found, at + 1


def _past(text: str, at: int, expected: str) -> int:
    if text[at] != expected:
        raise ValueError(f"no {expected} at {at}")
    return at + 1


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at

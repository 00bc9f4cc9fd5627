"""A large reply to a batch, decoded command by command and pruned on the way.

A reply with 2,500 polls is some 5 MB of JSON: decoded at once it would stop every other thread of the
process for a tenth of a second, and its objects would take 30 MB for a moment. Here each command's result
is decoded by itself, and what is not needed of it is dropped before the next one is decoded.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.rest.decoding import DECODER, checked_text
from airflow_provider_b24.rest.transport import HttpReply

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.transport import HttpRequest, NoReply, Transport

#: Where a batch keeps the results of its commands.
_RESULTS_PATH = ("result", "result")
_SPACE = re.compile(r"[ \t\n\r]*")


class PartialJsonTransport:
    """A transport that prunes the results in a batch's reply.

    :param inner: sends the requests.
    :param prune: returns what is kept of a command's result.
    """

    def __init__(self, inner: Transport, prune: Callable[[Any], Any]) -> None:
        self._inner = inner
        self._prune = prune

    def send(self, request: HttpRequest) -> HttpReply | NoReply:
        """Send one request, once.

        :param request: the request.
        """
        reply = self._inner.send(request)
        if not isinstance(reply, HttpReply) or reply.status != 200:
            return reply
        body = prune_results(reply.body, self._prune)
        return HttpReply(reply.status, body, reply.content_type, reply.location, reply.disposition)


def prune_results(body: bytes, prune: Callable[[Any], Any]) -> bytes:
    """Return a batch's reply with each command's result pruned; a body that is not JSON is unchanged.

    :param body: the reply.
    :param prune: returns what is kept of a command's result.
    """
    try:
        text = checked_text(body)
        value, end = _decode(text, _skip_space(text, 0), _RESULTS_PATH, prune)
        if _skip_space(text, end) == len(text):
            return json.dumps(value).encode()
    except (ValueError, IndexError, RecursionError):
        pass
    return body


def _decode(text: str, at: int, path: tuple[str, ...], prune: Callable[[Any], Any]) -> tuple[Any, int]:
    """Decode the value that starts here, an object member by member; return it and where it ends."""
    if text[at] != "{":
        return DECODER.raw_decode(text, at)
    found: dict[str, Any] = {}
    at = _skip_space(text, at + 1)
    while text[at] != "}":
        _expect(text, at, '"')
        key, at = DECODER.raw_decode(text, at)
        at = _skip_space(text, _expect(text, _skip_space(text, at), ":"))
        if path and key == path[0]:
            found[key], at = _decode(text, at, path[1:], prune)
        else:
            value, at = DECODER.raw_decode(text, at)
            found[key] = value if path else prune(value)
        at = _skip_space(text, at)
        if text[at] != "}":
            at = _skip_space(text, _expect(text, at, ","))
            _expect(text, at, '"')
    return found, at + 1


def _expect(text: str, at: int, character: str) -> int:
    """Return the position after a character that must stand here."""
    if text[at] != character:
        raise ValueError(f"no {character} at {at}")
    return at + 1


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at

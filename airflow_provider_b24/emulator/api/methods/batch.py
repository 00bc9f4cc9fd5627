"""batch: many commands in one request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.api.registry import find, method
from airflow_provider_b24.emulator.php import json_text

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.call import Call

MAX_COMMANDS = 50
NOT_ALLOWED = frozenset({"batch", "download", "upload"})
CONTAINERS = ("result", "error", "total", "next", "time")

_STEP = re.compile(r"\[([^\]]+)\]")

Replies = dict[str, dict[str, Any]]


@method("batch")
def batch(call: Call) -> object:
    """Run the commands one after the other; each has a result or an error of its own."""
    params = php.upper_keys(call.params)
    halt = php.truthy(params.get("HALT"))
    replies: Replies = {name: {} for name in CONTAINERS}
    for position, (key, command) in enumerate(php.pairs(params.get("CMD"))):
        body = _run(call, command, replies) if position < MAX_COMMANDS else _too_many()
        if body is None:
            continue
        _file(replies, key, body)
        if halt and "error" in body:
            break
    return {
        "result": php.array(replies["result"]),
        "result_error": php.array(replies["error"]),
        "result_total": php.array(replies["total"]),
        "result_next": php.array(replies["next"]),
        "result_time": php.array(replies["time"]),
    }


def _run(call: Call, command: object, replies: Replies) -> dict[str, Any] | None:
    """Run one command; one that is not text is skipped."""
    if not isinstance(command, str):
        return None
    name, _, query = command.partition("#")[0].partition("?")
    found = find(name)
    if name.lower() in NOT_ALLOWED or (found is not None and not found.safe_in_batch):
        return {
            "error": "ERROR_BATCH_METHOD_NOT_ALLOWED",
            "error_description": "Method is not allowed for batch usage",
        }
    given = php.decode_query(query)
    if call.portal.quirks.exact_references:
        params = {key: _resolve_exact(value, replies) for key, value in given.items()}
    else:
        params = {key: _resolve(value, replies) for key, value in given.items()}
    body = call.run_command(call, name, params)
    if body.get("error") == "insufficient_scope":
        body["error_description"] = ""
    return body


def _too_many() -> dict[str, Any]:
    return {"error": "ERROR_BATCH_LENGTH_EXCEEDED", "error_description": "Max batch length exceeded"}


def _file(replies: Replies, key: str, body: dict[str, Any]) -> None:
    """Keep a command's reply; each of its fields is a name that later commands can refer to."""
    for name, value in body.items():
        replies.setdefault(name, {})[key] = body if name == "error" else value


def _resolve(value: Any, replies: Replies) -> Any:
    """Put earlier replies in the place of ``$result[key][path]``."""
    if isinstance(value, dict):
        return {key: _resolve(item, replies) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, replies) for item in value]
    return _resolve_text(value, replies) if "$" in value else value


def _resolve_exact(value: Any, replies: Replies) -> Any:
    """Put an earlier reply in the place of a value that is ``$result[key][path]`` and nothing else."""
    found = re.fullmatch(r"\$result((\[[^\]]+\])+)", value) if isinstance(value, str) else None
    return _look_up(replies, "result", _STEP.findall(found[1])) if found else value


def _resolve_text(text: str, replies: Replies) -> Any:
    """Replace each run from ``$name`` to the next white space that has a ``[key]`` anywhere.

    Without PHP's flag ``u``, only ASCII white space ends a run.
    """
    names = "|".join(map(re.escape, replies))
    given = text
    for found in re.finditer(rf"\$({names})([^ \t\n\v\f\r]*)", given, re.IGNORECASE):
        steps = _STEP.findall(found[2])
        if not steps:
            continue
        value = _look_up(replies, found[1], steps)
        if found[0] == given:
            return value
        if (piece := _as_text(value)) is not None:
            text = text.replace(found[0], piece)
    return text


def _look_up(replies: Replies, name: str, steps: list[str]) -> Any:
    """Follow the path as far as it leads."""
    value: Any = replies[name.lower()] if name.lower() in replies else replies[name]
    for step in steps:
        inner = dict(php.pairs(json_text.plain(value)))
        if inner.get(step) is None:
            break
        value = inner[step]
    return json_text.plain(value)


def _as_text(value: Any) -> str | None:
    """Return what is put inside a text; None for what the server leaves as it is."""
    return str(value) if php.is_numeric(value) or isinstance(value, str) else None

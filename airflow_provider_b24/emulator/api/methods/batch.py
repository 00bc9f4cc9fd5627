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

_REFERENCE = re.compile(r"\$(result|error|total|next|time)((?:\[[^\]\s]*\])+)\S*")
_STEP = re.compile(r"\[([^\]]*)\]")

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
    params = {key: _resolve(value, replies) for key, value in php.decode_query(query).items()}
    body = call.run_command(call, name, params)
    if body.get("error") == "insufficient_scope":
        body["error_description"] = ""
    return body


def _too_many() -> dict[str, Any]:
    return {"error": "ERROR_BATCH_LENGTH_EXCEEDED", "error_description": "Max batch length exceeded"}


def _file(replies: Replies, key: str, body: dict[str, Any]) -> None:
    if "error" in body:
        replies["error"][key] = body
    for name in ("result", "total", "next", "time"):
        if name in body:
            replies[name][key] = body[name]


def _resolve(value: Any, replies: Replies) -> Any:
    """Put earlier results in the place of ``$result[key][path]``."""
    if isinstance(value, dict):
        return {key: _resolve(item, replies) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, replies) for item in value]
    if "$" not in value:
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole is not None:
        return _look_up(whole, replies)
    return _REFERENCE.sub(lambda found: _as_text(_look_up(found, replies)), value)


def _look_up(found: re.Match[str], replies: Replies) -> Any:
    """Follow the path as far as it leads."""
    value: Any = replies[found[1]]
    for step in _STEP.findall(found[2]):
        inner = dict(php.pairs(json_text.plain(value)))
        if step not in inner:
            break
        value = inner[step]
    return json_text.plain(value)


def _as_text(value: Any) -> str:
    if php.is_array(value):
        return "Array"
    return "" if value is None or value is False else "1" if value is True else str(value)

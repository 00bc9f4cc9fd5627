"""One request of up to fifty commands, and an answer for each of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import (
    Bitrix24BatchError,
    Bitrix24Error,
    Bitrix24OutcomeUnknownError,
    Outcome,
    error_from_dict,
)
from airflow_provider_b24.rest.response import (
    NOT_EXECUTED_CODES,
    Failure,
    code_text,
    error_in,
    read_operating,
)

if TYPE_CHECKING:
    from airflow_provider_b24.rest.client import Bitrix24Client

#: The portal broke while it ran the command; a batch has no status to tell.
_BROKEN = frozenset({"internal_server_error", "error_unexpected_answer", "error_core"})


@dataclass(frozen=True)
class Command:
    """One call of a batch.

    :param text: the command as the portal takes it.
    :param repeatable: whether it may be repeated although it may have been executed.
    :param reading: whether nobody can tell when it ran.
    """

    key: Hashable
    method: str
    text: str
    repeatable: bool
    reading: bool


def run_request(client: Bitrix24Client, commands: list[Command], done: dict[Any, Any]) -> None:
    """Send commands, again as long as it makes sense to, and put their answers into ``done``.

    :raises Bitrix24Error: when the request as a whole failed.
    """
    attempt = 0
    while commands:
        attempt += 1
        answers = _send(client, commands)
        done.update(answers)
        pauses = {item: _pause(client, answers[item.key], attempt) for item in commands}
        commands = [item for item in commands if pauses[item] is not None]
        if commands:
            client.pause("batch", f"{len(commands)} commands not executed", attempt, _longest(pauses))


def for_command(item: Command, error: Bitrix24Error, **fields: Any) -> Bitrix24Error:
    """Return the request's error as the command's own."""
    return error_from_dict({**error.to_dict(), "method": item.method, **fields})


def _pause(client: Bitrix24Client, answer: Any, attempt: int) -> float | None:
    not_executed = isinstance(answer, Bitrix24Error) and answer.outcome is Outcome.NOT_EXECUTED
    return client.pause_before_repeat(answer, attempt) if not_executed else None


def _longest(pauses: Mapping[Command, float | None]) -> float:
    return max(seconds for seconds in pauses.values() if seconds is not None)


def _send(client: Bitrix24Client, commands: list[Command]) -> dict[Any, Any]:
    try:
        reply = _ask(client, commands)
    except Bitrix24Error as error:
        if error.outcome is not Outcome.UNKNOWN or all(item.repeatable for item in commands):
            raise
        return _after_unknown(client, commands, error)
    return {item.key: _answer(client, item, f"c{index}", reply) for index, item in enumerate(commands)}


def _ask(client: Bitrix24Client, commands: list[Command]) -> dict[str, dict[str, Any]]:
    # Keys of our own: numbers would come back as a list.
    texts = {f"c{index}": item.text for index, item in enumerate(commands)}
    repeatable = all(item.repeatable for item in commands)
    result = client.call("batch", {"halt": 0, "cmd": texts}, repeatable=repeatable)
    if not isinstance(result, Mapping):
        raise Bitrix24BatchError(
            "The reply to the batch is no object",
            method="batch",
            outcome=Outcome.UNKNOWN,
            conn_id=client.conn_id,
        )
    return {part: _mapping(result.get(part)) for part in ("result", "result_error", "result_time")}


def _after_unknown(client: Bitrix24Client, commands: list[Command], error: Bitrix24Error) -> dict[Any, Any]:
    """Repeat what may be repeated, and give up on the rest of a request whose fate is unknown."""
    answers: dict[Any, Any] = {item.key: _unknown(item, error) for item in commands if not item.repeatable}
    safe = [item for item in commands if item.repeatable]
    if safe:
        try:
            answers |= _send(client, safe)
        except Bitrix24Error as again:
            answers |= {item.key: for_command(item, again) for item in safe}
    return answers


def _unknown(item: Command, error: Bitrix24Error) -> Bitrix24OutcomeUnknownError:
    return Bitrix24OutcomeUnknownError(
        method=item.method,
        code=error.code,
        description=error.description,
        status=error.status,
        attempts=error.attempts,
        outcome=Outcome.UNKNOWN,
        conn_id=error.conn_id,
    )


def _answer(client: Bitrix24Client, item: Command, key: str, reply: dict[str, dict[str, Any]]) -> Any:
    client.operating.note(item.method, read_operating(reply["result_time"].get(key)))
    failure = _failure(key, reply)
    if failure is None:
        return reply["result"][key]
    return client.error(item.method, failure, attempts=1, repeatable=item.repeatable)


def _failure(key: str, reply: dict[str, dict[str, Any]]) -> Failure | None:
    problem = reply["result_error"].get(key)
    if problem is None and key in reply["result"]:
        problem = error_in({"result": reply["result"][key]})
        if problem is None:
            return None
    if problem is None:
        return Failure(Outcome.UNKNOWN, description="the reply says nothing of this command")
    if not isinstance(problem, Mapping):
        problem = {"error_description": problem}
    code = code_text(problem.get("error"))
    words = str(problem.get("error_description") or "")
    return Failure(_outcome(code), code=code, description=words, argument=problem.get("argument"))


def _outcome(code: str) -> Outcome:
    if code.lower() in NOT_EXECUTED_CODES:
        return Outcome.NOT_EXECUTED
    return Outcome.UNKNOWN if code.lower() in _BROKEN else Outcome.REFUSED


def _mapping(value: Any) -> dict[str, Any]:
    """Return PHP's array as a mapping: it is ``[]`` when empty."""
    return dict(value) if isinstance(value, Mapping) else {}

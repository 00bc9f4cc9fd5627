"""Many calls in one request, with an answer for each.

A command that fails hides no other: every key has its result or its error. What was not executed is
sent again; what may have been executed is sent again only where a repeat does no harm.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import (
    Bitrix24BatchError,
    Bitrix24Error,
    Bitrix24NoAnswerError,
    Bitrix24OutcomeUnknownError,
    Bitrix24ValidationError,
    Outcome,
    error_from_dict,
)
from airflow_provider_b24.rest.encoding import check_params, command
from airflow_provider_b24.rest.methods import is_repeatable
from airflow_provider_b24.rest.outcomes import Failure, error_in

if TYPE_CHECKING:
    from airflow_provider_b24.rest.client import Bitrix24Client

log = logging.getLogger(__name__)

#: Commands that one request may carry.
LARGEST_BATCH = 50
#: Requests after which the task log is told how far the batch is.
_PROGRESS_EVERY = 10
#: How often a command is sent that the portal did not execute.
_ROUNDS = 4
_NOT_EXECUTED = frozenset({"query_limit_exceeded", "operation_time_limit"})


@dataclass(frozen=True)
class Command:
    """One call of a batch."""

    key: Hashable
    method: str
    text: str
    repeatable: bool


@dataclass
class BatchResult:
    """What became of each command, in the order in which they were given.

    :param results: key to the command's ``result``.
    :param errors: key to the command's error.
    """

    results: dict[Any, Any] = field(default_factory=dict)
    errors: dict[Any, Bitrix24Error] = field(default_factory=dict)

    def raise_for_errors(self) -> None:
        """Raise the first error, if any; it says how many there are.

        :raises Bitrix24Error: the first command's error.
        """
        for key, error in self.errors.items():
            error.add_note(f"Command {key!r}; {len(self.errors)} of {len(self)} commands failed.")
            raise error

    def __len__(self) -> int:
        return len(self.results) + len(self.errors)


def run_batch(client: Bitrix24Client, commands: Mapping[Any, Sequence[Any] | str]) -> BatchResult:
    """Run commands fifty a request.

    :raises Bitrix24ValidationError: when a command is not usable; nothing is sent.
    """
    prepared = [_prepare(key, given) for key, given in commands.items()]
    done: dict[Any, Any] = {}
    try:
        _run(client, prepared, done)
    except BaseException as error:
        error.add_note(f"Batch: {len(done)} of {len(prepared)} commands have an answer.")
        raise
    return _in_order(prepared, done)


def _prepare(key: Hashable, given: Any) -> Command:
    method, params = (given, {}) if isinstance(given, str) else _pair(key, given)
    try:
        checked = check_params(method, params)
        return Command(key, method, command(method, checked), is_repeatable(method, checked))
    except Bitrix24ValidationError as error:
        raise Bitrix24ValidationError(f"commands[{key!r}].{error.path}", error.rule, method=method) from None


def _pair(key: Hashable, given: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(given, list | tuple) and len(given) == 2 and isinstance(given[0], str):
        return given[0], given[1] or {}
    raise Bitrix24ValidationError(f"commands[{key!r}]", "must be a method, or a pair of method and params")


def _run(client: Bitrix24Client, commands: list[Command], done: dict[Any, Any]) -> None:
    chunks = list(_chunks(commands))
    for number, chunk in enumerate(chunks, start=1):
        try:
            _run_chunk(client, chunk, done)
        except Bitrix24Error as error:
            if not done:
                raise
            # What is done must not be lost with what is not.
            _give_up(commands, done, error, sent={item.key for item in chunk})
            return
        if number % _PROGRESS_EVERY == 0 and number < len(chunks):
            log.info("Batch: %d of %d commands have an answer", len(done), len(commands))


def _give_up(
    commands: list[Command], done: dict[Any, Any], error: Bitrix24Error, *, sent: set[Hashable]
) -> None:
    for item in commands:
        if item.key not in done:
            fields = {**error.to_dict(), "method": item.method}
            if item.key not in sent:
                fields |= {
                    "message": "Not sent, because an earlier request failed",
                    "outcome": Outcome.NOT_EXECUTED,
                }
            done[item.key] = error_from_dict(fields)


def _chunks(commands: list[Command]) -> Iterator[list[Command]]:
    for start in range(0, len(commands), LARGEST_BATCH):
        yield commands[start : start + LARGEST_BATCH]


def _run_chunk(client: Bitrix24Client, chunk: list[Command], done: dict[Any, Any]) -> None:
    for _ in range(_ROUNDS):
        answers = _send(client, chunk)
        done.update(answers)
        chunk = [item for item in chunk if _not_executed(answers[item.key])]
        if not chunk:
            return


def _send(client: Bitrix24Client, chunk: list[Command]) -> dict[Any, Any]:
    """Return key to result or error; the request's own failure is every command's."""
    try:
        reply = _ask(client, chunk)
    except (Bitrix24OutcomeUnknownError, Bitrix24NoAnswerError) as error:
        if error.outcome is not Outcome.UNKNOWN:
            raise
        return _after_unknown(client, chunk, error)
    return {item.key: _answer(client, item, f"c{index}", reply) for index, item in enumerate(chunk)}


def _ask(client: Bitrix24Client, chunk: list[Command]) -> dict[str, dict[str, Any]]:
    # Keys of our own: numbers would come back as a list.
    commands = {f"c{index}": item.text for index, item in enumerate(chunk)}
    repeatable = all(item.repeatable for item in chunk)
    result = client.call("batch", {"halt": 0, "cmd": commands}, repeatable=repeatable)
    if not isinstance(result, Mapping):
        raise Bitrix24BatchError(
            "The reply to the batch is no object", method="batch", conn_id=client.conn_id
        )
    return {part: _mapping(result.get(part)) for part in ("result", "result_error")}


def _after_unknown(client: Bitrix24Client, chunk: list[Command], error: Bitrix24Error) -> dict[Any, Any]:
    """Repeat what may be repeated, and give up on the rest of a request whose fate is unknown."""
    safe = [item for item in chunk if item.repeatable]
    answers: dict[Any, Any] = {item.key: _unknown(item, error) for item in chunk if not item.repeatable}
    if not answers:
        raise error
    if safe:
        try:
            answers |= _send(client, safe)
        except Bitrix24Error as again:
            answers |= {item.key: again for item in safe}
    return answers


def _unknown(item: Command, error: Bitrix24Error) -> Bitrix24OutcomeUnknownError:
    return Bitrix24OutcomeUnknownError(
        method=item.method,
        description=error.description,
        status=error.status,
        attempts=error.attempts,
        outcome=Outcome.UNKNOWN,
        conn_id=error.conn_id,
    )


def _answer(client: Bitrix24Client, item: Command, key: str, reply: dict[str, dict[str, Any]]) -> Any:
    problem = reply["result_error"].get(key)
    if problem is None and key in reply["result"]:
        value = reply["result"][key]
        problem = error_in({"result": value}) if isinstance(value, dict) else None
        if problem is None:
            return value
    if problem is None:
        problem = {"error": "", "error_description": "the reply says nothing of this command"}
    failure = _failure(problem)
    return client.error(item.method, failure, attempts=1, repeatable=item.repeatable)


def _failure(problem: Any) -> Failure:
    data = problem if isinstance(problem, Mapping) else {"error": "", "error_description": str(problem)}
    code = str(data.get("error", ""))
    outcome = Outcome.NOT_EXECUTED if code.lower() in _NOT_EXECUTED else Outcome.REFUSED
    return Failure(outcome, code=code, description=str(data.get("error_description") or ""))


def _not_executed(answer: Any) -> bool:
    return isinstance(answer, Bitrix24Error) and (answer.code or "").lower() == "query_limit_exceeded"


def _mapping(value: Any) -> dict[str, Any]:
    """Return PHP's array as a mapping: it is ``[]`` when empty."""
    return dict(value) if isinstance(value, Mapping) else {}


def _in_order(commands: list[Command], done: Mapping[Any, Any]) -> BatchResult:
    result = BatchResult()
    for item in commands:
        answer = done[item.key]
        (result.errors if isinstance(answer, Bitrix24Error) else result.results)[item.key] = answer
    return result

"""Many calls in few requests, with a result or an error for each.

A command that fails hides no other. Commands run in the order in which they are given, one request
after the other; only where all of them read, so that the order does not matter, a few requests are
in flight at a time.

In a batch the server replaces ``$result[key]`` and the like by the reply to another command, and the query
of a command has no form for None and for what is empty. A command with one of these goes as a single call, in
its place in the order, so that everything arrives as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import (
    Bitrix24AuthError,
    Bitrix24AuthTypeError,
    Bitrix24BatchError,
    Bitrix24Error,
    Bitrix24OverloadError,
    Bitrix24PortalError,
    Bitrix24RateLimitError,
    Bitrix24ValidationError,
    Outcome,
    error_from_dict,
)
from airflow_provider_b24.rest import php
from airflow_provider_b24.rest.caller import Call, Caller, Result
from airflow_provider_b24.rest.encoding import check_params, encode_command, encode_json, needs_single_call
from airflow_provider_b24.rest.error_codes import error_type
from airflow_provider_b24.rest.idempotency import is_idempotent, is_read_only
from airflow_provider_b24.rest.response import (
    Failure,
    Response,
    classify,
    error_in,
    read_operating,
    read_problem,
)
from airflow_provider_b24.rest.single_call import SingleCall

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from airflow_provider_b24.rest.transport import HttpReply, NoReply

log = logging.getLogger(__name__)

#: Errors that every other request of the run would meet too.
_REQUEST_ERRORS = (Bitrix24AuthError, Bitrix24OverloadError, Bitrix24PortalError, Bitrix24RateLimitError)

#: Commands that one request may carry.
MAX_BATCH_COMMANDS = 50
#: Requests in flight at a time when all commands read.
MAX_PARALLEL_REQUESTS = 4
#: Requests after which the task log is told how far the batch is.
_PROGRESS_EVERY = 10


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


@dataclass(frozen=True, eq=False)
class _Command(Call):
    """One call of a batch.

    :param key: the user's key.
    :param read_only: whether it does not matter when it runs.
    :param text: the command as the portal takes it in a batch.
    :param single: the request of a command that can't be in a batch.
    """

    key: Hashable
    read_only: bool
    text: str = ""
    single: SingleCall | None = None


def run_batch(
    caller: Caller, commands: Mapping[Any, Sequence[Any] | str], *, idempotent: bool | None = None
) -> BatchResult:
    """Run commands fifty a request.

    :param caller: sends the requests.
    :param commands: key to ``(method, params)``, or to a method.
    :param idempotent: whether each command may be sent again after an attempt whose outcome is unknown;
        None looks the methods up.
    :raises Bitrix24ValidationError: when a command is not usable; nothing is sent.
    """
    if not isinstance(commands, Mapping):
        raise Bitrix24ValidationError(
            "commands", "must map a key of your own to (method, params), or to a method without parameters"
        )
    return _Run(caller, [_prepare(key, given, idempotent) for key, given in commands.items()]).run()


def _prepare(key: Hashable, given: Any, idempotent: bool | None) -> _Command:
    method, params = (given, {}) if isinstance(given, str) else _pair(key, given)
    try:
        checked = check_params(method, params)
        if needs_single_call(checked):
            fields: dict[str, Any] = {"single": _SingleCommand(method, checked)}
        else:
            fields = {"text": encode_command(method, checked)}
    except Bitrix24ValidationError as error:
        raise Bitrix24ValidationError(f"commands[{key!r}].{error.path}", error.rule, method=method) from None
    if idempotent is None:
        idempotent = is_idempotent(method, checked)
    return _Command(method, idempotent, key, is_read_only(method), **fields)


def _pair(key: Hashable, given: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(given, list | tuple) and len(given) == 2 and isinstance(given[0], str):
        return given[0], given[1] or {}
    raise Bitrix24ValidationError(f"commands[{key!r}]", "must be a method, or a pair of method and params")


class _Run:
    """One batch: what was sent, and what has a result."""

    def __init__(self, caller: Caller, commands: list[_Command]) -> None:
        self._caller = caller
        self._commands = commands
        self._sent: set[_Command] = set()
        self._not_executed: set[_Command] = set()
        self._done: dict[Call, Result] = {}
        self._ended = False

    def run(self) -> BatchResult:
        """Send all commands; what is done is not lost with what is not."""
        try:
            self._send_all()
        except Bitrix24Error as error:
            if not self._done:
                error.add_note(self._state())
                raise
            log.warning("%s It ended with: %s", self._state(), error)
            self._give_up(error)
        except BaseException as error:
            # A timeout or a kill: the task's log is all that is left to tell what was done.
            error.add_note(self._state())
            log.warning("%s It was interrupted.", self._state())
            raise
        return self._result()

    def _send_all(self) -> None:
        if all(item.read_only for item in self._commands):
            self._send_in_any_order()
            return
        chunks = list(_chunks(self._commands))
        for number, chunk in enumerate(chunks, start=1):
            self._send(chunk)
            self._report(number, len(chunks))

    def _send_in_any_order(self) -> None:
        # Single calls last: they would cut the others into small requests.
        chunks = list(_chunks(sorted(self._commands, key=lambda item: item.single is not None)))
        if len(chunks) <= 1:
            for chunk in chunks:
                self._send(chunk)
            return
        pool = ThreadPoolExecutor(MAX_PARALLEL_REQUESTS, thread_name_prefix="bitrix24-batch")
        try:
            futures = [pool.submit(self._send_unless_ended, chunk) for chunk in chunks]
            for number, future in enumerate(as_completed(futures), start=1):
                future.result()
                self._report(number, len(chunks))
        except Bitrix24Error:
            # The requests in flight may still succeed.
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            self._ended = True
            pool.shutdown(wait=False, cancel_futures=True)

    def _send_unless_ended(self, chunk: list[_Command]) -> None:
        if self._ended:
            return
        try:
            self._send(chunk)
        except BaseException:
            # At once: the other threads would start another request before the main thread hears of it.
            self._ended = True
            raise

    def _send(self, chunk: list[_Command]) -> None:
        self._sent.update(chunk)
        request = chunk[0].single or _BatchRequest(self._caller.conn_id)
        try:
            self._caller.run(request, chunk, self._done)
        except Bitrix24Error as error:
            if error.outcome is Outcome.NOT_EXECUTED:
                self._not_executed.update(chunk)
            raise

    def _report(self, number: int, requests: int) -> None:
        if number % _PROGRESS_EVERY == 0 and number < requests:
            log.info("Batch: %d of %d commands have an answer", len(self._done), len(self._commands))

    def _state(self) -> str:
        done, given = len(self._done), len(self._commands)
        sent = len(self._sent - self._not_executed)
        parts = {
            "commands have an answer": f"{done} of {given}",
            "were sent and have none (they may have been executed)": sent - done,
            "were not executed": given - sent,
        }
        return f"Batch: {', '.join(f'{number} {what}' for what, number in parts.items() if number)}."

    def _give_up(self, error: Bitrix24Error) -> None:
        not_sent = {"message": "Not sent, because an earlier request failed", "outcome": Outcome.NOT_EXECUTED}
        for item in self._commands:
            if item not in self._done:
                fields = {} if item in self._sent else not_sent
                self._done[item] = _for_command(item, error, **fields)

    def _result(self) -> BatchResult:
        result = BatchResult()
        for item in self._commands:
            done = self._done[item]
            if isinstance(done, Bitrix24Error):
                result.errors[item.key] = done
            else:
                result.results[item.key] = done.result
        return result


class _BatchRequest:
    """Up to fifty commands in one request."""

    method = "batch"

    def __init__(self, conn_id: str | None) -> None:
        self._conn_id = conn_id

    def body(self, calls: list[Call]) -> bytes:
        # Keys of our own: numbers would come back as a list.
        texts = {f"c{index}": call.text for index, call in enumerate(calls) if isinstance(call, _Command)}
        return encode_json({"halt": 0, "cmd": texts})

    def read(self, reply: HttpReply | NoReply, calls: list[Call]) -> list[Response | Failure] | Failure:
        outcome = classify(reply)
        if isinstance(outcome, Failure):
            return outcome
        try:
            parts = _parts(outcome.result)
        except ValueError:
            return self._no_object()
        return [_outcome(f"c{index}", parts) for index in range(len(calls))]

    def _no_object(self) -> Failure:
        text = "The reply to the batch is no object"
        error = Bitrix24BatchError(text, method=self.method, conn_id=self._conn_id)
        return Failure(Outcome.UNKNOWN, description=text, retryable=False, error=error)


class _SingleCommand(SingleCall):
    """A command of a batch that goes as a single call."""

    def read(self, reply: HttpReply | NoReply, calls: list[Call]) -> list[Response | Failure] | Failure:
        outcome = super().read(reply, calls)
        # In a list it is the command's own failure, after which the other commands are sent all the same.
        return [outcome] if isinstance(outcome, Failure) and self._is_own(outcome) else outcome

    def _is_own(self, failure: Failure) -> bool:
        if not failure.code:
            return False
        kind = error_type(method=self.method, code=failure.code, status=failure.status)
        return issubclass(kind, Bitrix24AuthTypeError) or not issubclass(kind, _REQUEST_ERRORS)


def _parts(result: Any) -> dict[str, dict[str, Any]]:
    fields = php.as_row(result)
    return {part: php.as_dict(fields.get(part)) for part in ("result", "result_error", "result_time")}


def _outcome(key: str, parts: dict[str, dict[str, Any]]) -> Response | Failure:
    """Return what the reply says of one command."""
    results, errors = parts["result"], parts["result_error"]
    problem = errors.get(key)
    if problem is None and key in results:
        problem = error_in({"result": results[key]})
        if problem is None:
            return Response(results[key], operating=read_operating(parts["result_time"].get(key)))
    if problem is None:
        return Failure(Outcome.UNKNOWN, description="the reply says nothing of this command")
    return read_problem(problem, status=None)


def _for_command(item: _Command, error: Bitrix24Error, **fields: Any) -> Bitrix24Error:
    """Return the request's error as the command's own."""
    return error_from_dict({**error.to_dict(), "method": item.method, **fields})


def _chunks(commands: list[_Command]) -> Iterator[list[_Command]]:
    """Cut commands into requests: fifty each, and one for each single call."""
    chunk: list[_Command] = []
    for item in commands:
        if chunk and (item.single or chunk[0].single or len(chunk) == MAX_BATCH_COMMANDS):
            yield chunk
            chunk = []
        chunk.append(item)
    if chunk:
        yield chunk

"""Many calls in few requests, with an answer for each.

A command that fails hides no other: every key has its result or its error. What was not executed is
sent again; what may have been executed is sent again only where a repeat does no harm. Commands run in
the order in which they are given, one request after the other; only where all of them read, so that
nobody can tell the order, a few requests are under way at a time.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24ValidationError, Outcome
from airflow_provider_b24.rest.batch_request import Command, for_command, run_request
from airflow_provider_b24.rest.encoding import check_params, command
from airflow_provider_b24.rest.idempotency import is_read_only, is_repeatable

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from airflow_provider_b24.rest.client import Bitrix24Client

log = logging.getLogger(__name__)

#: Commands that one request may carry.
MAX_BATCH_COMMANDS = 50
#: Requests that may be under way at a time when all commands read.
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


def run_batch(
    client: Bitrix24Client, commands: Mapping[Any, Sequence[Any] | str], *, repeatable: bool | None = None
) -> BatchResult:
    """Run commands fifty a request.

    :param repeatable: whether each command may be repeated although it may have been executed;
        None looks the methods up.
    :raises Bitrix24ValidationError: when a command is not usable; nothing is sent.
    """
    return _Run(client, [_prepare(key, given, repeatable) for key, given in commands.items()]).run()


def _prepare(key: Hashable, given: Any, repeatable: bool | None) -> Command:
    method, params = (given, {}) if isinstance(given, str) else _pair(key, given)
    try:
        checked = check_params(method, params)
        text = command(method, checked)
    except Bitrix24ValidationError as error:
        raise Bitrix24ValidationError(f"commands[{key!r}].{error.path}", error.rule, method=method) from None
    if repeatable is None:
        repeatable = is_repeatable(method, checked)
    return Command(key, method, text, repeatable, is_read_only(method))


def _pair(key: Hashable, given: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(given, list | tuple) and len(given) == 2 and isinstance(given[0], str):
        return given[0], given[1] or {}
    raise Bitrix24ValidationError(f"commands[{key!r}]", "must be a method, or a pair of method and params")


class _Run:
    """One batch under way: what was sent, and what is answered."""

    def __init__(self, client: Bitrix24Client, commands: list[Command]) -> None:
        self._client = client
        self._commands = commands
        self._sent: set[Hashable] = set()
        self._done: dict[Any, Any] = {}
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
        chunks = list(_chunks(self._commands))
        if len(chunks) > 1 and all(item.reading for item in self._commands):
            self._send_side_by_side(chunks)
            return
        for number, chunk in enumerate(chunks, start=1):
            self._send(chunk)
            self._report(number, len(chunks))

    def _send_side_by_side(self, chunks: list[list[Command]]) -> None:
        pool = ThreadPoolExecutor(MAX_PARALLEL_REQUESTS, thread_name_prefix="bitrix24-batch")
        try:
            futures = [pool.submit(self._send_beside, chunk) for chunk in chunks]
            for number, future in enumerate(as_completed(futures), start=1):
                future.result()
                self._report(number, len(chunks))
        except Bitrix24Error:
            # What is under way is worth waiting for.
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            self._ended = True
            pool.shutdown(wait=False, cancel_futures=True)

    def _send_beside(self, chunk: list[Command]) -> None:
        if self._ended:
            return
        try:
            self._send(chunk)
        except BaseException:
            # At once, for the others would start anew before the main thread hears of it.
            self._ended = True
            raise

    def _send(self, chunk: list[Command]) -> None:
        self._sent.update(item.key for item in chunk)
        run_request(self._client, chunk, self._done)

    def _report(self, number: int, requests: int) -> None:
        if number % _PROGRESS_EVERY == 0 and number < requests:
            log.info("Batch: %d of %d commands have an answer", len(self._done), len(self._commands))

    def _state(self) -> str:
        sent, done, given = len(self._sent), len(self._done), len(self._commands)
        return (
            f"Batch: {done} of {given} commands have an answer, {sent - done} were sent and have none "
            f"(they may have been executed), {given - sent} were not sent."
        )

    def _give_up(self, error: Bitrix24Error) -> None:
        not_sent = {"message": "Not sent, because an earlier request failed", "outcome": Outcome.NOT_EXECUTED}
        for item in self._commands:
            if item.key not in self._done:
                fields = {} if item.key in self._sent else not_sent
                self._done[item.key] = for_command(item, error, **fields)

    def _result(self) -> BatchResult:
        result = BatchResult()
        for item in self._commands:
            answer = self._done[item.key]
            (result.errors if isinstance(answer, Bitrix24Error) else result.results)[item.key] = answer
        return result


def _chunks(commands: list[Command]) -> Iterator[list[Command]]:
    for start in range(0, len(commands), MAX_BATCH_COMMANDS):
        yield commands[start : start + MAX_BATCH_COMMANDS]

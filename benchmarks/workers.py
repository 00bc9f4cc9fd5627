"""Processes that start together and run for a limited time.

They are forked, so that modules are imported once, outside the measurement. The parent has neither
threads nor open connections when it forks.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

FORK = multiprocessing.get_context("fork")
#: Seconds that a worker has to create its client.
_SET_UP = 60.0

#: Takes the worker's number and ``begin``, which returns when all workers are ready.
Work: TypeAlias = Callable[[int, Callable[[], None]], Any]


@dataclass(frozen=True)
class WorkerResult:
    """The result of one worker.

    :param value: its return value.
    :param error: the type of the error that it raised; ``not finished`` after the time limit.
    :param at: when it ended, on the monotonic clock that all processes share.
    """

    value: Any = None
    error: str = ""
    at: float = 0.0


@dataclass(frozen=True)
class RunResult:
    """The results of all workers."""

    workers: list[WorkerResult]
    wall: float

    @property
    def errors(self) -> list[str]:
        """The types of the errors that the workers raised."""
        return [worker.error for worker in self.workers if worker.error]


def run_together(
    count: int, work: Work, *, limit: float, meanwhile: Callable[[], None] | None = None
) -> RunResult:
    """Run ``work`` in ``count`` processes that start together, for ``limit`` seconds at most.

    :param meanwhile: called in this process as soon as the workers have started.
    """
    barrier = FORK.Barrier(count + 1)
    pipes = [FORK.Pipe(duplex=False) for _ in range(count)]
    processes = [
        FORK.Process(target=_worker, args=(number, work, barrier, pipes[number][1]))
        for number in range(count)
    ]
    for process in processes:
        process.start()
    began = time.monotonic()
    try:
        barrier.wait(_SET_UP)
        began = time.monotonic()
        if meanwhile is not None:
            meanwhile()
    except threading.BrokenBarrierError:
        limit = 1.0
    ended = [_receive(pipes[number][0], began + limit) for number in range(count)]
    for process in processes:
        _end(process)
    last = max((worker.at for worker in ended), default=0.0)
    return RunResult(ended, max((last or time.monotonic()) - began, 0.0))


def _worker(number: int, work: Work, barrier: Any, pipe: Connection) -> None:
    try:
        value, error = work(number, lambda: _wait_for_all(barrier)), ""
    except Exception as problem:  # noqa: BLE001
        barrier.abort()
        value, error = None, describe(problem)
    pipe.send(WorkerResult(value, error, time.monotonic()))


def _wait_for_all(barrier: Any) -> None:
    barrier.wait(_SET_UP)


def _receive(pipe: Connection, until: float) -> WorkerResult:
    try:
        if pipe.poll(max(until - time.monotonic(), 0.0)):
            ended: WorkerResult = pipe.recv()
            return ended
    except EOFError:
        return WorkerResult(error="died", at=time.monotonic())
    return WorkerResult(error="not finished", at=time.monotonic())


def _end(process: ForkProcess) -> None:
    process.join(1.0)
    if process.is_alive():
        process.kill()
        process.join()


def describe(error: BaseException) -> str:
    """Return the type of an error; its text may hold a secret."""
    return type(error).__name__

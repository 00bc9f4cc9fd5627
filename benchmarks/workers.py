"""Processes that begin together, in a time that is bounded.

They are forked, so that the imports are paid for once and outside the measurement; the parent has
neither threads nor open connections when it forks.
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
#: Seconds for a worker to make its client.
_SET_UP = 60.0

#: Takes the worker's number and ``begin``, which returns when all workers are ready.
Work: TypeAlias = Callable[[int, Callable[[], None]], Any]


@dataclass(frozen=True)
class Ended:
    """What became of one worker.

    :param value: what it returned.
    :param error: what it raised; ``not finished`` when its time was over.
    :param at: when it ended, on the clock that all processes share.
    """

    value: Any = None
    error: str = ""
    at: float = 0.0


@dataclass(frozen=True)
class Together:
    """What became of all workers."""

    workers: list[Ended]
    wall: float

    @property
    def errors(self) -> list[str]:
        """What the workers raised."""
        return [worker.error for worker in self.workers if worker.error]


def run_together(
    count: int, work: Work, *, limit: float, meanwhile: Callable[[], None] | None = None
) -> Together:
    """Run ``work`` in so many processes, from one moment on, for ``limit`` seconds at most.

    :param meanwhile: is called here as soon as the workers have begun.
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
    ended = [_hear(pipes[number][0], began + limit) for number in range(count)]
    for process in processes:
        _end(process)
    last = max((worker.at for worker in ended), default=0.0)
    return Together(ended, max((last or time.monotonic()) - began, 0.0))


def _worker(number: int, work: Work, barrier: Any, pipe: Connection) -> None:
    try:
        value, error = work(number, lambda: _pass(barrier)), ""
    except Exception as problem:  # noqa: BLE001
        # A peer may raise anything.
        barrier.abort()
        value, error = None, describe(problem)
    pipe.send(Ended(value, error, time.monotonic()))


def _pass(barrier: Any) -> None:
    barrier.wait(_SET_UP)


def _hear(pipe: Connection, until: float) -> Ended:
    try:
        if pipe.poll(max(until - time.monotonic(), 0.0)):
            ended: Ended = pipe.recv()
            return ended
    except EOFError:
        return Ended(error="died", at=time.monotonic())
    return Ended(error="not finished", at=time.monotonic())


def _end(process: ForkProcess) -> None:
    process.join(1.0)
    if process.is_alive():
        process.kill()
        process.join()


def describe(error: BaseException) -> str:
    """Return an error in a few words, without its text, which may hold a secret."""
    return type(error).__name__

"""Blocking work outside a triggerer's event loop."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from collections.abc import Callable

THREAD_NAME = "bitrix24-poll-watcher"
T = TypeVar("T")


async def run_in_daemon_thread(work: Callable[..., T], *args: Any) -> T:
    """Do blocking work in a thread, which does not keep a stopped triggerer from ending.

    asgiref starts it, because before Airflow 3.2 a triggerer answers a thread (which asks for the
    connection or for a stored token) only if asgiref knows the thread's event loop; a request from any
    other thread stops the whole triggerer.

    :param work: what to call.
    :param args: its arguments.
    """
    threads: Any = _DaemonThreads()
    return await sync_to_async(work, thread_sensitive=False, executor=threads)(*args)


class _DaemonThreads(Executor):
    """A daemon thread for each call."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Start the call."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001
                future.set_exception(error)

        future.set_running_or_notify_cancel()
        threading.Thread(target=run, name=THREAD_NAME, daemon=True).start()
        return future

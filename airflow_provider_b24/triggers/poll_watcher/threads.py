"""Blocking work beside a triggerer's event loop."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def aside(work: Callable[..., T], *args: Any) -> T:
    """Do blocking work in a thread.

    asgiref starts it, because before Airflow 3.2 a triggerer answers a thread (which asks for the
    connection or for a stored token) only if asgiref knows the thread's event loop; a question from any
    other thread brings the whole triggerer down.
    """
    threads: Any = _DaemonThreads()
    return await sync_to_async(work, thread_sensitive=False, executor=threads)(*args)


class _DaemonThreads(Executor):
    """A thread for each piece of work, which does not keep a triggerer that was told to stop from ending."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Start the work."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001
                future.set_exception(error)

        future.set_running_or_notify_cancel()
        threading.Thread(target=run, name="bitrix24-feed", daemon=True).start()
        return future

"""One ask that waits in the triggerer: each new vote is counted, and the timetable is kept."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.asks.progress import AskProgress, Timetable
from airflow_provider_b24.asks.texts import progress_text
from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.polls.rules import Changed, Everybody
from airflow_provider_b24.polls.verdict import Decided, Impossible, leaders, votes_of
from airflow_provider_b24.triggers.poll_watcher.backoff import FailureBackoff
from airflow_provider_b24.triggers.poll_watcher.options import read_options
from airflow_provider_b24.triggers.poll_watcher.threads import run_in_daemon_thread
from airflow_provider_b24.triggers.poll_watcher.watcher import watcher_of
from airflow_provider_b24.utils.controls import without_controls

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.asks.ask import Ask
    from airflow_provider_b24.polls.poll import Poll

log = logging.getLogger(__name__)

#: Seconds after which the members of a chat are read again although nobody has voted.
_RECOUNT_SECONDS = 300.0
#: What no poll is: the next read of it counts.
_UNREAD = Changed(-1, (), allow_revote=True)


class AskWait:
    """Waits for the next vote, counts, reminds, and ends with an event.

    :param conn_id: the Airflow connection.
    :param ask: what was asked.
    :param interval: seconds between two reads of the poll.
    :param clock: returns Unix seconds.
    """

    __slots__ = (
        "_ask",
        "_backoff",
        "_clock",
        "_conn_id",
        "_interval",
        "_last",
        "_poll",
        "_progress",
        "_timetable",
    )

    def __init__(self, conn_id: str, ask: Ask, interval: float, *, clock: Callable[[], float]) -> None:
        self._conn_id = conn_id
        self._ask = ask
        self._interval = interval
        self._clock = clock
        self._progress = AskProgress(conn_id, ask)
        self._timetable = Timetable(ask, now=clock())
        self._last = _UNREAD
        self._backoff: FailureBackoff | None = None
        self._poll: Poll | None = None

    async def run(self) -> dict[str, Any]:
        """Return the event that ends the wait.

        :raises Bitrix24Error: when the voters or the chat's members can't be read.
        """
        while True:
            ended = await self._next()
            if ended is not None:
                return ended
            due = self._timetable.due(self._clock())
            if (due.reminder or due.escalation) and await run_in_daemon_thread(self._progress.act, due):
                self._timetable.postpone_escalation(self._clock())

    @property
    def poll(self) -> Poll | None:
        """The poll as it was read last."""
        return self._poll

    @property
    def _recounts(self) -> bool:
        return self._ask.parsed_rule == Everybody()

    def _until(self) -> float | None:
        moments = [self._ask.deadline, self._timetable.next_at()]
        if self._recounts:
            moments.append(self._clock() + _RECOUNT_SECONDS)
        return min((moment for moment in moments if moment is not None), default=None)

    async def _next(self) -> dict[str, Any] | None:
        """Wait for the next vote or moment; return the event that it leads to, or None to go on.

        It is a function of its own so that a poll that was read is not held until the next vote.
        """
        event, poll = await watcher_of(self._conn_id).wait_for_poll(
            self._ask.reference, self._last, interval=self._interval, deadline=self._until()
        )
        if event["status"] == "error":
            return dict(event)
        self._poll = poll or self._poll
        ended = await self._try_to_count() if event["status"] == "success" or self._recounts else None
        if ended is None and self._ask.deadline is not None and self._clock() >= self._ask.deadline:
            return {"status": "timeout"}
        return ended

    async def _try_to_count(self) -> dict[str, Any] | None:
        """Count; when the portal does not say who voted, wait a little and read the poll again."""
        try:
            ended = await self._count()
        except Bitrix24Error as error:
            if not (error.transient or error.connection_wide):
                raise
            self._last = _UNREAD
            await self._pause(error)
            return None
        self._backoff = None
        return ended

    async def _pause(self, error: Bitrix24Error) -> None:
        """Wait before the next try; refused credentials are waited for as long as the watcher does."""
        options = read_options()
        self._backoff = self._backoff or FailureBackoff(
            base_delay=options.base_delay, max_delay=options.max_delay
        )
        now = time.monotonic()
        delay = self._backoff.record_failure(now, permanent=not error.transient)
        if self._backoff.permanent_for(now) > options.permanent_failure_timeout:
            raise error
        if self._backoff.should_log(now):
            log.warning("The votes could not be counted; they are read again: %s", error)
        left = math.inf if self._ask.deadline is None else self._ask.deadline - self._clock()
        await asyncio.sleep(max(min(delay, left), 0.0))

    async def _count(self) -> dict[str, Any] | None:
        if self._poll is None:
            return None
        poll = self._poll
        self._last = Changed(poll.voters, votes_of(poll), allow_revote=poll.allow_revote)
        count = self._ask.count_unread(poll)
        if count is None:
            count = await run_in_daemon_thread(self._progress.count, poll)
        log.info("%s", without_controls(progress_text(self._ask, count.poll)))
        if isinstance(count.verdict, Decided):
            top = leaders(count.poll)
            return {
                "status": "decided",
                "seen": [answer.id for answer in top],
                "chosen": [answer.text for answer in top],
            }
        if isinstance(count.verdict, Impossible) or poll.is_finished:
            return {"status": "impossible"}
        if not self._recounts:
            # Thousands of asks wait, and the next vote brings the poll again.
            self._poll = None
        return None

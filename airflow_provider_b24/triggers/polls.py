"""Wait in the triggerer until a poll is decided."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_b24.exceptions import Bitrix24Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_b24.asks.ask import Ask
    from airflow_provider_b24.triggers.poll_watcher.payloads import PollEvent

log = logging.getLogger(__name__)


class Bitrix24PollTrigger(BaseTrigger):
    """Fire once when the rule decides the poll, the deadline passes, or the poll can't be read.

    The event is ``{"status": "success", "poll": {…}}``, ``{"status": "timeout"}``, or
    ``{"status": "error", "error": {…}}`` with the fields of the error's type. A portal that is down,
    slow or limited is waited for, and so are refused credentials, for ten minutes. All polls that one
    triggerer waits for through one connection are read together, 2,500 a request.

    :param bitrix24_conn_id: the Airflow connection.
    :param poll: any way to name a poll.
    :param rule: when the poll is decided, as the sensor takes it.
    :param poll_interval: seconds between two reads of the poll.
    :param deadline: Unix seconds after which it gives up; absolute, so that it survives a restart
        of the triggerer. None waits for ever.
    :param chat_id: the poll's chat, which the rule ``"everybody"`` needs.
    :param stop_at_end: stop the poll when a person ends the task in Airflow (3.3 and later).
    """

    def __init__(
        self,
        *,
        bitrix24_conn_id: str,
        poll: Any,
        rule: Any = "stopped",
        poll_interval: float = 10,
        deadline: float | None = None,
        chat_id: int | None = None,
        stop_at_end: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bitrix24_conn_id = bitrix24_conn_id
        self.poll = poll
        self.rule = rule
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.chat_id = chat_id
        self.stop_at_end = stop_at_end

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments; none of them is a secret."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "bitrix24_conn_id": self.bitrix24_conn_id,
            "poll": self.poll,
            "rule": self.rule,
            "poll_interval": self.poll_interval,
            "deadline": self.deadline,
            "chat_id": self.chat_id,
            "stop_at_end": self.stop_at_end,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, together with the other polls of this triggerer, and yield one event."""
        from airflow_provider_b24.triggers.poll_watcher.payloads import encodable

        yield TriggerEvent(encodable(await self._event()))

    async def on_kill(self) -> None:
        """Stop the poll of a task that a person has ended, on request."""
        from airflow_provider_b24.asks.closing import stop_quietly
        from airflow_provider_b24.triggers.poll_watcher.threads import run_in_daemon_thread

        if self.stop_at_end:
            await run_in_daemon_thread(stop_quietly, self.bitrix24_conn_id, self.poll)

    async def _event(self) -> PollEvent:
        from airflow_provider_b24.asks.watched import watched_ask
        from airflow_provider_b24.polls.reference import parse_reference
        from airflow_provider_b24.polls.rules import parse_rule
        from airflow_provider_b24.triggers.poll_watcher.payloads import error_event
        from airflow_provider_b24.triggers.poll_watcher.watcher import watcher_of

        try:
            reference, rule = parse_reference(self.poll), parse_rule(self.rule)
            ask = watched_ask(self.poll, rule, chat_id=self.chat_id, deadline=self.deadline)
        except Bitrix24Error as error:
            return error_event(error)
        log.info("Waiting for the poll (%s) by the rule %s", reference, rule)
        if ask is not None:
            return await self._count_people(ask)
        watcher = watcher_of(self.bitrix24_conn_id)
        return await watcher.wait(reference, rule, interval=self.poll_interval, deadline=self.deadline)

    async def _count_people(self, ask: Ask) -> PollEvent:
        """Wait by a rule that needs to know who has voted."""
        import time

        from airflow_provider_b24.exceptions import Bitrix24PollUndecidedError
        from airflow_provider_b24.triggers.ask_wait import AskWait
        from airflow_provider_b24.triggers.poll_watcher.payloads import (
            error_event,
            success_event,
            timeout_event,
        )

        wait = AskWait(self.bitrix24_conn_id, ask, self.poll_interval, clock=time.time)
        try:
            event = await wait.run()
        except Bitrix24Error as error:
            return error_event(error)
        if event["status"] == "decided" and wait.poll is not None:
            return success_event(wait.poll)
        if event["status"] == "timeout":
            return timeout_event()
        if event["status"] == "error":
            return {"status": "error", "error": event["error"]}
        text = f"The poll ({ask.reference}) can't be decided by the rule {ask.parsed_rule}: it was stopped"
        return error_event(Bitrix24PollUndecidedError(text, conn_id=self.bitrix24_conn_id))

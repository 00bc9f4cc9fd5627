"""Wait in the triggerer until a poll is decided."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = logging.getLogger(__name__)


class Bitrix24PollTrigger(BaseTrigger):
    """Fire once when the rule decides the poll, the deadline passes, or the poll can't be read.

    The event is ``{"status": "success", "poll": {…}}``, ``{"status": "timeout"}``, or
    ``{"status": "error", "error": {…}}`` with the fields of the error's type. A portal that is down,
    slow or limited is waited for.

    :param bitrix24_conn_id: the Airflow connection.
    :param poll: any way to name a poll.
    :param rule: ``"stopped"``, ``"first_vote"`` or ``{"quorum": k}``.
    :param poll_interval: seconds between two looks.
    :param deadline: Unix seconds after which it gives up; absolute, so that it survives a restart
        of the triggerer. None waits for ever.
    """

    def __init__(
        self,
        *,
        bitrix24_conn_id: str,
        poll: Any,
        rule: Any = "stopped",
        poll_interval: float = 10,
        deadline: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bitrix24_conn_id = bitrix24_conn_id
        self.poll = poll
        self.rule = rule
        self.poll_interval = poll_interval
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments; none of them is a secret."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "bitrix24_conn_id": self.bitrix24_conn_id,
            "poll": self.poll,
            "rule": self.rule,
            "poll_interval": self.poll_interval,
            "deadline": self.deadline,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the poll every so often and yield one event."""
        hook = Bitrix24Hook(self.bitrix24_conn_id)
        while (event := await asyncio.to_thread(self._look, hook)) is None:
            left = float("inf") if self.deadline is None else self.deadline - time.time()
            if left <= 0:
                event = {"status": "timeout"}
                break
            await asyncio.sleep(min(self.poll_interval, left))
        yield TriggerEvent(event)

    def _look(self, hook: Bitrix24Hook) -> dict[str, Any] | None:
        from airflow_provider_b24.polls.watch import PASSING, look

        try:
            poll = look(hook.polls, self.poll, self.rule)
        except PASSING as error:
            log.warning("Still waiting: %s", error)
            return None
        except Bitrix24Error as error:
            return {"status": "error", "error": error.to_dict()}
        return {"status": "success", "poll": poll.to_dict()} if poll is not None else None

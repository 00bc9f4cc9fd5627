"""Wait in the triggerer until people have decided, remind them, and close the poll when the task is ended."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_b24.exceptions import Bitrix24Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = logging.getLogger(__name__)


class Bitrix24AskTrigger(BaseTrigger):
    """Fire once when an ask is decided, can't be decided any more, or its deadline passes.

    The event is ``{"status": "decided", "seen": [answer ids]}``, ``{"status": "impossible"}``,
    ``{"status": "timeout"}`` or ``{"status": "error", "error": {…}}``. The asking task stops the poll and
    counts. When a person ends the task in Airflow (3.3 and later), the trigger stops the poll itself; a
    restart of the triggerer stops nothing.

    :param bitrix24_conn_id: the Airflow connection.
    :param ask: the ask, as ``Ask.to_dict()`` gives it; none of it is a secret.
    :param poll_interval: seconds between two reads of the poll.
    """

    def __init__(self, *, bitrix24_conn_id: str, ask: dict[str, Any], poll_interval: float = 10) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bitrix24_conn_id = bitrix24_conn_id
        self.ask = ask
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments; none of them is a secret."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "bitrix24_conn_id": self.bitrix24_conn_id,
            "ask": self.ask,
            "poll_interval": self.poll_interval,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, together with the other polls of this triggerer, and yield one event."""
        from airflow_provider_b24.triggers.poll_watcher.payloads import encodable, error_event

        try:
            event: Any = await self._wait()
        except Bitrix24Error as error:
            event = error_event(error)
        yield TriggerEvent(encodable(event))

    async def on_kill(self) -> None:
        """Close the poll: a person has ended the task, or answered it in Airflow."""
        from airflow_provider_b24.asks.ask import Ask
        from airflow_provider_b24.asks.closing import close_after_kill
        from airflow_provider_b24.triggers.poll_watcher.threads import run_in_daemon_thread

        ask = Ask.from_dict(self.ask)
        if await run_in_daemon_thread(_is_answered_in_airflow, ask.required_action_id):
            return
        await run_in_daemon_thread(close_after_kill, self.bitrix24_conn_id, ask)

    async def _wait(self) -> dict[str, Any]:
        from airflow_provider_b24.asks.ask import Ask
        from airflow_provider_b24.triggers.ask_wait import AskWait

        wait = AskWait(self.bitrix24_conn_id, Ask.from_dict(self.ask), self.poll_interval, clock=time.time)
        event = await wait.run()
        if event["status"] == "decided" and self.ask.get("required_action_id"):
            from airflow_provider_b24.triggers.poll_watcher.threads import run_in_daemon_thread

            await run_in_daemon_thread(_answer_in_airflow, self.ask["required_action_id"], event["chosen"])
        return event


def _is_answered_in_airflow(task_instance_id: str | None) -> bool:
    """Say whether the ask was answered under Required Actions; then its task closes the poll."""
    if task_instance_id is None:
        return False
    from uuid import UUID

    from airflow.sdk.execution_time.hitl import get_hitl_detail_content_detail

    try:
        return bool(get_hitl_detail_content_detail(ti_id=UUID(task_instance_id)).response_received)
    except Exception:
        log.warning("Airflow does not say whether the Required Action is answered", exc_info=True)
        return False


def _answer_in_airflow(task_instance_id: str, chosen: list[str]) -> None:
    """Close the Required Action with the answer that the chat gave."""
    from uuid import UUID

    from airflow.sdk.execution_time.hitl import update_hitl_detail_response

    try:
        update_hitl_detail_response(ti_id=UUID(task_instance_id), chosen_options=chosen, params_input={})
    except Exception:
        log.warning("The Required Action could not be closed", exc_info=True)

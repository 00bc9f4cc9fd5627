"""What the tries of a task know of its ask."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.asks.ask import Ask
from airflow_provider_b24.operators.idempotency import is_retry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

log = logging.getLogger(__name__)

_KEY = "bitrix24_ask"


class AskMemory:
    """Keeps an ask in XCom for the resumed task, and in the task state store (3.3), which outlives a try.

    :param context: the task's context.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store: Any = context.get("task_state_store")

    def save(self, ask: Ask) -> None:
        """Write the ask down.

        :param ask: what was asked.
        """
        self._context["ti"].xcom_push(key=_KEY, value=ask.to_dict())
        try:
            if self._store is not None:
                self._store.set(_KEY, ask.to_dict())
        except Exception:
            log.warning("The task state store did not take the ask", exc_info=True)

    def load(self) -> Ask:
        """Return the ask that this task saved before it was deferred: Airflow's own event lacks it."""
        ti = self._context["ti"]
        map_index = getattr(ti, "map_index", -1)
        return Ask.from_dict(ti.xcom_pull(task_ids=ti.task_id, key=_KEY, map_indexes=map_index))

    def earlier(self) -> Ask | None:
        """Return the ask of an earlier try, for a try that fails before it asks; None is unknown."""
        try:
            stored = self._store.get(_KEY) if self._store is not None else None
            return Ask.from_dict(stored) if isinstance(stored, dict) else None
        except Exception:
            log.warning("The task state store did not give the ask", exc_info=True)
            return None

    def asked_at(self, hook: Bitrix24Hook, sent: Mapping[str, int]) -> float:
        """Return when the poll was sent, in Unix seconds: a retry must not move the deadline.

        :param hook: reaches the portal, which knows when an earlier try has asked.
        :param sent: the poll as it was sent.
        """
        from airflow_provider_b24.asks.asked_at import read_asked_at

        earlier = self.earlier()
        if earlier is not None and earlier.message_id == sent["message_id"]:
            return earlier.asked_at
        asked_at = None
        if is_retry(self._context):
            asked_at = read_asked_at(hook, chat_id=sent["chat_id"], message_id=sent["message_id"])
        return time.time() if asked_at is None else asked_at

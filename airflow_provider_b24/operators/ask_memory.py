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
_NOTES_KEY = "bitrix24_ask_notes"
#: Of what Airflow or the trigger says of the end, what a retry of the end needs.
_EVENT = ("status", "seen", "chosen_options", "responded_by_user", "timedout")


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
        self._write(_KEY, ask.to_dict())

    def load(self) -> Ask:
        """Return the ask that this task saved before it was deferred: Airflow's own event lacks it."""
        ti = self._context["ti"]
        map_index = getattr(ti, "map_index", -1)
        return Ask.from_dict(ti.xcom_pull(task_ids=ti.task_id, key=_KEY, map_indexes=map_index))

    def earlier(self) -> Ask | None:
        """Return the ask of an earlier try, for a try that fails before it asks; None is unknown."""
        stored = self._get(_KEY)
        return Ask.from_dict(stored) if isinstance(stored, dict) else None

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

    def save_event(self, ask: Ask, event: Mapping[str, Any]) -> None:
        """Write down how the wait ended, for a retry of the end.

        :param ask: what was asked.
        :param event: what resumed the task.
        """
        if event.get("status") != "timeout":
            self._note(ask, event={name: event[name] for name in _EVENT if name in event})

    def event(self, ask: Ask) -> dict[str, Any] | None:
        """Return how the wait ended in an earlier try; None when that is not known.

        :param ask: what was asked.
        """
        found = self._notes(ask).get("event")
        return dict(found) if isinstance(found, dict) else None

    def is_to_be_told(self, ask: Ask) -> bool:
        """Say whether the notifiers have not told of the question yet.

        :param ask: what was asked.
        """
        return not is_retry(self._context) if self._store is None else not self._notes(ask).get("is_told")

    def told(self, ask: Ask) -> None:
        """Write down that the notifiers have told of the question.

        :param ask: what was asked.
        """
        self._note(ask, is_told=True)

    def killed(self, ask: Ask) -> None:
        """Write down that the poll was closed because the task was ended in Airflow.

        :param ask: what was asked.
        """
        self._note(ask, killed=[*self._read().get("killed", []), ask.message_id])

    def was_killed(self, message_id: int) -> bool:
        """Say whether a poll was closed because the task was ended in Airflow.

        :param message_id: the poll's message.
        """
        return message_id in self._read().get("killed", [])

    def _notes(self, ask: Ask) -> dict[str, Any]:
        notes = self._read()
        return notes if notes.get("message_id") == ask.message_id else {}

    def _note(self, ask: Ask, **fields: Any) -> None:
        killed = self._read().get("killed", [])
        notes = {**self._notes(ask), "message_id": ask.message_id, "killed": killed, **fields}
        self._write(_NOTES_KEY, notes)

    def _read(self) -> dict[str, Any]:
        found = self._get(_NOTES_KEY)
        return dict(found) if isinstance(found, dict) else {}

    def _get(self, key: str) -> Any:
        try:
            return None if self._store is None else self._store.get(key)
        except Exception:
            log.warning("The task state store did not give the ask", exc_info=True)
            return None

    def _write(self, key: str, value: dict[str, Any]) -> None:
        try:
            if self._store is not None:
                self._store.set(key, value)
        except Exception:
            log.warning("The task state store did not take the ask", exc_info=True)

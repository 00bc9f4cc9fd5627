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
_AFTER_KEY = "bitrix24_ask_after"
#: Of what Airflow or the trigger says of the end, what a retry of the end needs.
_EVENT = ("status", "seen", "chosen_options", "responded_by_user", "timedout")


class AskMemory:
    """Keeps an ask in XCom for the resumed task, and in the task state store (3.3), which outlives a try.

    :param context: the task's context.
    :param portal: the portal's address: what was asked on another portal is not remembered.
    """

    def __init__(self, context: Context, *, portal: str) -> None:
        self._context = context
        self._portal = portal
        self._store: Any = context.get("task_state_store")

    def save(self, ask: Ask) -> None:
        """Write the ask down.

        :param ask: what was asked.
        """
        self._context["ti"].xcom_push(key=_KEY, value=ask.to_dict())
        self._write(_KEY, {"portal": self._portal, "ask": ask.to_dict()})

    def load(self) -> Ask:
        """Return the ask that this task saved before it was deferred: Airflow's own event lacks it."""
        ti = self._context["ti"]
        map_index = getattr(ti, "map_index", -1)
        return Ask.from_dict(ti.xcom_pull(task_ids=ti.task_id, key=_KEY, map_indexes=map_index))

    def earlier(self) -> Ask | None:
        """Return the ask of an earlier try, for a try that fails before it asks; None is unknown."""
        stored = self._read(_KEY)
        try:
            return Ask.from_dict(stored["ask"]) if stored.get("portal") == self._portal else None
        except (KeyError, TypeError):
            # Another version of this package wrote it.
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

    def save_event(self, ask: Ask, event: Mapping[str, Any]) -> None:
        """Write down a decision, for a retry of the end; what else ended the wait may change until then.

        :param ask: what was asked.
        :param event: what resumed the task.
        """
        if "seen" in event or "chosen_options" in event:
            self._note(ask, event={name: event[name] for name in _EVENT if name in event})

    def event(self, ask: Ask) -> dict[str, Any] | None:
        """Return the decision that an earlier try has seen; None when it has seen none, or nobody knows.

        :param ask: what was asked.
        """
        found = self._notes(ask).get("event")
        return dict(found) if isinstance(found, dict) else None

    def is_to_be_told(self, ask: Ask, number: int) -> bool:
        """Say whether a notifier has not told of the question yet.

        :param ask: what was asked.
        :param number: the notifier's place among the task's, from 0.
        """
        if self._store is None:
            return not is_retry(self._context)
        return number >= int(self._notes(ask).get("told", 0))

    def told(self, ask: Ask, count: int) -> None:
        """Write down that notifiers have told of the question.

        :param ask: what was asked.
        :param count: how many of the task's.
        """
        self._note(ask, told=count)

    def after(self) -> int | None:
        """Return which closed poll the task's newest one follows; None when it is the first, or unknown."""
        stored = self._read(_AFTER_KEY)
        is_mine = (stored.get("portal"), stored.get("clears")) == (self._portal, self._clears)
        return int(stored["message_id"]) if is_mine else None

    def save_after(self, message_id: int) -> None:
        """Write down that the task's newest poll follows a closed one.

        :param message_id: the closed poll's message.
        """
        value = {"portal": self._portal, "clears": self._clears, "message_id": message_id}
        self._write(_AFTER_KEY, value)

    @property
    def _clears(self) -> int:
        # Clearing the task raises it; retries leave it alone.
        return int(getattr(self._context["ti"], "max_tries", 0) or 0)

    def _notes(self, ask: Ask) -> dict[str, Any]:
        notes = self._read(_NOTES_KEY)
        is_of_ask = (notes.get("portal"), notes.get("message_id")) == (self._portal, ask.message_id)
        return notes if is_of_ask else {"portal": self._portal, "message_id": ask.message_id}

    def _note(self, ask: Ask, **fields: Any) -> None:
        self._write(_NOTES_KEY, {**self._notes(ask), **fields})

    def _read(self, key: str) -> dict[str, Any]:
        try:
            found = None if self._store is None else self._store.get(key)
        except Exception:
            log.warning("The task state store did not give the ask", exc_info=True)
            return {}
        return dict(found) if isinstance(found, dict) else {}

    def _write(self, key: str, value: dict[str, Any]) -> None:
        try:
            if self._store is not None:
                self._store.set(key, value)
        except Exception:
            log.warning("The task state store did not take the ask", exc_info=True)

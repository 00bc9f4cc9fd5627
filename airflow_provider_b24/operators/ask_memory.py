"""What the tries of a task remember of the question that they ask."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.asks.ask import Ask
from airflow_provider_b24.operators.task_memory import TaskMemory, is_retry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

log = logging.getLogger(__name__)

_XCOM_KEY = "bitrix24_ask"
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
        self._ask = TaskMemory(context, "ask", (portal,), fields={"ask": dict})
        self._after = TaskMemory(context, "ask_after", (portal,), fields={"message_id": int})

    def save(self, ask: Ask) -> None:
        """Write the ask down.

        :param ask: what was asked.
        """
        self._context["ti"].xcom_push(key=_XCOM_KEY, value=ask.to_dict())
        self._ask.save({"ask": ask.to_dict()})

    def load(self) -> Ask:
        """Return the ask that this task saved before it was deferred: Airflow's own event lacks it."""
        ti = self._context["ti"]
        map_index = getattr(ti, "map_index", -1)
        return Ask.from_dict(ti.xcom_pull(task_ids=ti.task_id, key=_XCOM_KEY, map_indexes=map_index))

    def earlier(self) -> Ask | None:
        """Return the ask of an earlier try, for a try that fails before it asks; None is unknown."""
        stored = self._ask.recall().fields
        try:
            return Ask.from_dict(stored["ask"]) if stored else None
        except Exception as error:  # noqa: BLE001 - whatever another version of this package has stored
            log.warning("The ask of an earlier try can't be read: %s", type(error).__name__)
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
            self._save_notes(ask, event={name: event[name] for name in _EVENT if name in event})

    def event(self, ask: Ask) -> dict[str, Any] | None:
        """Return the decision that an earlier try has seen; None when it has seen none, or nobody knows.

        :param ask: what was asked.
        """
        return self._notes(ask).recall().fields.get("event") or None

    def should_notify(self, ask: Ask, number: int) -> bool:
        """Say whether a notifier has not told people of the question yet.

        :param ask: what was asked.
        :param number: the notifier's place among the task's, from 0.
        """
        notes = self._notes(ask)
        recalled = notes.recall()
        if not notes.exists or not recalled.is_readable:
            return not is_retry(self._context)
        return number >= int(recalled.fields.get("notified", 0))

    def save_notified(self, ask: Ask, count: int) -> None:
        """Write down that notifiers have told people of the question.

        :param ask: what was asked.
        :param count: how many of the task's.
        """
        self._save_notes(ask, notified=count)

    def after(self) -> int | None:
        """Return which closed poll the task's newest one follows; None when it is the first, or unknown."""
        stored = self._after.recall().fields
        return stored["message_id"] if stored.get("clears") == self._after.clears else None

    def save_after(self, message_id: int) -> None:
        """Write down that the task's newest poll follows a closed one.

        :param message_id: the closed poll's message.
        """
        self._after.save({"message_id": message_id})

    def _notes(self, ask: Ask) -> TaskMemory:
        target = (self._portal, ask.message_id)
        return TaskMemory(self._context, "ask_notes", target, fields={"notified": int, "event": dict})

    def _save_notes(self, ask: Ask, **fields: Any) -> None:
        notes = self._notes(ask)
        notes.save({"notified": 0, "event": {}, **notes.recall().fields, **fields})

"""What makes a task post a single message once, however often it is retried."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.operators.task_memory import TaskMemory

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

_FIELDS: dict[str, type | tuple[type, ...]] = {
    "state": str,
    "result": (int, dict, NoneType),
    "template_id": (str, NoneType),
    "at": (int, float, NoneType),
    "chat_id": (int, NoneType),
    "since": (int, NoneType),
}
_BEGUN, _POSTED, _NOT_POSTED = "begun", "posted", "not posted"


class MessageMemory:
    """The message of one task instance, over its tries; it is empty where Airflow has no task state store.

    :param context: the running task's context; empty outside of Airflow.
    :param what: what is posted and where: another message is a new one.
    """

    def __init__(self, context: Context, *what: Any) -> None:
        self._memory = TaskMemory(context, "message", what, fields=_FIELDS)
        recalled = self._memory.recall()
        #: It is not known what earlier tries did.
        self._is_lost = not recalled.is_known
        #: Of another run of the task nothing counts that is certain.
        is_past = recalled.fields.get("clears") != self._memory.clears
        is_certain = recalled.fields.get("state") != _BEGUN
        self.fields: dict[str, Any] = {} if is_past and is_certain else recalled.fields

    @property
    def is_kept(self) -> bool:
        """Whether Airflow keeps it for the next try, and has given what earlier ones have remembered."""
        return self._memory.exists and not self._is_lost

    @property
    def result(self) -> Any:
        """What an earlier try of the same run has returned; None when there is none."""
        found = self.fields.get("result") if self.fields.get("state") == _POSTED else None
        return found if _is_result(found) else None

    @property
    def may_have_posted(self) -> bool:
        """Whether an earlier try may have posted the message, and nobody knows."""
        if self.fields:
            return self.fields["state"] != _NOT_POSTED and self.result is None
        return self._is_lost

    def begin(self, **fields: Any) -> None:
        """Remember that the message is about to be posted."""
        self._save(_BEGUN, {**self.fields, **fields, "result": None})

    def end(self, result: Any) -> None:
        """Remember what was posted."""
        self._save(_POSTED, {**self.fields, "result": result})

    def forget(self) -> None:
        """Remember that the message was certainly not posted."""
        self._save(_NOT_POSTED, {})

    def _save(self, state: str, fields: dict[str, Any]) -> None:
        self.fields = {**fields, "state": state, "clears": self._memory.clears}
        self._memory.save(self.fields)


def _is_result(found: Any) -> bool:
    """Say whether it is the id of a message, or the ids of a message and its chat."""
    ids = list(found.values()) if isinstance(found, dict) else [found]
    return bool(ids) and all(type(number) is int and number > 0 for number in ids)

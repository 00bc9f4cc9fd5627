"""What makes a task do its work once, however often it is retried."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24PollNotFoundError, Outcome
from airflow_provider_b24.ids import parse_chat_id
from airflow_provider_b24.operators.task_memory import TaskMemory, clears

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.operators.task_memory import Recalled

_FIELDS = {"template_id": str, "task_template_id": str, "is_uncertain": bool, "may_have_sent": bool}
_CLEAR_FINDS_IT = " A retry of the task does that, and so does clearing it."
_CLEAR_SENDS_ANOTHER = " A retry of the task does that; clearing the task sends another poll."
_DELETED = "The poll was sent, and its message was deleted since; clear the task to send another."


def task_template_id(task_instance: Any, *, portal: str, dialog: str) -> str:
    """Return the id of the one poll or message that a task instance posts to a dialog.

    It is the same for every retry. It is another one after a person has cleared the task, because
    it is another run of the task. A portal knows an id in all its chats, so two
    Airflows with the same DAG, such as staging and production, need different ones for their chats.

    :param task_instance: the running task instance.
    :param portal: the portal's address.
    :param dialog: where it is posted: ``chatN``, or a person's user id.
    """
    parts = (
        task_instance.dag_id,
        task_instance.task_id,
        task_instance.run_id,
        getattr(task_instance, "map_index", -1),
        clears({"ti": task_instance}),
        portal,
        dialog,
    )
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    # A hash in the shape of a random UUID: version 5, made for this, is ignored by the portal.
    return str(uuid.UUID(bytes=digest[:16], version=4))


def send_poll_once(
    context: Context,
    send: Callable[[str, bool], dict[str, int]],
    *,
    portal: str,
    chat_id: int | str,
    template_id: str | None = None,
    after: int | None = None,
) -> dict[str, int]:
    """Send the one poll of a task, and return where it is.

    Airflow 3.3 and later remember the template id in the task state store, so that a try after a person
    has cleared the task finds the poll of a try that may have sent it and did not return it.

    :param context: the running task's context.
    :param send: sends the poll, given a template id and whether that id may have been sent before.
    :param portal: the portal's address.
    :param chat_id: the chat's number, or ``chatN``.
    :param template_id: the user's own id instead of the task's.
    :param after: the message of the task's poll that this one follows; None is the first one.
    """
    if after is not None:
        dialog = f"chat{parse_chat_id(chat_id)} after {after}"
        template_id = task_template_id(context["ti"], portal=portal, dialog=dialog)
    if template_id:
        return _send_with_advice(send, template_id, True, is_remembered=True)
    return _PollOfTask(context, portal=portal, chat_id=parse_chat_id(chat_id)).send(send)


def _send_with_advice(
    send: Callable[[str, bool], dict[str, int]], template_id: str, may_have_sent: bool, *, is_remembered: bool
) -> dict[str, int]:
    """Send, and let an error say what a retry and a clear would do."""
    try:
        return send(template_id, may_have_sent)
    except Bitrix24Error as error:
        if is_doubtful(error):
            error.advice += _CLEAR_FINDS_IT if is_remembered else _CLEAR_SENDS_ANOTHER
        raise


class _PollOfTask:
    """The poll of one task instance in one chat, over its retries and clears.

    What is remembered: ``template_id``, with which it was sent; ``task_template_id``, the task's own id at
    that time, which another clear changes; ``is_uncertain``, whether it may be in the chat although no try
    has returned it; ``may_have_sent``, whether the template id may have reached the portal.
    """

    def __init__(self, context: Context, *, portal: str, chat_id: int) -> None:
        self._memory = TaskMemory(context, "poll", (portal, chat_id), fields=_FIELDS)
        self._own = task_template_id(context["ti"], portal=portal, dialog=f"chat{chat_id}")

    def send(self, send: Callable[[str, bool], dict[str, int]]) -> dict[str, int]:
        template_id, may_have_sent = self._identity(self._memory.recall())
        # Before it is sent: the process may be killed at any time after.
        is_remembered = self._save(template_id)
        try:
            sent = _send_with_advice(send, template_id, may_have_sent, is_remembered=is_remembered)
        except Bitrix24PollNotFoundError as error:
            error.advice = _DELETED
            self._save(template_id, is_uncertain=False)
            raise
        except Bitrix24Error as error:
            if not may_have_sent and not is_doubtful(error):
                self._save(template_id, is_uncertain=False, may_have_sent=False)
            raise
        self._save(template_id, is_uncertain=False)
        return sent

    def _identity(self, recalled: Recalled) -> tuple[str, bool]:
        """Return the template id to send, and whether it may have been sent before."""
        from airflow_provider_b24.rest.idempotency import TEMPLATE_ID

        earlier = recalled.fields
        if not earlier or not TEMPLATE_ID.fullmatch(earlier["template_id"]):
            return self._own, bool(earlier) or not recalled.is_known
        if earlier["task_template_id"] == self._own:
            return earlier["template_id"], earlier["may_have_sent"]
        return (earlier["template_id"], True) if earlier["is_uncertain"] else (self._own, False)

    def _save(self, template_id: str, *, is_uncertain: bool = True, may_have_sent: bool = True) -> bool:
        """Remember the poll; return whether that was possible."""
        return self._memory.save(
            {
                "template_id": template_id,
                "task_template_id": self._own,
                "is_uncertain": is_uncertain,
                "may_have_sent": may_have_sent,
            }
        )


def is_doubtful(error: Bitrix24Error) -> bool:
    """Say whether a failed call may have been executed.

    :param error: why it failed.
    """
    return error.may_have_executed or error.outcome is Outcome.UNKNOWN

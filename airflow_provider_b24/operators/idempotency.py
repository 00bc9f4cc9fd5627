"""What makes a task do its work once, however often it is retried."""

from __future__ import annotations

import hashlib
import logging
import uuid
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24PollNotFoundError, Outcome
from airflow_provider_b24.ids import parse_chat_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

_STORE_KEY = "bitrix24_poll"
#: For so long a portal recognises a template id.
_RETENTION = timedelta(days=31)
_CLEAR_FINDS_IT = " A retry of the task does that, and so does clearing it."
_CLEAR_SENDS_ANOTHER = " A retry of the task does that; clearing the task sends another poll."
_DELETED = "The poll was sent, and its message was deleted since; clear the task to send another."


def task_template_id(task_instance: Any, *, portal: str, dialog: str) -> str:
    """Return the id of the one poll or message that a task instance posts to a dialog.

    It is the same for every retry. It is another one after a person has cleared the task, because
    clearing raises ``max_tries``, which retries leave alone. A portal knows an id in all its chats, so two
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
        getattr(task_instance, "max_tries", 0),
        portal,
        dialog,
    )
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    # A hash in the shape of a random UUID: version 5, made for this, is ignored by the portal.
    return str(uuid.UUID(bytes=digest[:16], version=4))


def is_retry(context: Context) -> bool:
    """Say whether an earlier try of this task instance may have reached the portal."""
    return int(getattr(context["ti"], "try_number", 1) or 1) > 1


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


@dataclass(frozen=True)
class _Record:
    """What is remembered of a poll.

    :param template_id: the id with which it was sent.
    :param task_template_id: the task's own id at that time, which another clear, portal or chat changes.
    :param portal: the portal's address.
    :param chat_id: the chat's number.
    :param is_doubtful: whether it may be in the chat although no try has returned it.
    :param may_have_sent: whether the template id may have reached the portal.
    """

    template_id: str
    task_template_id: str
    portal: str
    chat_id: int
    is_doubtful: bool = True
    may_have_sent: bool = True


class _PollOfTask:
    """The poll of one task instance, over its retries and clears."""

    def __init__(self, context: Context, *, portal: str, chat_id: int) -> None:
        self._store: Any = context.get("task_state_store")
        self._own = task_template_id(context["ti"], portal=portal, dialog=f"chat{chat_id}")
        self._portal = portal
        self._chat_id = chat_id
        self._is_retry = is_retry(context)

    def send(self, send: Callable[[str, bool], dict[str, int]]) -> dict[str, int]:
        template_id, may_have_sent = self._identity(self._load())
        # Before it is sent: the process may be killed at any time after.
        is_remembered = self._save(template_id)
        try:
            sent = _send_with_advice(send, template_id, may_have_sent, is_remembered=is_remembered)
        except Bitrix24PollNotFoundError as error:
            error.advice = _DELETED
            self._save(template_id, is_doubtful=False)
            raise
        except Bitrix24Error as error:
            if not may_have_sent and not is_doubtful(error):
                self._save(template_id, is_doubtful=False, may_have_sent=False)
            raise
        self._save(template_id, is_doubtful=False)
        return sent

    def _identity(self, earlier: _Record | None) -> tuple[str, bool]:
        """Return the template id to send, and whether it may have been sent before."""
        if earlier is None:
            return self._own, self._is_retry
        if earlier.task_template_id == self._own:
            return earlier.template_id, earlier.may_have_sent
        is_same_poll = (earlier.portal, earlier.chat_id) == (self._portal, self._chat_id)
        return (earlier.template_id, True) if earlier.is_doubtful and is_same_poll else (self._own, False)

    def _load(self) -> _Record | None:
        if self._store is None:
            return None
        try:
            record = self._store.get(_STORE_KEY)
            return _Record(**record) if record else None
        except Exception as error:  # noqa: BLE001 - the poll matters more than the store
            log.warning("The task state store did not give the poll's template id: %s", error)
            return None

    def _save(self, template_id: str, **fields: bool) -> bool:
        """Remember the poll; return whether that was possible."""
        if self._store is None:
            return False
        record = _Record(template_id, self._own, self._portal, self._chat_id, **fields)
        try:
            self._store.set(_STORE_KEY, asdict(record), retention=_RETENTION)
        except Exception as error:  # noqa: BLE001 - the poll matters more than the store
            log.warning("The task state store did not take the poll's template id: %s", error)
            return False
        return True


def is_doubtful(error: Bitrix24Error) -> bool:
    """Say whether a failed call may have been executed.

    :param error: why it failed.
    """
    return error.may_have_executed or error.outcome is Outcome.UNKNOWN

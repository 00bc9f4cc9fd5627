"""The end of an ask: its poll is stopped, counted and read for the audit."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.asks.texts import ENDED_IN_AIRFLOW, closed_text, failed_text
from airflow_provider_b24.exceptions import Bitrix24AccessDeniedError, Bitrix24Error
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

if TYPE_CHECKING:
    from airflow_provider_b24.asks.ask import Ask
    from airflow_provider_b24.polls.counting import Count
    from airflow_provider_b24.polls.poll import Poll

log = logging.getLogger(__name__)

#: A portal takes votes until the second in which it stopped the poll is over.
_LAST_SECOND = 1.0


def stop_poll(hook: Bitrix24Hook, ask: Ask) -> Poll:
    """Stop an ask's poll and return it with its last votes; no vote comes after that.

    A poll that the account may not stop stays open, with a warning.

    :param hook: reaches the portal.
    :param ask: what was asked.
    :raises Bitrix24PollNotFoundError: when the poll is deleted: that is a fault and no answer.
    """
    try:
        hook.polls.stop(ask.message_id)
        time.sleep(_LAST_SECOND)
    except Bitrix24AccessDeniedError as error:
        log.warning("The poll stays open: %s", error)
    return hook.polls.get(ask.message_id)


def count_after_stop(hook: Bitrix24Hook, ask: Ask, poll: Poll) -> Count:
    """Return the count of a stopped poll, with its voters where they are public.

    :param hook: reaches the portal.
    :param ask: what was asked.
    :param poll: the poll after the stop.
    """
    return ask.counter(hook).count(ask.reference, poll, with_voters=not poll.anonymous)


def close_after_kill(conn_id: str, ask: Ask) -> None:
    """Stop the poll of a task that a person has ended, and tell the chat.

    :param conn_id: the Airflow connection.
    :param ask: what was asked.
    """
    try:
        if _close(Bitrix24Hook(conn_id), ask, closed_text()):
            log.info("The poll is closed: the task was ended in Airflow")
    except Bitrix24Error as error:
        log.warning("The poll could not be closed: %s", error)


def was_closed_by_kill(hook: Bitrix24Hook, ask: Ask) -> bool:
    """Say whether a stopped poll was closed by :func:`close_after_kill`; its message in the chat tells.

    The chat is the one place that a process which is ended can still write to: Airflow has given the task
    another id by then.

    :param hook: reaches the portal.
    :param ask: what was asked.
    :raises Bitrix24Error: when the chat can't be read.
    """
    replies = hook.chats.replies(chat_id=ask.chat_id, message_id=ask.message_id)
    return any(reply["user_id"] == hook.account_id and ENDED_IN_AIRFLOW in reply["text"] for reply in replies)


def close_after_failure(conn_id: str, ask: Ask, *, tell: bool) -> None:
    """Stop the poll of a task that has failed and is not retried; nothing hides the task's own error.

    :param conn_id: the Airflow connection.
    :param ask: what was asked.
    :param tell: whether to post it in the chat.
    """
    try:
        if _close(Bitrix24Hook(conn_id), ask, failed_text() if tell else None):
            log.info("The poll is closed: the task has failed")
    except Exception as error:  # noqa: BLE001 - the task's own error says more
        log.warning("The poll stays open: %s", error)


def _close(hook: Bitrix24Hook, ask: Ask, text: str | None) -> bool:
    """Stop a poll that is open and tell the chat why; say whether it was open and is closed now."""
    if hook.polls.get(ask.message_id).is_finished:
        return False
    try:
        hook.polls.stop(ask.message_id)
    except Bitrix24AccessDeniedError as error:
        log.warning("The poll stays open: %s", error)
        return False
    if text is not None:
        announce(hook, ask, text)
    return True


def stop_quietly(conn_id: str, poll: Any) -> None:
    """Stop a poll that nobody waits for any more; a poll that can't be stopped stays open, with a warning.

    :param conn_id: the Airflow connection.
    :param poll: any way to name the poll.
    """
    try:
        Bitrix24Hook(conn_id).polls.stop(poll)
    except Bitrix24Error as error:
        log.warning("The poll could not be stopped: %s", error)


def announce(hook: Bitrix24Hook, ask: Ask, text: str) -> None:
    """Post the end of an ask below its poll, once; a chat that can't be written to does not fail the task.

    :param hook: reaches the portal.
    :param ask: what was asked.
    :param text: the message.
    """
    try:
        hook.chats.post_once(
            message=text, chat_id=ask.chat_id, since_message_id=ask.message_id, reply_to=ask.message_id
        )
    except Bitrix24Error as error:
        log.warning("The decision could not be posted to the chat: %s", error)


def read_comments(hook: Bitrix24Hook, ask: Ask) -> list[dict[str, Any]]:
    """Return what people wrote as replies to the poll; none when the chat can't be read.

    :param hook: reaches the portal.
    :param ask: what was asked.
    """
    try:
        replies = hook.chats.replies(chat_id=ask.chat_id, message_id=ask.message_id)
        # The decision itself is a reply of the asking account.
        return [reply for reply in replies if reply["user_id"] != hook.account_id]
    except Bitrix24Error as error:
        log.warning("The replies to the poll could not be read: %s", error)
        return []

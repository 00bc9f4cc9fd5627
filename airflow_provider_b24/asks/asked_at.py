"""When a question was asked, for a task that tries again: a retry must not move the deadline."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import Bitrix24Error

if TYPE_CHECKING:
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook


def read_asked_at(hook: Bitrix24Hook, *, chat_id: int, message_id: int) -> float | None:
    """Return when the poll's message was posted, in Unix seconds; None when the portal does not say.

    :param hook: reaches the portal.
    :param chat_id: the poll's chat.
    :param message_id: the poll's message.
    """
    try:
        messages = hook.chats.messages(chat_id=chat_id, since_message_id=message_id - 1)
    except Bitrix24Error:
        return None
    for message in messages:
        if message.id == message_id:
            return _unix_seconds(message.date)
    return None


def _unix_seconds(date: str) -> float | None:
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None

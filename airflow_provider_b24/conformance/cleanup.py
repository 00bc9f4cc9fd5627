"""Removing what a run has posted: its polls and messages, its chats, its connectors."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_b24.chats.messages import NEWEST
from airflow_provider_b24.conformance.answers import as_items, as_object
from airflow_provider_b24.conformance.trial import entity
from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.ids import positive_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from airflow_provider_b24.conformance.answers import Answer
    from airflow_provider_b24.conformance.trial import Trial


def clean_up(trial: Trial) -> int:
    """Remove what a run has posted, and return how many things could not be removed.

    A poll that can't be deleted is stopped. One failure does not keep the rest from being tried.

    :param trial: the run.
    """
    left = 0
    for number in [*trial.messages, *_lost_messages(trial)]:
        left += not _delete(trial, number)
    for chat_id in trial.own_chats:
        left += not _succeeds(trial, "im.chat.leave", {"CHAT_ID": chat_id})
    for name in trial.connectors:
        left += not _succeeds(trial, "imconnector.unregister", {"ID": name})
    return left


def _delete(trial: Trial, number: int) -> bool:
    if _succeeds(trial, "im.message.delete", {"MESSAGE_ID": number}):
        return True
    # The message stays, as portals delete young messages only; at least nobody votes any more.
    _try(trial, "vote.AttachedVote.stop", entity(number))
    return False


def _lost_messages(trial: Trial) -> list[int]:
    """Return messages of this run whose reply was lost: they begin with its mark."""
    answer = _try(
        trial, "im.dialog.messages.get", {"DIALOG_ID": trial.dialog, "LIMIT": 50, "LAST_ID": NEWEST}
    )
    rows = map(as_object, as_items(as_object(answer.result if answer else None).get("messages")))
    found = [
        positive_number(row.get("id"))
        for row in rows
        if str(row.get("text")).startswith(trial.mark)
        and positive_number(row.get("author_id")) == trial.account_id
    ]
    return [number for number in found if number and number not in trial.messages]


def _succeeds(trial: Trial, method: str, params: Mapping[str, Any]) -> bool:
    answer = _try(trial, method, params)
    return answer is not None and answer.problem is None


def _try(trial: Trial, method: str, params: Mapping[str, Any]) -> Answer | None:
    with suppress(Bitrix24Error):
        return trial.ask(method, params)
    return None

"""The fields of a message to a chat or to one person, which an operator and the notifier have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.field_values import check_text, optional
from airflow_provider_b24.ids import parse_chat_id, parse_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_b24.field_values import Check

MESSAGE_CHECKS: Mapping[str, Check] = {
    "message": check_text,
    "chat_id": optional(parse_chat_id),
    "user_id": optional(parse_id),
}


def check_addressee(values: Mapping[str, Any]) -> None:
    """Refuse a message that does not go to exactly one place.

    :param values: the checked values of the fields that are known by now.
    :raises Bitrix24ValidationError: when neither a chat nor a person is given, or both.
    """
    if {"chat_id", "user_id"} <= set(values) and (values["chat_id"] is None) == (values["user_id"] is None):
        raise Bitrix24ValidationError("chat_id", "give either chat_id or user_id")

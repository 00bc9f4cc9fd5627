"""Connector messages, written as Bitrix24's page shows them: ``user``, ``message``, ``chat``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.ids import parse_id
from airflow_provider_b24.open_lines.dates import MAX_SECONDS, MIN_SECONDS, unix_seconds
from airflow_provider_b24.schemas.accept import accepts_items_of
from airflow_provider_b24.schemas.validate import check, violations

_SCHEMA = "connector_messages"


def prepare_messages(messages: Any, *, now: float) -> list[dict[str, Any]]:
    """Return the messages as they are sent, checked.

    ``sex`` and ``gender`` are two names for one thing, in the older and in the newer documentation:
    the one that is missing is added. A message without a date gets the present time; a datetime, or
    its ISO form, becomes Unix seconds; without a zone it is taken as UTC.

    :param messages: a list of ``{"user": …, "message": …, "chat": …}``.
    :param now: the present time in Unix seconds.
    :raises Bitrix24ValidationError: with the path, for example ``messages[3].message: needs text or files``.
    """
    dated = [_with_date(item, now) for item in messages] if isinstance(messages, list | tuple) else messages
    check(dated, _SCHEMA, root="messages")
    return [_with_both_sexes(item) for item in dated]


def prepare_message(item: Any, *, now: float) -> dict[str, Any] | None:
    """Return one message as it is sent; None when it breaks a rule.

    :param item: ``{"user": …, "message": …, "chat": …}``.
    :param now: the present time in Unix seconds.
    """
    dated = _with_date(item, now)
    if accepts_items_of(_SCHEMA)(dated) or not violations([dated], _SCHEMA):
        return _with_both_sexes(dated)
    return None


def message_violations(item: Any, *, name: str, now: float) -> list[str]:
    """Return every rule that one message breaks, each with the path of the field.

    :param item: ``{"user": …, "message": …, "chat": …}``.
    :param name: how the message is called: ``messages[3]``, ``line 17``.
    :param now: the present time in Unix seconds.
    """
    found = violations([_with_date(item, now)], _SCHEMA)
    return [f"{name}{path.removeprefix('[0]')}: {rule}" for path, rule in found]


def prepare_deletions(messages: Any) -> list[dict[str, Any]]:
    """Return the messages that are to be deleted: the ids of user, message and chat are enough."""
    given = list(messages) if isinstance(messages, list | tuple) else messages
    check(given, "connector_deletions", root="messages")
    return [{part: {"id": item[part]["id"]} for part in ("user", "message", "chat")} for item in given]


def check_target(connector: Any, line: Any) -> dict[str, Any]:
    """Return the parameters that name a connector on an open line."""
    if not isinstance(connector, str) or not connector.strip():
        raise Bitrix24ValidationError("connector", "must be the id under which the connector is registered")
    return {"CONNECTOR": connector.strip(), "LINE": parse_id(line, "line")}


def _with_date(item: Any, now: float) -> Any:
    message = item.get("message") if type(item) is dict or isinstance(item, Mapping) else None
    if type(message) is not dict and not isinstance(message, Mapping):
        return item
    date = message.get("date")
    # Nothing is copied that is as it is sent.
    if type(date) is int and type(item) is dict and MIN_SECONDS <= date <= MAX_SECONDS:
        return item
    return {**item, "message": {**message, "date": unix_seconds(date, now)}}


def _with_both_sexes(item: dict[str, Any]) -> dict[str, Any]:
    user = item["user"]
    sex = user.get("sex", user.get("gender"))
    return item if sex is None else {**item, "user": {"sex": sex, "gender": sex, **user}}

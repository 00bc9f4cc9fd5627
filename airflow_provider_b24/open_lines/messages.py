"""Connector messages, written as Bitrix24's page shows them: ``user``, ``message``, ``chat``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.ids import parse_id
from airflow_provider_b24.open_lines.dates import unix_seconds
from airflow_provider_b24.schemas.validate import check


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
    check(dated, "connector_messages", root="messages")
    return [{**item, "user": _with_both_sexes(item["user"])} for item in dated]


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
    if not isinstance(item, Mapping) or not isinstance(item.get("message"), Mapping):
        return item
    message = item["message"]
    return {**item, "message": {**message, "date": unix_seconds(message.get("date"), now)}}


def _with_both_sexes(user: Mapping[str, Any]) -> dict[str, Any]:
    sex = user.get("sex", user.get("gender"))
    return dict(user) if sex is None else {"sex": sex, "gender": sex, **user}

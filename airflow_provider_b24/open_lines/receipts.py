"""Receipts: which operators' messages arrived in the external system, and were read there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24OpenLineError
from airflow_provider_b24.ids import positive_number
from airflow_provider_b24.open_lines.dates import unix_seconds
from airflow_provider_b24.rest import php
from airflow_provider_b24.schemas.validate import check

if TYPE_CHECKING:
    from airflow_provider_b24.rest.client import Bitrix24Client

DELIVERY, READING = "imconnector.send.status.delivery", "imconnector.send.status.reading"
#: Receipts in one request.
_MAX_REQUEST = 50


def prepare_receipts(messages: Any, *, now: float) -> list[dict[str, Any]]:
    """Return receipts as they are sent, checked; what is more in them is left out.

    So an item of the event ``ONIMCONNECTORMESSAGEADD`` needs nothing but the external id as ``message.id``.

    :param messages: ``{"im": {"chat_id", "message_id"}, "message": {"id", "date"}, "chat": {"id"}}`` each.
    :param now: the present time in Unix seconds, for a message without a date.
    :raises Bitrix24ValidationError: with the path, for example ``messages[3].im: needs 'chat_id'``.
    """
    given = messages
    if isinstance(messages, Iterable) and not isinstance(messages, str | bytes | Mapping):
        given = [_receipt(item, now) for item in messages]
    check(given, "connector_receipts", root="messages")
    return given  # type: ignore[no-any-return]


def send_receipts(
    client: Bitrix24Client, method: str, target: dict[str, Any], receipts: list[dict[str, Any]]
) -> int:
    """Send receipts and return how many there were.

    :param method: :data:`DELIVERY` or :data:`READING`; both are idempotent.
    :param target: the connector and the line.
    :raises Bitrix24OpenLineError: when the portal does not take them.
    """
    for first in range(0, len(receipts), _MAX_REQUEST):
        part = receipts[first : first + _MAX_REQUEST]
        result = client.call(method, {**target, "MESSAGES": part})
        with php.promised("a success or not", method=method, conn_id=client.conn_id):
            is_success = php.as_bool(php.as_row(result).get("SUCCESS"))
        if not is_success:
            raise client.refusal(Bitrix24OpenLineError, method, "the portal does not take the receipts")
    return len(receipts)


_PARTS = {"im": ("chat_id", "message_id"), "message": ("id", "date"), "chat": ("id",)}


def _receipt(item: Any, now: float) -> Any:
    """Return the parts of a receipt; what is no receipt is returned as it is, for the schema to refuse."""
    if not isinstance(item, Mapping):
        return item
    row = {part: _picked(item[part], keys) for part, keys in _PARTS.items() if part in item}
    if isinstance(row.get("im"), dict):
        row["im"] = {key: positive_number(value) or value for key, value in row["im"].items()}
    if isinstance(row.get("message"), dict):
        row["message"] = _external(row["message"], now)
    return row


def _picked(part: Any, keys: tuple[str, ...]) -> Any:
    return {key: part[key] for key in keys if key in part} if isinstance(part, Mapping) else part


def _external(message: dict[str, Any], now: float) -> dict[str, Any]:
    ids, date = message.get("id"), unix_seconds(message.get("date"), now)
    listed = {"id": [ids] if isinstance(ids, str | int) else ids} if "id" in message else {}
    return {**listed, "date": positive_number(date) or date}

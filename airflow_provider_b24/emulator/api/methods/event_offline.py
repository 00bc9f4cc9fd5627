"""event.offline.*: the queue of events that an application fetches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.api.applications import (
    auth_connector,
    require_administrator,
    require_feature,
)
from airflow_provider_b24.emulator.api.arguments import missing
from airflow_provider_b24.emulator.api.call import Call, Page
from airflow_provider_b24.emulator.api.record_filter import FIELDS, QUEUE_FIELDS, chosen, ordered
from airflow_provider_b24.emulator.api.registry import method
from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator.state.events.offline_queue import Record

PAGE_SIZE = 50
KEY_LENGTH = 32


@method("event.offline.get")
def get(call: Call) -> object:
    """Return the first records and remove them, or reserve them under a process id."""
    require_administrator(call)
    params, own = _lower(call), _own_queue(call)
    clear = "clear" not in params or php.to_int(params["clear"]) != 0
    require_feature(
        included=clear or call.portal.quirks.offline_extended, feature="extended offline events handling"
    )
    limit = php.to_int(params.get("limit", PAGE_SIZE))
    if limit <= 0:
        raise _refused("Value must be positive integer", "LIMIT")
    failed = php.to_int(params.get("error")) == 1
    known = None if params.get("process_id") is None else php.trim(str(params["process_id"]))
    queue = call.portal.events.queue
    records = [
        record
        for record in queue
        if own(record) and record.error is failed and record.process_id == (known or "")
    ]
    records = chosen(records, params.get("filter"), fields=QUEUE_FIELDS)
    records = ordered(records, params.get("order"), fields=QUEUE_FIELDS, default="TIMESTAMP_X")[:limit]
    process_id = queue.reserve(records) if known is None else known
    if clear and records:
        queue.remove(lambda record: own(record) and record.process_id == process_id)
    return {
        "process_id": None if clear and known is None else process_id,
        "events": [_row(record) for record in records],
    }


@method("event.offline.list")
def list_records(call: Call) -> object:
    """Return the queue as it is, 50 records a page, the reserved ones with their process ids."""
    require_administrator(call)
    params, own, fields = _lower(call), _own_queue(call), tuple(FIELDS)
    records = [record for record in call.portal.events.queue if own(record)]
    records = chosen(records, params.get("filter"), fields=fields)
    records = ordered(records, params.get("order"), fields=fields, default="ID")
    start = call.start or 0
    rows = [
        {**_row(record), "PROCESS_ID": record.process_id, "ERROR": str(int(record.error))}
        for record in records[start : start + PAGE_SIZE]
    ]
    more = start + PAGE_SIZE
    return Page(rows, total=len(records), next=more if more < len(records) else None)


@method("event.offline.clear")
def clear_records(call: Call) -> object:
    """Remove records of a batch: all, or those that are named."""
    require_administrator(call)
    params, own, process_id = _lower(call), _own_queue(call), _process_id(call)
    named: Callable[[Record], bool] = lambda _: True  # noqa: E731
    if "message_id" in params:
        keys = _keys(params["message_id"])
        named = lambda record: record.message_id in keys  # noqa: E731
    elif "id" in params:
        ids = _ids(params["id"])
        named = lambda record: record.id in ids  # noqa: E731
    call.portal.events.queue.remove(
        lambda record: own(record) and record.process_id == process_id and named(record)
    )
    return True


@method("event.offline.error")
def fail_records(call: Call) -> object:
    """Mark records of a batch as failed; get returns them with ``error=1`` only."""
    require_administrator(call)
    params, own, process_id = _lower(call), _own_queue(call), _process_id(call)
    if not php.is_array(params.get("message_id")):
        raise _refused("Value must be array of MESSAGE_ID values", "message_id")
    keys = [str(key) for _, key in php.pairs(params["message_id"])]
    call.portal.events.queue.mark_failed(process_id, own, keys)
    return True


def _row(record: Record) -> dict[str, Any]:
    return {
        "ID": str(record.id),
        "TIMESTAMP_X": php.iso(record.timestamp),
        "EVENT_NAME": record.event,
        "EVENT_DATA": record.data,
        "EVENT_ADDITIONAL": record.additional,
        "MESSAGE_ID": record.message_id,
    }


def _lower(call: Call) -> dict[str, Any]:
    return {name.lower(): value for name, value in call.params.items()}


def _own_queue(call: Call) -> Callable[[Record], bool]:
    """Return the test for the records of the application's queue with this source key."""
    wanted = (call.client_id, auth_connector(call))
    return lambda record: (record.client_id, record.connector_id) == wanted


def _process_id(call: Call) -> str:
    value = _lower(call).get("process_id")
    if value is None:
        raise missing("PROCESS_ID")
    return php.trim(str(value))


def _keys(value: Any) -> list[str]:
    keys = [php.trim(str(key)) for _, key in php.pairs(value)]
    if not php.is_array(value) or any(len(key) != KEY_LENGTH for key in keys):
        raise _refused("Value must be array of MESSAGE_ID values", "message_id")
    return keys


def _ids(value: Any) -> list[int]:
    ids = [php.to_int(number) for _, number in php.pairs(value)]
    if not php.is_array(value) or any(number <= 0 for number in ids):
        raise _refused("Value must be array of integers", "id")
    return ids


def _refused(text: str, name: str) -> ApiError:
    return ApiError("ERROR_ARGUMENT", text, extra={"argument": name})

"""The filter and order of the offline queue's methods."""

from __future__ import annotations

import operator
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.api.arguments import wrong_type
from airflow_provider_b24.emulator.php import is_array, pairs, to_int
from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator.state.events.offline_queue import Record

FIELDS: dict[str, Callable[[Record], Any]] = {
    "ID": lambda record: record.id,
    "TIMESTAMP_X": lambda record: int(record.timestamp),
    "EVENT_NAME": lambda record: record.event,
    "MESSAGE_ID": lambda record: record.message_id,
    "PROCESS_ID": lambda record: record.process_id,
    "ERROR": lambda record: int(record.error),
}
#: Those that event.offline.get knows.
QUEUE_FIELDS = ("ID", "TIMESTAMP_X", "EVENT_NAME", "MESSAGE_ID")
_OPERATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "": operator.eq,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_KEY = re.compile(r"([^A-Za-z_]*)(\w*)")


def chosen(records: list[Record], conditions: Any, *, fields: tuple[str, ...]) -> list[Record]:
    """Return the records that meet all conditions.

    :raises ApiError: a field, an operation or a value is not allowed.
    """
    if conditions is not None and not is_array(conditions):
        raise _refused("The filter is not an array.")
    for key, wanted in pairs(conditions):
        operation, field = _parts(key)
        if field not in fields:
            raise _refused(f"Filter field not allowed: {field}")
        if operation not in _OPERATIONS:
            raise _refused(f"Filter operation not allowed: {operation}")
        if is_array(wanted):
            raise wrong_type(key)
        compare, read, value = _OPERATIONS[operation], FIELDS[field], _value(field, wanted)
        records = [record for record in records if compare(read(record), value)]
    return records


def ordered(records: list[Record], order: Any, *, fields: tuple[str, ...], default: str) -> list[Record]:
    """Return the records in the order that is asked for.

    :raises ApiError: a field or a direction is not allowed.
    """
    if order is not None and not is_array(order):
        raise _refused("The order is not an array.")
    for name, direction in reversed(pairs(order) or [(default, "ASC")]):
        field, way = str(name).upper(), str(direction).upper()
        if field not in fields:
            raise _refused(f"Order field not allowed: {field}")
        if way not in {"ASC", "DESC"}:
            raise _refused("Order direction should be one of {ASC|DESC}")
        records = sorted(records, key=FIELDS[field], reverse=way == "DESC")
    return records


def _parts(key: str) -> tuple[str, str]:
    found = _KEY.fullmatch(key)
    return (found[1], found[2].upper()) if found else ("", key)


def _value(field: str, wanted: Any) -> Any:
    if field in {"ID", "ERROR"}:
        return to_int(wanted)
    if field == "TIMESTAMP_X":
        try:
            return int(datetime.fromisoformat(str(wanted)).timestamp())
        except ValueError:
            return 0
    return str(wanted)


def _refused(text: str) -> ApiError:
    return ApiError("ERROR_ARGUMENT", text, extra={"argument": ""})

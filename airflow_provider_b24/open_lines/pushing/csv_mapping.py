"""Which column of a CSV file is which field of a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError

_PARTS = ("user", "message", "chat")


def check_mapping(mapping: Any) -> None:
    """Refuse a mapping that names no fields of a message.

    :param mapping: the field of a message, ``message.text``, to the name of its column.
    :raises Bitrix24ValidationError: with the field.
    """
    if not isinstance(mapping, Mapping) or not mapping:
        rule = "must map fields of a message to columns: {'user.id': 'name of the column', …}"
        raise Bitrix24ValidationError("mapping", rule)
    for field, column in mapping.items():
        first, *rest = str(field).split(".")
        if first not in _PARTS or not rest or not all(rest):
            rule = "must be a field of user, message or chat, such as message.text"
            raise Bitrix24ValidationError(f"mapping[{field!r}]", rule)
        if not isinstance(column, str):
            raise Bitrix24ValidationError(f"mapping[{field!r}]", "must be the name of a column")
        _refuse_part_of_value(mapping, field)


def csv_columns(mapping: Mapping[str, str], header: list[str]) -> list[tuple[list[str], int]]:
    """Return the path of each field in a message, and the place of its column in a row.

    :param mapping: the field of a message to the name of its column.
    :param header: the names of the columns.
    :raises Bitrix24ValidationError: when the file has no such column, or two of one name.
    """
    names = [name.strip() for name in header]
    return [(field.split("."), _place(names, field, column.strip())) for field, column in mapping.items()]


def _place(names: list[str], field: str, column: str) -> int:
    count = names.count(column)
    if not count:
        rule = f"the file has no column {column!r}; its columns are {', '.join(names) or 'none'}"
        raise Bitrix24ValidationError(f"mapping[{field!r}]", rule)
    if count > 1:
        rule = f"the file has {count} columns named {column!r}; give each a name of its own"
        raise Bitrix24ValidationError(f"mapping[{field!r}]", rule)
    return names.index(column)


def _refuse_part_of_value(mapping: Mapping[str, str], field: str) -> None:
    """Refuse a field that is both a value and something with parts."""
    steps = field.split(".")
    for length in range(2, len(steps)):
        whole = ".".join(steps[:length])
        if whole in mapping:
            rule = f"{whole!r} is mapped too; a field is either a value or has parts"
            raise Bitrix24ValidationError(f"mapping[{field!r}]", rule)

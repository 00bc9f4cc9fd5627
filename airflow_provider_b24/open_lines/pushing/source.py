"""Where messages come from: a list, or the rows of a file that is read line by line."""

from __future__ import annotations

import csv
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Protocol

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.open_lines.pushing.csv_lines import CsvLines, RowTooLongError
from airflow_provider_b24.open_lines.pushing.message_index import Key, message_key, row_key
from airflow_provider_b24.utils.files import file_size, open_file

#: A longer line is no message, and would take memory.
_MAX_LINE = 1024 * 1024
#: Half a surrogate pair: a text that can't be encoded. What is no UTF-8 is decoded to such, too.
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_PARTS = ("user", "message", "chat")
_NOT_UTF8 = "is not UTF-8"
_PART = "has not as many cells as the header, and may be a part of the broken row before it"
_TOO_LONG = f"is longer than {_MAX_LINE:,} bytes"


@dataclass(slots=True)
class Row:
    """One message of a source, before it is checked.

    :param number: its index in a list, from 0; in a file, the line where it begins, from 1.
    :param name: what errors call it: ``messages[3]``, ``line 17``.
    :param item: the message.
    :param problem: why it can't be read at all.
    """

    number: int
    name: str
    item: Any = None
    problem: str = ""

    @property
    def key(self) -> Key:
        """What the row is known by: the ids of chat and message, or its number when it has none."""
        try:
            return message_key(self.item["chat"]["id"], self.item["message"]["id"])
        except (TypeError, KeyError, IndexError):
            return row_key(self.number)


class Source(Protocol):
    """Messages that can be read more than once, in the same order."""

    @property
    def size(self) -> int | None:
        """How many messages there are, about; None when it is not known yet."""

    def __iter__(self) -> Iterator[Row]: ...


class ListSource:
    """Messages in memory.

    :param messages: ``{"user": …, "message": …, "chat": …}`` each.
    :raises Bitrix24ValidationError: when it is no list, or empty.
    """

    def __init__(self, messages: Any) -> None:
        if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Iterable):
            raise Bitrix24ValidationError("messages", "must be a list of messages")
        self._messages = list(messages)
        if not self._messages:
            raise Bitrix24ValidationError("messages", "needs a message")

    @property
    def size(self) -> int | None:
        """How many messages there are."""
        return len(self._messages)

    def __iter__(self) -> Iterator[Row]:
        for number, item in enumerate(self._messages):
            yield Row(number, f"messages[{number}]", item)


class _FileSource(ABC):
    """A file that is read line by line.

    :param path: a local path or an object storage URL.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._bytes: int | None = None
        self._read = self._rows = 0

    @property
    def size(self) -> int | None:
        """How many messages there are, by the share of the file that they have taken so far."""
        if not self._bytes or not self._read:
            return None
        return round(self._rows * max(self._bytes / self._read, 1.0))

    def __iter__(self) -> Iterator[Row]:
        with open_file(self._path) as file:
            self._bytes, self._read, self._rows = file_size(self._path), 0, 0
            for row in self._read_rows(file):
                self._rows += 1
                yield row

    @abstractmethod
    def _read_rows(self, file: IO[bytes]) -> Iterator[Row]:
        """Read the rows from the start of the file."""

    def _lines(self, file: IO[bytes]) -> Iterator[bytes | None]:
        """Read the lines; None for one that is too long."""
        while line := self._part(file):
            if len(line) < _MAX_LINE or line.endswith(b"\n"):
                yield line
            else:
                self._skip_line(file)
                yield None

    def _skip_line(self, file: IO[bytes]) -> None:
        while (part := self._part(file)) and not part.endswith(b"\n"):
            pass

    def _part(self, file: IO[bytes]) -> bytes:
        part = file.readline(_MAX_LINE)
        self._read += len(part)
        return part


class JsonLinesSource(_FileSource):
    """A file with a message a line, as JSON.

    :param path: a local path or an object storage URL.
    """

    def _read_rows(self, file: IO[bytes]) -> Iterator[Row]:
        for number, line in enumerate(self._lines(file), start=1):
            if line is None:
                yield Row(number, f"line {number}", problem=_TOO_LONG)
            elif row := _json_row(number, line):
                yield row


class CsvSource(_FileSource):
    """A CSV file with a header and a message a row.

    :param path: a local path or an object storage URL.
    :param mapping: the field of a message, ``message.text``, to the name of its column.
    :param delimiter: what separates the columns.
    """

    def __init__(self, path: str, mapping: Mapping[str, str], *, delimiter: str = ",") -> None:
        super().__init__(path)
        self._delimiter = delimiter
        self._mapping = dict(mapping)

    def _read_rows(self, file: IO[bytes]) -> Iterator[Row]:
        lines = CsvLines(self._lines(file), max_size=_MAX_LINE)
        rows = csv.reader(lines, delimiter=self._delimiter, strict=True)
        header = _header(rows)
        columns = self._columns(header)
        while (cells := _cells(rows, lines)) is not None:
            if isinstance(cells, Row):
                yield cells
            elif any(cells):
                # Text of the cell that was broken must not become a message.
                is_whole = len(cells) == len(header) or not lines.is_swallowed
                yield _csv_row(lines.number, cells, columns) if is_whole else _csv_problem(lines, _PART)

    def _columns(self, header: list[str]) -> list[tuple[list[str], int]]:
        places = {name.strip(): index for index, name in enumerate(header)}
        for field, column in self._mapping.items():
            if column not in places:
                known = ", ".join(places) or "none"
                raise Bitrix24ValidationError(
                    f"mapping[{field!r}]", f"the file has no column {column!r}; its columns are {known}"
                )
        return [(field.split("."), places[column]) for field, column in self._mapping.items()]


def _header(rows: Any) -> list[str]:
    try:
        header: list[str] = next(rows, [])
    except csv.Error as error:
        raise Bitrix24ValidationError("path", f"the file has no header of CSV: {error}") from None
    return header


def _cells(rows: Iterator[list[str]], lines: CsvLines) -> list[str] | Row | None:
    """Return the cells of the next row; a bad row when it is broken, and None at the end."""
    lines.begin_row()
    try:
        return next(rows, None)
    except csv.Error as error:
        bad = _csv_problem(lines, _broken(error, lines))
        lines.give_up_row()
        return bad


def _broken(error: csv.Error, lines: CsvLines) -> str:
    problem = _TOO_LONG if isinstance(error, RowTooLongError) else f"is not CSV: {error}"
    return problem if lines.last == lines.number else f"{problem} (read up to line {lines.last})"


def _csv_problem(lines: CsvLines, problem: str) -> Row:
    return Row(lines.number, f"line {lines.number}", problem=problem)


def file_source(path: str, *, mapping: Mapping[str, str] | None = None, delimiter: str = ",") -> Source:
    """Return the source for a file: CSV with a mapping, else JSON Lines.

    :param path: a local path or an object storage URL.
    :param mapping: the field of a message to the name of its column.
    :param delimiter: what separates the columns of a CSV file.
    :raises Bitrix24ValidationError: when the mapping names no field of a message.
    """
    if mapping:
        check_mapping(mapping)
        return CsvSource(path, mapping, delimiter=delimiter)
    if path.lower().endswith(".csv"):
        rule = "a CSV file needs one: {'user.id': 'name of the column', …}"
        raise Bitrix24ValidationError("mapping", rule)
    return JsonLinesSource(path)


def check_mapping(mapping: Any) -> None:
    """Refuse a mapping that names no fields of a message.

    :param mapping: the field of a message, ``message.text``, to the name of its column.
    :raises Bitrix24ValidationError: with the field.
    """
    if not isinstance(mapping, Mapping) or not mapping:
        rule = "must map fields of a message to columns: {'user.id': 'name of the column', …}"
        raise Bitrix24ValidationError("mapping", rule)
    for field, column in mapping.items():
        part, _, rest = str(field).partition(".")
        if part not in _PARTS or not rest:
            rule = "must be a field of user, message or chat, such as message.text"
            raise Bitrix24ValidationError(f"mapping[{field!r}]", rule)
        if not isinstance(column, str):
            raise Bitrix24ValidationError(f"mapping[{field!r}]", "must be the name of a column")


def _json_row(number: int, line: bytes) -> Row | None:
    """Return the row of a line; None when it is blank."""
    name = f"line {number}"
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        if not text.strip():
            return None
        item = _DECODER.decode(text)
    except UnicodeDecodeError:
        return Row(number, name, problem=_NOT_UTF8)
    except (ValueError, RecursionError) as error:
        return Row(number, name, problem=f"is not JSON: {error}")
    if "\\u" in text and _ESCAPED_SURROGATE.search(text) and not _is_encodable(item):
        return Row(number, name, item, problem="holds half a surrogate pair, which can't be sent")
    return Row(number, name, item)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


#: One for all lines: ``json.loads`` would make one for each.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _is_encodable(item: Any) -> bool:
    return _SURROGATE.search(json.dumps(item, ensure_ascii=False)) is None


def _csv_row(number: int, cells: Sequence[str], columns: list[tuple[list[str], int]]) -> Row:
    name = f"line {number}"
    item: dict[str, Any] = {}
    for path, index in columns:
        if index >= len(cells):
            return Row(number, name, item or None, problem="has fewer cells than the header")
        if _SURROGATE.search(cells[index]):
            return Row(number, name, item or None, problem=_NOT_UTF8)
        if cells[index].strip():
            _put(item, path, cells[index])
    return Row(number, name, item)


def _put(item: dict[str, Any], path: list[str], value: str) -> None:
    """Put a cell into its place; ``message.files.url`` is the first of a list."""
    *parents, last = path
    for parent in parents:
        inner = item.setdefault(parent, [{}] if parent == "files" else {})
        item = inner[0] if isinstance(inner, list) else inner
    item[last] = value

"""Where messages come from: a list, or the rows of a file that is read line by line."""

from __future__ import annotations

import csv
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.open_lines.pushing.csv_lines import CsvLines, RowTooLongError
from airflow_provider_b24.open_lines.pushing.csv_mapping import check_mapping, csv_columns
from airflow_provider_b24.open_lines.pushing.message_index import Key, message_key, row_key
from airflow_provider_b24.open_lines.pushing.source_file import open_source
from airflow_provider_b24.open_lines.pushing.text_lines import TextLines
from airflow_provider_b24.utils.files import file_size
from airflow_provider_b24.utils.text_files import UTF_8, parse_delimiter, parse_encoding

#: A longer line is no message, and would take memory.
_MAX_LINE = 1024 * 1024
#: Half a surrogate pair: a text that can't be encoded. What is no text in its encoding is decoded to such.
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
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
    :param encoding: the encoding of its text.
    """

    def __init__(self, path: str, *, encoding: str = UTF_8) -> None:
        self._path = path
        self._encoding = parse_encoding(encoding)
        self._bytes: int | None = None
        self._lines: TextLines | None = None
        self._rows = 0

    @property
    def size(self) -> int | None:
        """How many messages there are, by the share of the file that they have taken so far."""
        if not self._bytes or self._lines is None or not self._lines.read:
            return None
        return round(self._rows * max(self._bytes / self._lines.read, 1.0))

    def __iter__(self) -> Iterator[Row]:
        with open_source(self._path) as file:
            self._bytes, self._rows = file_size(self._path), 0
            self._lines = TextLines(file, encoding=self._encoding, max_size=_MAX_LINE)
            for row in self._read_rows(self._lines):
                self._rows += 1
                yield row

    @abstractmethod
    def _read_rows(self, lines: TextLines) -> Iterator[Row]:
        """Read the rows from the start of the file."""


class JsonLinesSource(_FileSource):
    """A file with a message a line, as JSON.

    :param path: a local path or an object storage URL.
    :param encoding: the encoding of its text.
    """

    def _read_rows(self, lines: TextLines) -> Iterator[Row]:
        for number, line in enumerate(lines, start=1):
            if line is None:
                yield Row(number, f"line {number}", problem=_TOO_LONG)
            elif not lines.is_text(line):
                yield Row(number, f"line {number}", problem=lines.problem)
            elif row := _json_row(number, line):
                yield row


class CsvSource(_FileSource):
    """A CSV file with a header and a message a row.

    :param path: a local path or an object storage URL.
    :param mapping: the field of a message, ``message.text``, to the name of its column.
    :param delimiter: what separates the columns.
    :param encoding: the encoding of its text.
    """

    def __init__(
        self, path: str, mapping: Mapping[str, str], *, delimiter: str = ",", encoding: str = UTF_8
    ) -> None:
        super().__init__(path, encoding=encoding)
        self._delimiter = parse_delimiter(delimiter)
        self._mapping = dict(mapping)

    def _read_rows(self, lines: TextLines) -> Iterator[Row]:
        csv_lines = CsvLines(iter(lines), max_size=_MAX_LINE)
        rows = csv.reader(csv_lines, delimiter=self._delimiter, strict=True)
        header = _header(rows, lines)
        columns = csv_columns(self._mapping, header)
        while (cells := _cells(rows, csv_lines)) is not None:
            if isinstance(cells, Row):
                yield cells
            elif any(map(str.strip, cells)):
                if problem := _cells_problem(cells, header, csv_lines, lines):
                    yield _csv_problem(csv_lines, problem)
                else:
                    yield _csv_row(csv_lines.number, cells, columns)


def _header(rows: Any, lines: TextLines) -> list[str]:
    try:
        header: list[str] = next(rows, [])
    except csv.Error as error:
        raise Bitrix24ValidationError("path", f"the file has no header of CSV: {error}") from None
    if not lines.is_text("".join(header)):
        raise Bitrix24ValidationError("path", f"the file {lines.problem}")
    return header


def _cells_problem(cells: list[str], header: list[str], csv_lines: CsvLines, lines: TextLines) -> str:
    """Return why the cells of a row are no message; empty when they may be one."""
    if len(cells) != len(header):
        # Text of a cell that was broken must not become a message, and neither must one that is cut.
        if csv_lines.is_swallowed:
            return _PART
        return f"has {'more' if len(cells) > len(header) else 'fewer'} cells than the header"
    return "" if all(map(lines.is_text, cells)) else lines.problem


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


def file_source(
    path: str, *, mapping: Mapping[str, str] | None = None, delimiter: str = ",", encoding: str = UTF_8
) -> Source:
    """Return the source for a file: CSV with a mapping, else JSON Lines.

    :param path: a local path or an object storage URL.
    :param mapping: the field of a message to the name of its column.
    :param delimiter: what separates the columns of a CSV file.
    :param encoding: the encoding of the file's text; UTF-8 may begin with a byte order mark.
    :raises Bitrix24ValidationError: when the mapping names no field of a message, or another argument is
        not usable.
    """
    if mapping:
        check_mapping(mapping)
        return CsvSource(path, mapping, delimiter=delimiter, encoding=encoding)
    if path.lower().endswith(".csv"):
        rule = "a CSV file needs one: {'user.id': 'name of the column', …}"
        raise Bitrix24ValidationError("mapping", rule)
    return JsonLinesSource(path, encoding=encoding)


def _json_row(number: int, text: str) -> Row | None:
    """Return the row of a line; None when it is blank."""
    name = f"line {number}"
    if not text.strip():
        return None
    try:
        item = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        return Row(number, name, problem=f"is not JSON: {error}")
    if "\\u" in text and _ESCAPED_SURROGATE.search(text) and not _is_encodable(item):
        return Row(number, name, item, problem="holds half a surrogate pair, which can't be sent")
    return Row(number, name, item)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; of two values under one key the last would win in silence."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise ValueError(f"the key {twice!a} stands twice in an object")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


#: One for all lines: ``json.loads`` would make one for each.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unique)


def _is_encodable(item: Any) -> bool:
    return _SURROGATE.search(json.dumps(item, ensure_ascii=False)) is None


def _csv_row(number: int, cells: Sequence[str], columns: list[tuple[list[str], int]]) -> Row:
    item: dict[str, Any] = {}
    for path, index in columns:
        if cells[index].strip():
            _put(item, path, cells[index])
    return Row(number, f"line {number}", item)


def _put(item: dict[str, Any], path: list[str], value: str) -> None:
    """Put a cell into its place; ``message.files.url`` is the first of a list."""
    *parents, last = path
    for parent in parents:
        inner = item.setdefault(parent, [{}] if parent == "files" else {})
        item = inner[0] if isinstance(inner, list) else inner
    item[last] = value

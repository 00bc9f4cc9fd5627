"""The lines of a CSV file, row after row: those that a broken row has swallowed are read again."""

from __future__ import annotations

import csv
from collections import deque
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator


class RowTooLongError(csv.Error):
    """A row with its quoted lines would take too much memory."""


class CsvLines:
    """What a ``csv.reader`` reads.

    A quote that is never closed takes the lines behind it into its cell, up to the next quote. So only the
    line where such a row begins is given up, and the reader gets the others once more.

    :param lines: the lines of the file; None for one that is too long.
    :param max_size: how many characters a row may have, with all of its lines.
    """

    def __init__(self, lines: Iterator[str | None], *, max_size: int) -> None:
        self._lines = lines
        self._max_size = max_size
        self._again: deque[str | None] = deque()
        self._row: list[str | None] = []
        self._size = 0
        self._last_swallowed = 0
        #: The line where the present row begins, from 1.
        self.number = 1

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self._row.append(line)
        if line is None:
            raise RowTooLongError
        self._size += len(line)
        if self._size > self._max_size and len(self._row) > 1:
            raise RowTooLongError
        return line

    @property
    def last(self) -> int:
        """The last line of the present row."""
        return self.number + max(len(self._row) - 1, 0)

    @property
    def is_swallowed(self) -> bool:
        """Whether a broken row before has swallowed the line where the present row begins."""
        return self.number <= self._last_swallowed

    def begin_row(self) -> None:
        """Go on to the next row."""
        self.number += len(self._row)
        self._row.clear()
        self._size = 0

    def give_up_row(self) -> None:
        """Give up the first line of the present row, and read the others again."""
        self._last_swallowed = max(self._last_swallowed, self.last)
        self._again.extendleft(reversed(self._row[1:]))
        del self._row[1:]

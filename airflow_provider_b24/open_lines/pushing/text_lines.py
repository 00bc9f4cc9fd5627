"""The lines of a file as text, whatever its encoding is."""

from __future__ import annotations

import codecs
from typing import IO, TYPE_CHECKING

from airflow_provider_b24.open_lines.pushing.encodings import (
    NO_TEXT,
    UNDECODABLE,
    is_really_utf_8,
    likely_encoding,
    mismatch,
    splits_at_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 64 * 1024


class TextLines:
    """Reads a file line by line.

    :param file: the file, from its start.
    :param encoding: its encoding; a byte order mark is left out.
    :param max_size: how long a line may be.
    """

    def __init__(self, file: IO[bytes], *, encoding: str, max_size: int) -> None:
        self._file = file
        self._encoding = encoding
        self._max_size = max_size
        #: Bytes that have been read.
        self.read = 0
        self._last = b""

    def __iter__(self) -> Iterator[str | None]:
        """Yield the lines; None for one that is too long."""
        lines = self._narrow() if splits_at_bytes(self._encoding) else self._wide()
        for first in lines:
            yield first.removeprefix("\ufeff") if first else first
            break
        yield from lines

    @property
    def problem(self) -> str:
        """What is wrong with the last line, when it holds what is no text."""
        return mismatch(self._last, self._encoding)

    def is_text(self, part: str) -> bool:
        """Say whether a part of the last line is text in the encoding.

        :param part: the line, or a cell of it.
        """
        if "\0" in part and likely_encoding(self._last).startswith("utf-"):
            return False
        return part.isascii() or NO_TEXT not in part

    def _narrow(self) -> Iterator[str | None]:
        """Yield the lines where the end of a line is one byte."""
        line = self._part()
        while line:
            if len(line) < self._max_size or line.endswith(b"\n"):
                yield self._text(line)
            else:
                self._skip_line()
                yield None
            line = self._part()

    def _text(self, line: bytes) -> str:
        self._last = line
        text = line.decode(self._encoding, UNDECODABLE)
        # Other encodings take any bytes for letters: what people would read is no text.
        return NO_TEXT + text if is_really_utf_8(line, self._encoding) else text

    def _skip_line(self) -> None:
        while (part := self._part()) and not part.endswith(b"\n"):
            pass

    def _part(self) -> bytes:
        part = self._file.readline(self._max_size)
        self.read += len(part)
        return part

    def _wide(self) -> Iterator[str | None]:
        """Yield the lines where the end of a line has several bytes."""
        decoder = codecs.getincrementaldecoder(self._encoding)(UNDECODABLE)
        rest, is_too_long, chunk = "", False, b"-"
        while chunk:
            chunk = self._file.read(_CHUNK)
            self.read += len(chunk)
            *lines, rest = (rest + decoder.decode(chunk, final=not chunk)).split("\n")
            for line in lines:
                yield None if is_too_long or len(line) >= self._max_size else line + "\n"
                is_too_long = False
            if len(rest) > self._max_size:
                rest, is_too_long = "", True
        if rest or is_too_long:
            yield None if is_too_long else rest

"""The encoding of a file: the one that is given, and the one that its bytes look like."""

from __future__ import annotations

import codecs
import re

from airflow_provider_b24.utils.text_files import UTF_8

#: What stands for bytes that are no text in the given encoding: half a surrogate pair, which no text has.
NO_TEXT = "\udcff"
#: The name of the error handler that writes it.
UNDECODABLE = "airflow_provider_b24.undecodable"
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SHOWN = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "cp1251": "Windows-1251",
    "cp1252": "Windows-1252",
    "koi8-r": "KOI8-R",
    "cp866": "DOS 866",
    "gb18030": "GB18030",
}
#: Bytes above ASCII that stand together: the letters of a Russian word, the halves of Chinese characters.
_RUN = re.compile(rb"[\x80-\xff]{2,}")
_HIGH = re.compile(rb"[\x80-\xff]")
_RUSSIAN = re.compile("[а-яё]")
_CHINESE = re.compile("[\u4e00-\u9fff]")
#: The first byte of a Latin or Cyrillic letter in UTF-16: of text, more than one byte of so many.
_LOW, _MAX_LOW = re.compile(rb"[\x00-\x08]"), 5
#: Letters above ASCII that are UTF-8 by chance in another encoding are fewer than this.
_MIN_UTF_8 = 3


def _mark(error: UnicodeError) -> tuple[str, int]:
    if isinstance(error, UnicodeDecodeError):
        return NO_TEXT, error.end
    raise error


codecs.register_error(UNDECODABLE, _mark)


def splits_at_bytes(encoding: str) -> bool:
    """Say whether the end of a line is one byte in an encoding.

    :param encoding: its name.
    """
    return len("\n".encode(encoding)) == 1


def mismatch(line: bytes, encoding: str) -> str:
    """Return what is wrong with a line that is no text in an encoding.

    :param line: the line.
    :param encoding: the name of the encoding.
    """
    return f"is not {_shown(encoding)}{_hint(line, encoding)}"


def is_really_utf_8(line: bytes, encoding: str) -> bool:
    """Say whether a line is UTF-8, although another encoding is given that takes any bytes for letters.

    :param line: the line.
    :param encoding: the name of the given encoding.
    """
    if encoding == UTF_8 or line.isascii() or not splits_at_bytes(encoding):
        return False
    try:
        text = line.decode(UTF_8)
    except UnicodeDecodeError:
        return False
    return sum(char > "\x7f" for char in text) >= _MIN_UTF_8


def likely_encoding(line: bytes) -> str:
    """Return the encoding that a line looks like; empty when it looks like none.

    :param line: the first bytes of a file, or a line of it.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if line.startswith(mark):
            return encoding
    first, second = (len(_LOW.findall(half)) for half in (line[::2], line[1::2]))
    if first + second > len(line) / _MAX_LOW:
        return "utf-16-le" if second > first else "utf-16-be"
    if is_really_utf_8(line, "ascii"):
        return UTF_8
    return _likely_code_page(line)


def _likely_code_page(line: bytes) -> str:
    runs = b" ".join(_RUN.findall(line))
    high = len(_HIGH.findall(line))
    if not high:
        return ""
    shares = {name: _share(runs, name) / high for name in ("cp1251", "gb18030", "cp866", "koi8-r")}
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] > 0.5 else "cp1252"


def _share(runs: bytes, encoding: str) -> int:
    """Return how many bytes are common letters of the language that an encoding is used for."""
    text = runs.decode(encoding, "replace")
    if encoding != "gb18030":
        return len(_RUSSIAN.findall(text))
    # Common characters come first; Russian letters of Windows-1251 would be rare ones.
    common = [char for char in _CHINESE.findall(text) if char.encode(encoding)[0] < 0xD8]
    return 2 * len(common)


def _hint(line: bytes, encoding: str) -> str:
    likely = likely_encoding(line)
    if not likely or likely == encoding:
        return f"; give its encoding=, such as {'cp1251' if encoding == UTF_8 else UTF_8!r}"
    return f"; it looks like {_shown(likely)}: give encoding={likely!r}"


def _shown(encoding: str) -> str:
    return _SHOWN.get(encoding, encoding)

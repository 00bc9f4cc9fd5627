"""How the text of a file is to be read: checked while a DAG is parsed, so without anything heavy."""

from __future__ import annotations

import codecs
from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError

UTF_8 = "utf-8"
_TAB = r"\t"


def parse_encoding(value: Any, path: str = "encoding") -> str:
    """Return the name of an encoding, as Python knows it.

    :param value: a name, such as ``utf-8`` or ``windows-1251``.
    :param path: what the error calls the value.
    :raises Bitrix24ValidationError: when Python does not know it, or it is no encoding of text.
    """
    try:
        found = codecs.lookup(value.strip())
        "a".encode(found.name)
    except (AttributeError, LookupError, TypeError, ValueError):
        rule = f"must be an encoding of text that Python knows, such as utf-8 or cp1251, not {value!r}"
        raise Bitrix24ValidationError(path, rule) from None
    return UTF_8 if found.name in ("utf-8-sig", "utf-8") else found.name


def parse_delimiter(value: Any, path: str = "delimiter") -> str:
    r"""Return what separates the columns; the two characters ``\t`` are a tab.

    :param value: one character.
    :param path: what the error calls the value.
    :raises Bitrix24ValidationError: when it is none that can separate columns.
    """
    delimiter = "\t" if value == _TAB else value
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\0':
        rule = rf"must be one character, such as ',' or ';', or '\t' for a tab, not {value!r}"
        raise Bitrix24ValidationError(path, rule)
    return delimiter

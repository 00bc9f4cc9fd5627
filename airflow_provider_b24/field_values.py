"""Values of operators' fields: what a DAG may pass, and what a template renders of it."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from airflow_provider_b24.exceptions import Bitrix24ValidationError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import XComArg

    _T = TypeVar("_T")
    #: A value, another task's output, or a text with a template.
    Templated: TypeAlias = _T | str | XComArg

#: Takes a field's value and its path, and returns the value as it is used, or raises an error.
Check: TypeAlias = Callable[[Any, str], Any]

_JINJA = ("{{", "{%", "{#")
_SWITCH = {"true": True, "false": False}


def literal(value: Any) -> Any:
    """Return the list or mapping that a template has rendered to text, or the value itself.

    :param value: JSON, or the text of a Python literal, as Jinja renders it.
    """
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    for read in (json.loads, ast.literal_eval):
        try:
            return read(value)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return value


def as_switch(value: Any, path: str) -> bool:
    """Return a switch that may have been rendered to text.

    :param value: a boolean, or the text of one.
    :param path: what the error calls the value.
    :raises Bitrix24ValidationError: when it is neither.
    """
    switch = _SWITCH.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(switch, bool):
        raise Bitrix24ValidationError(path, "must be True or False")
    return switch


def as_choice(value: Any, path: str, choices: Collection[str]) -> str:
    """Return one of several words.

    :param value: a rendered value.
    :param path: what the error calls the value.
    :param choices: the words.
    :raises Bitrix24ValidationError: when it is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise Bitrix24ValidationError(path, f"must be one of {', '.join(choices)}, not {value!r}")
    return value


def one_of(*choices: str) -> Check:
    """Return the check of a field that takes one of several words.

    :param choices: the words.
    """
    return partial(as_choice, choices=choices)


def optional(check: Check) -> Check:
    """Return the check of a field that may be None.

    :param check: the check of all other values.
    """
    return lambda value, path: None if value is None else check(value, path)


def as_text(value: Any) -> Any:
    """Return the text of a number or boolean; others stay as they are.

    :param value: a field's value, which may come from XCom.
    """
    return str(value) if isinstance(value, int | float) else value


def as_texts(value: Any, *, but: Collection[str] = ()) -> Any:
    """Return lists and mappings with the text of each number or boolean in them.

    :param value: a rendered value, or the text of a list or mapping.
    :param but: keys whose values stay as they are.
    """
    parsed = literal(value)
    if isinstance(parsed, Mapping):
        return {key: item if key in but else _inner_texts(item, but) for key, item in parsed.items()}
    if _is_list(parsed):
        return [_inner_texts(item, but) for item in parsed]
    return parsed


def _inner_texts(value: Any, but: Collection[str]) -> Any:
    # A text in a list is a person's: it stays a text although it looks like a list.
    return as_texts(value, but=but) if isinstance(value, Mapping) or _is_list(value) else as_text(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def check_text(value: Any, path: str) -> str:
    """Return a text, as it is.

    :param value: a text, or a number or boolean of which one is made.
    :param path: what the error calls the value.
    :raises Bitrix24ValidationError: when it is something else, or blank.
    """
    text = as_text(value)
    if not isinstance(text, str):
        raise Bitrix24ValidationError(path, "must be text")
    if not text.strip():
        raise Bitrix24ValidationError(path, "must not be blank")
    return text


def as_path(value: Any, path: str) -> str:
    """Return the path or URL of a file.

    :param value: a text, or an object of a path.
    :param path: what the error calls the value.
    :raises Bitrix24ValidationError: when it is something else, or blank.
    """
    is_object = isinstance(value, PathLike) or hasattr(value, "as_uri")
    text = str(value) if is_object else value
    if not isinstance(text, str) or not text.strip():
        raise Bitrix24ValidationError(path, f"must be the path or URL of a file, not {value!r}")
    return text


def as_list(value: Any, path: str) -> list[Any]:
    """Return a list; one text or number is a list of itself.

    :param value: a list, or the text of one.
    :param path: what the error calls the value.
    :raises Bitrix24ValidationError: when it is something else.
    """
    found = literal(value)
    if isinstance(found, str | int):
        return [found]
    if not isinstance(found, list | tuple | set | frozenset):
        raise Bitrix24ValidationError(path, f"must be a list, not {value!r}")
    return list(found)


def as_items(value: Any, path: str) -> Any:
    """Return a list, whatever its items are.

    :param value: a list, or the text of one.
    :param path: what the error calls the value.
    :raises Bitrix24ValidationError: when it is something else.
    """
    found = literal(value)
    if not _is_list(found):
        raise Bitrix24ValidationError(path, f"must be a list, not {value!r}")
    return found


def as_mapping(value: Any, path: str) -> Mapping[Any, Any]:
    """Return a mapping.

    :param value: a mapping, or the text of one.
    :param path: what the error calls the value.
    :raises Bitrix24ValidationError: when it is something else.
    """
    found = literal(value)
    if not isinstance(found, Mapping):
        raise Bitrix24ValidationError(path, f"must be a mapping, not {value!r}")
    return found


def as_seconds(value: Any, path: str) -> float:
    """Return how many seconds an interval has.

    :param value: a timedelta, or seconds above 0.
    :param path: what the error calls the value.
    :raises Bitrix24ValidationError: when it is neither.
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < math.inf:
        raise Bitrix24ValidationError(path, f"must be a timedelta, or seconds above 0, not {value!r}")
    return float(number)


def is_literal(value: Any) -> bool:
    """Say whether a templated field's value is known already when the DAG is parsed.

    :param value: an operator's argument.
    """
    if isinstance(value, str):
        return not any(mark in value for mark in _JINJA)
    if isinstance(value, Mapping):
        return all(map(is_literal, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(is_literal, value))
    # An output of another task, an object with templates of its own, a function that Airflow calls.
    has_value_later = hasattr(value, "iter_references") or hasattr(value, "template_fields")
    return not has_value_later and not callable(value)

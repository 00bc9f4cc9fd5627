"""Values of operators' fields: what a DAG may pass, and what a template renders of it."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from airflow_provider_b24.exceptions import Bitrix24ValidationError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import XComArg

    _T = TypeVar("_T")
    #: A value, another task's output, or a text with a template.
    Templated: TypeAlias = _T | str | XComArg

_JINJA = ("{{", "{%", "{#")
_SWITCH = {"true": True, "false": False}


def check_literal(value: Any, check: Callable[..., object], *more: Any) -> None:
    """Check a value now, while the DAG is parsed, unless a template has to be rendered first.

    :param value: an operator's argument.
    :param check: raises an error when the value is wrong.
    :param more: the check's further arguments.
    """
    if is_literal(value):
        check(value, *more)


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


def as_text(value: Any) -> Any:
    """Return the text of a number or boolean that native rendering has made of it; others stay as they are.

    :param value: a rendered value.
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


def is_literal(value: Any) -> bool:
    """Say whether a value is known already when the DAG is parsed.

    :param value: an operator's argument.
    """
    if isinstance(value, str):
        return not any(mark in value for mark in _JINJA)
    if isinstance(value, Mapping):
        return all(map(is_literal, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(is_literal, value))
    return value is None or isinstance(value, int | float)

"""A fast check that a payload keeps to its schema, for payloads that are sent by the hundred thousand.

A schema becomes a function once. It only says yes or no: what it does not accept goes through
:func:`airflow_provider_b24.schemas.validate.violations`, which says what is wrong, and has the last word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeAlias

from airflow_provider_b24.schemas.validate import load_schema

Accepts: TypeAlias = Callable[[Any], bool]

#: By exact type: a boolean is an integer in Python, and not in JSON.
_TYPES: dict[str, type] = {"string": str, "integer": int, "object": dict, "array": list}
#: Keywords that say nothing of the payload, or that another keyword reads.
_IGNORED = frozenset({"$schema", "title", "rules", "additionalProperties", "properties"})


@cache
def accepts_items_of(schema: str) -> Accepts:
    """Return a function that says whether one item of a list keeps to the list's schema.

    :param schema: the name of a schema whose payload is a list.
    :raises NotImplementedError: when it has a keyword that is not known here.
    """
    whole = load_schema(schema)
    return _all(_checks(whole["items"], whole))


def _checks(schema: Mapping[str, Any], root: Mapping[str, Any]) -> list[Accepts]:
    checks = [_keyword(name, value, root) for name, value in schema.items() if name not in _IGNORED]
    if "properties" in schema or "additionalProperties" in schema:
        checks.append(_properties(schema, root))
    return checks


def _keyword(name: str, value: Any, root: Mapping[str, Any]) -> Accepts:
    if name == "$ref":
        return _all(_checks(root["$defs"][value.rpartition("/")[2]], root))
    if name == "anyOf":
        return _any([_all(_checks(option, root)) for option in value])
    if name == "items":
        accepts = _all(_checks(value, root))
        return lambda given: type(given) is not list or all(map(accepts, given))
    if name not in _SIMPLE:
        raise NotImplementedError(f"the keyword {name!r}")
    return _SIMPLE[name](value)


def _type(names: str | list[str]) -> Accepts:
    if isinstance(names, str):
        wanted = _TYPES[names]
        return lambda value: type(value) is wanted
    several = tuple(_TYPES[name] for name in names)
    return lambda value: type(value) in several


def _pattern(text: str) -> Accepts:
    search = re.compile(text).search
    return lambda value: type(value) is not str or search(value) is not None


def _required(names: list[str]) -> Accepts:
    if len(names) == 1:
        (name,) = names
        return lambda value: type(value) is not dict or name in value
    wanted = frozenset(names)
    return lambda value: type(value) is not dict or value.keys() >= wanted


def _enum(values: list[Any]) -> Accepts:
    return lambda value: type(value) is str and value in values


_SIMPLE: dict[str, Callable[[Any], Accepts]] = {
    "type": _type,
    "pattern": _pattern,
    "required": _required,
    "enum": _enum,
    "minimum": lambda least: lambda value: type(value) is not int or value >= least,
    "minItems": lambda least: lambda value: type(value) is not list or len(value) >= least,
}


def _properties(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Accepts:
    known = {name: _all(_checks(inner, root)) for name, inner in schema.get("properties", {}).items()}
    is_open = schema.get("additionalProperties", True) is not False

    def accepts(value: Any) -> bool:
        if type(value) is not dict:
            return True
        for name, inner in value.items():
            check = known.get(name)
            if check is None:
                if not is_open:
                    return False
            elif not check(inner):
                return False
        return True

    return accepts


def _all(checks: list[Accepts]) -> Accepts:
    if not checks:
        return lambda value: True  # noqa: ARG005
    if len(checks) == 1:
        return checks[0]
    first, second, *rest = checks
    if rest:
        second = _all([second, *rest])
    return lambda value: first(value) and second(value)


def _any(checks: list[Accepts]) -> Accepts:
    def accepts(value: Any) -> bool:
        for check in checks:  # noqa: SIM110 - faster than any()
            if check(value):
                return True
        return False

    return accepts

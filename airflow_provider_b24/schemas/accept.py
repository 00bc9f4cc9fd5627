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
#: The keywords of a value that needs no function of its own.
_LEAF = frozenset({"type", "pattern", "rules"})
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
    schema = _resolved(schema, root)
    if schema.get("type") == "object" or "properties" in schema:
        others = {name: value for name, value in schema.items() if name not in ("type", "required")}
        return [_object(schema, root), *_keywords(others, root)]
    return _keywords(schema, root)


def _keywords(schema: Mapping[str, Any], root: Mapping[str, Any]) -> list[Accepts]:
    return [_keyword(name, value, root) for name, value in schema.items() if name not in _IGNORED]


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return schema if reference is None else root["$defs"][reference.rpartition("/")[2]]


def _keyword(name: str, value: Any, root: Mapping[str, Any]) -> Accepts:
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
    search = _search(text)
    return lambda value: type(value) is not str or bool(search(value))


def _enum(values: list[Any]) -> Accepts:
    return lambda value: type(value) is str and value in values


_SIMPLE: dict[str, Callable[[Any], Accepts]] = {
    "type": _type,
    "pattern": _pattern,
    "enum": _enum,
    "minimum": lambda least: lambda value: type(value) is not int or value >= least,
    "minItems": lambda least: lambda value: type(value) is not list or len(value) >= least,
}


def _object(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Accepts:
    """Return the check of an object: its type, what it must have, and each of its values.

    Most values are texts and numbers, which are checked here without a call for each.
    """
    inner = {name: _resolved(part, root) for name, part in schema.get("properties", {}).items()}
    #: Of these, the type is all that matters.
    kind_of = {name: _TYPES[part["type"]] for name, part in inner.items() if _is_plain(part)}
    leaves = {name: _leaf(part) for name, part in inner.items() if part.keys() <= _LEAF}
    others = {name: _all(_checks(part, root)) for name, part in inner.items() if name not in leaves}
    is_open = schema.get("additionalProperties", True) is not False
    is_typed, required = "type" in schema, frozenset(schema.get("required", ()))

    def accepts(value: Any) -> bool:
        if type(value) is not dict:
            return not is_typed
        if not value.keys() >= required:
            return False
        for name, part in value.items():
            if kind_of.get(name) is type(part):
                continue
            leaf = leaves.get(name)
            if leaf is not None:
                kinds, search = leaf
                if type(part) not in kinds or (search and type(part) is str and not search(part)):
                    return False
            elif name in others:
                if not others[name](part):
                    return False
            elif not is_open:
                return False
        return True

    return accepts


def _leaf(schema: Mapping[str, Any]) -> tuple[tuple[type, ...], Callable[[str], Any] | None]:
    """Return the types of a text or number, and how its pattern is sought."""
    names = schema.get("type", list(_TYPES))
    kinds = tuple(_TYPES[name] for name in ([names] if isinstance(names, str) else names))
    return kinds, _search(schema["pattern"]) if "pattern" in schema else None


def _is_plain(schema: Mapping[str, Any]) -> bool:
    return schema.keys() <= _LEAF and "pattern" not in schema and isinstance(schema.get("type"), str)


def _search(pattern: str) -> Callable[[str], Any]:
    """Return how a pattern is sought: what comes back is true when it is found."""
    # The same white space, and several times as fast.
    return str.strip if pattern == r"\S" else re.compile(pattern).search


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

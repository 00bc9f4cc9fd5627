"""JSON Schemas of what is sent, and the check that says where a payload breaks which rule.

A schema may hold a message for each of its rules: ``"rules": {"minItems": "needs 2 answers or more"}`` beside
the keywords themselves.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_MAX_VALUE_LENGTH = 60


def check(payload: Any, schema: str, *, root: str = "") -> None:
    """Refuse a payload that breaks its schema.

    :param payload: what is about to be sent.
    :param schema: the schema's name: ``poll``, ``ballot``, ``connector_messages``.
    :param root: how the payload is called in the error's path.
    :raises Bitrix24ValidationError: with the path and the rule of the first error.
    """
    found = violations(payload, schema, root=root)
    if found:
        raise Bitrix24ValidationError(*found[0])


def violations(payload: Any, schema: str, *, root: str = "") -> list[tuple[str, str]]:
    """Return every rule of its schema that a payload breaks: the path, and the rule.

    :param payload: what is about to be sent.
    :param schema: the schema's name.
    :param root: how the payload is called in the paths.
    """
    errors = map(_deepest, sorted(_validator(schema).iter_errors(payload), key=_position))
    return [(_path(root, error.absolute_path), _rule(error)) for error in errors]


@cache
def load_schema(schema: str) -> dict[str, Any]:
    """Return a schema.

    :param schema: its name.
    """
    text = files(__package__).joinpath(f"{schema}.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _validator(schema: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(load_schema(schema))


def _position(error: ValidationError) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, str(part)) for part in error.absolute_path]


def _deepest(error: ValidationError) -> ValidationError:
    """Follow an ``anyOf`` down only where its own schema has no message for it."""
    while error.context and not _message(error):
        error = max(error.context, key=lambda inner: len(inner.absolute_path))
    return error


def _message(error: ValidationError) -> str | None:
    schema = error.schema
    rules = schema.get("rules", {}) if isinstance(schema, dict) else {}
    message = rules.get(error.validator)
    return str(message) if message else None


def _rule(error: ValidationError) -> str:
    if message := _message(error):
        return message
    if error.validator == "additionalProperties":
        known = set(error.schema.get("properties", {})) if isinstance(error.schema, dict) else set()
        given = error.instance if isinstance(error.instance, dict) else {}
        unknown = ", ".join(sorted(repr(key) for key in set(given) - known))
        return f"has no key {unknown}; it knows {', '.join(sorted(known))}"
    if error.validator == "required":
        return f"needs {error.message.split(' is a ')[0]}"
    shown = json.dumps(error.instance, ensure_ascii=False, default=str)
    shown = shown if len(shown) <= _MAX_VALUE_LENGTH else shown[:_MAX_VALUE_LENGTH] + "…"
    return f"must satisfy {error.validator} {json.dumps(error.validator_value)}, not {shown}"


def _path(root: str, parts: Iterable[str | int]) -> str:
    path = root
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path

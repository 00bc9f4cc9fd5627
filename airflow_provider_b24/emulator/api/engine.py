"""What the newer controllers do with parameters: exact names, checked types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.call import Call


def integer(call: Call, name: str) -> int:
    """Return a required int, which may be a numeric text."""
    value = _required(call, name)
    if not php.is_numeric(value):
        raise _mismatch(name, value, "int")
    return php.to_int(value)


def array(call: Call, name: str) -> Any:
    """Return a required array, a list or a map."""
    value = _required(call, name)
    if not php.is_array(value):
        raise _mismatch(name, value, "array")
    return value


def string(call: Call, name: str) -> str:
    """Return a required text."""
    value = _required(call, name)
    if php.is_array(value):
        raise _mismatch(name, "Array", "string")
    return str(value)


def _required(call: Call, name: str) -> Any:
    value = call.params.get(name)
    if value is None:
        raise ApiError("100", f"Could not find value for parameter {{{name}}}")
    return value


def _mismatch(name: str, value: object, kind: str) -> ApiError:
    shown = "Array" if php.is_array(value) else value
    return ApiError(
        "100",
        f"Invalid value {{{shown}}} to match with parameter {{{name}}}. Should be value of type {kind}.",
    )

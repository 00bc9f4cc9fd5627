"""Checks of parameters that the server's classic methods share, and their refusals."""

from __future__ import annotations

from typing import Any

from airflow_provider_b24.emulator.php import is_numeric, pairs, to_int, truthy
from airflow_provider_b24.emulator.php.api_error import ApiError


def missing(name: str) -> ApiError:
    """Return the refusal of a call that lacks a parameter."""
    return _refusal(f"Argument '{name}' is null or empty", name)


def wrong_type(name: str, wanted: str = "") -> ApiError:
    """Return the refusal of a parameter of the wrong type."""
    how = f"must be of type {wanted}" if wanted else "has an invalid type"
    return _refusal(f"The value of an argument '{name}' {how}", name)


def _refusal(description: str, name: str) -> ApiError:
    return ApiError("ERROR_ARGUMENT", description, extra={"argument": name})


def require_set(params: dict[str, Any], *names: str) -> None:
    """Refuse unless each parameter is there and not null; an empty one will do."""
    for name in names:
        if params.get(name) is None:
            raise missing(name)


def require_filled(params: dict[str, Any], *names: str) -> None:
    """Refuse unless each parameter is there and not what PHP calls empty."""
    for name in names:
        if not truthy(params.get(name)):
            raise missing(name)


def positive(params: dict[str, Any], name: str) -> int:
    """Return a parameter that has to be a positive number."""
    require_filled(params, name)
    value = params[name]
    if not is_numeric(value) or to_int(value) <= 0:
        raise wrong_type(name)
    return to_int(value)


def deep_keys(value: Any, *, upper: bool) -> Any:
    """Return a structure with all its keys in one case."""
    if isinstance(value, dict):
        return {
            key.upper() if upper else key.lower(): deep_keys(item, upper=upper) for key, item in pairs(value)
        }
    if isinstance(value, list):
        return [deep_keys(item, upper=upper) for item in value]
    return value

"""Parameters as Bitrix24 takes them: JSON in a single call, a PHP query string inside a batch."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from airflow_provider_b24.exceptions import Bitrix24ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Top-level names that the server takes for itself, so that the method never sees them.
#: ``start`` is one too, but it is how list methods are paged.
RESERVED = frozenset({"auth", "access_token", "token", "state", "ap", "aplogin"})

#: What the server replaces by the reply to an earlier command of the same batch when a ``[key]`` is in it.
#: The names are ``result``, ``error``, ``total``, ``next``, ``time``, with anything after them, and the
#: fields of an earlier command's error. Only ASCII white space ends a run.
_RUN = re.compile(r"\$[A-Za-z_][^ \t\n\f\r]*")
_SCALARS = (str, int, float, datetime, date, time, Decimal)
#: PHP would read such a name as another one.
_BROKEN_NAME = re.compile(r"^\s|[\[\]\0]|^$")


def check_params(method: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the parameters, or refuse what the server would ignore.

    :raises Bitrix24ValidationError: when the method has no name or a parameter's name is reserved.
    """
    if not isinstance(method, str):
        raise Bitrix24ValidationError("method", f"{method!r} is not the name of a REST method")
    if not method.replace(".", "").replace("_", "").isalnum():
        raise Bitrix24ValidationError("method", f"{method!r} is not the name of a REST method", method=method)
    if params is not None and not isinstance(params, Mapping):
        raise Bitrix24ValidationError("params", "must be a mapping of names to values", method=method)
    for name in params or {}:
        if str(name).lower() in RESERVED:
            rule = "this name is taken by the server; the method would never see it"
            raise Bitrix24ValidationError(f"params.{name}", rule, method=method)
    return dict(params or {})


def encode_json(params: Mapping[str, Any]) -> bytes:
    """Return the body of a single call.

    :raises Bitrix24ValidationError: when a value is no JSON value, date, time or decimal.
    """
    try:
        return json.dumps(params, default=_plain, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise _unwritable(params, f"can't be written as JSON: {error}") from None


def encode_query(params: Mapping[str, Any]) -> str:
    """Return parameters as PHP reads them: ``a[b][0]=1``.

    Booleans become 1 and 0. None, empty lists and empty mappings have no form in a query, see
    :func:`needs_single_call`.
    """
    return "&".join(f"{name}={quote_plus(value)}" for name, value in _pairs(params))


def encode_command(method: str, params: Mapping[str, Any]) -> str:
    """Return one command of a batch.

    :raises Bitrix24ValidationError: when a value has no form in a query, or holds ``$result[key]`` or
        the like, which the server would replace.
    """
    try:
        query = encode_query(params)
    except (TypeError, ValueError, RecursionError) as error:
        raise _unwritable(params, f"can't be written as a query: {error}") from None
    for name, value in _pairs(params):
        if _find_reference(value):
            rule = "holds what the server replaces in a batch ($result[key] or the like); send a single call"
            raise Bitrix24ValidationError(name, rule, method=method)
    return f"{method}?{query}" if query else method


def needs_single_call(params: Mapping[str, Any]) -> bool:
    """Say whether only a single call brings all parameters to the method as they are.

    The server replaces ``$result[key]`` and the like in a batch, and a query has no form for None and for
    what is empty: without ``{"NAME": None}`` a filter finds everybody instead of nobody.

    :param params: the parameters of a command.
    """
    try:
        return any(map(_only_json_carries, params.values()))
    except RecursionError:
        # A circle; whatever encodes the parameters refuses it.
        return False


def _only_json_carries(value: Any) -> bool:
    if isinstance(value, Mapping):
        return not value or any(map(_only_json_carries, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return not value or any(map(_only_json_carries, value))
    return value is None or (isinstance(value, str) and _find_reference(str.__str__(value)))


def _find_reference(text: str) -> bool:
    return "$" in text and any(_has_key(run) for run in _RUN.findall(text))


def _has_key(run: str) -> bool:
    """Say whether a run holds ``[key]``; without a regular expression, which would be slow on ``[[[[``."""
    return any(0 <= part.find("[") < len(part) - 1 for part in run.split("]")[:-1])


def _pairs(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        yield from _flatten(_name(name), value)


def _name(key: Any) -> str:
    text = str(key)
    if _BROKEN_NAME.search(text):
        raise ValueError(f"the name {text!r} is empty, starts with a space or holds a bracket")
    return quote_plus(text)


def _flatten(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flatten(f"{name}[{_name(key)}]", inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for index, inner in enumerate(value):
            yield from _flatten(f"{name}[{index}]", inner)
    else:
        yield name, _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    # The base types' own methods, as JSON has it: an enum's text would be its name.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value!r} is no number")
        return float.__repr__(value)
    return str(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def _unwritable(params: Mapping[str, Any], rule: str) -> Bitrix24ValidationError:
    """Return the error for parameters that can't be sent, with the path of the value that is to blame."""
    try:
        found = next(_foreign("params", params), None)
    except RecursionError:
        found = None
    if found is None:
        return Bitrix24ValidationError("params", rule)
    path, value = found
    if isinstance(value, bytes | bytearray | memoryview):
        return Bitrix24ValidationError(path, "is bytes; a file goes as text: base64.b64encode(data).decode()")
    return Bitrix24ValidationError(
        path, f"is a {type(value).__name__}, which is no JSON value; pass text or a number"
    )


def _foreign(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values that have no form in a request, each with its path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _foreign(f"{path}.{key}", inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for index, inner in enumerate(value):
            yield from _foreign(f"{path}[{index}]", inner)
    elif value is not None and not isinstance(value, _SCALARS):
        yield path, value

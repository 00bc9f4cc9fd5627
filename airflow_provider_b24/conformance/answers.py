"""What a portal answered to one call, and the few words in which it is reported. Pure.

The words hold no text of the portal: a status, an error code, or what kind of result it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from airflow_provider_b24.rest.redaction import REGISTRY
from airflow_provider_b24.rest.response import error_in

_CODE = re.compile(r"[A-Za-z0-9_]{1,64}")


@dataclass(frozen=True)
class Answer:
    """One answer of a portal.

    :param status: the HTTP status.
    :param body: the decoded body.
    """

    status: int
    body: dict[str, Any]

    @property
    def problem(self) -> dict[str, Any] | None:
        """The part of the body that holds an error, or None."""
        return error_in(self.body)

    @property
    def result(self) -> Any:
        """The body's ``result``; None when the call failed."""
        return None if self.problem is not None else self.body.get("result")

    @property
    def code(self) -> str:
        """The error's code in words that are safe to show; empty when the call did not fail."""
        return "" if self.problem is None else code_in(self.problem)

    @property
    def description(self) -> str:
        """The error's text, which is never shown."""
        return str((self.problem or {}).get("error_description") or "")

    @property
    def started(self) -> float:
        """When the portal began with the call, by its own clock; 0 when it does not say."""
        return _moment(self.body.get("time"), "start")

    @property
    def finished(self) -> float:
        """When the portal ended the call, by its own clock; 0 when it does not say."""
        return _moment(self.body.get("time"), "finish")

    def __str__(self) -> str:
        if self.problem is not None:
            return f"{self.status} {self.code}"
        return f"{self.status} []" if self.result == [] else f"{self.status}, a result"

    def row(self, name: str) -> dict[str, Any]:
        """Return an object of the result; empty when it is none.

        :param name: its key.
        """
        return as_object(as_object(self.result).get(name))


def code_in(problem: Any) -> str:
    """Return the code of an error that a reply, or a batch about one command, describes.

    :param problem: the object with ``error``.
    """
    code = as_object(problem).get("error")
    if isinstance(code, bool) or not isinstance(code, str | int):
        return "(no code)"
    if isinstance(code, int):
        return f"{code} (a number)"
    if code == "":
        return "(empty code)"
    # A code is a name; what is none could be any text of the portal. A proxy may echo a part of the address.
    return REGISTRY.redact(code) if _CODE.fullmatch(code) else "(not a name)"


def as_object(value: Any) -> dict[str, Any]:
    """Return an object; empty for whatever is none.

    :param value: the value.
    """
    return value if isinstance(value, dict) else {}


def as_items(value: Any) -> list[Any]:
    """Return a list; empty for whatever is none.

    :param value: the value.
    """
    return value if isinstance(value, list) else []


def kind_of(value: Any) -> str:
    """Return what kind of JSON value it is.

    :param value: the value.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a flag"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "a list" if value else "[]"
    return "an object"


def _moment(time: Any, name: str) -> float:
    value = as_object(time).get(name)
    return float(value) if isinstance(value, int | float) else 0.0

"""All that tools such as Sentry and rich can show of an error: texts, and the variables of every frame."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = str(Path(__file__).parents[1])
PACKAGE = "airflow_provider_b24"
#: How deep containers and the package's own objects are expanded.
MAX_DEPTH = 3


def shown_by(error: BaseException) -> list[str]:
    """Return every text that an error shows, those of all errors that it came from included.

    The frames of the tests themselves are left out, because they know the secrets.
    """
    texts: list[str] = []
    for part in errors_of(error):
        texts += [str(part), repr(part), repr(part.args), repr(vars(part))]
        texts += traceback.format_exception(part, chain=False)
        for frame, _ in traceback.walk_tb(part.__traceback__):
            if not frame.f_code.co_filename.startswith(TESTS):
                for value in frame.f_locals.values():
                    texts += expanded(value)
    return texts


def errors_of(error: BaseException) -> list[BaseException]:
    """Return an error and all that it came from, those that Python would not print included."""
    found: list[BaseException] = []
    queue: list[BaseException | None] = [error]
    while queue:
        part = queue.pop()
        if part is not None and part not in found:
            found.append(part)
            queue += [part.__cause__, part.__context__, *getattr(part, "exceptions", ())]
    return found


def expanded(value: Any, depth: int = MAX_DEPTH) -> Iterator[str]:
    """Yield how a value shows itself, and what it holds."""
    yield safe_repr(value)
    if depth:
        for inner in parts_of(value):
            yield from expanded(inner, depth - 1)


def parts_of(value: Any) -> list[Any]:
    if isinstance(value, Mapping) and type(value).__module__ in {"builtins", "collections"}:
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if type(value).__module__.startswith(PACKAGE) and type(value).__name__ != "Secret":
        return [*getattr(value, "__dict__", {}).values()]
    return []


def safe_repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001
        return type(error).__name__

"""Other values in the place of what a reply promises."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]


class _Removed:
    """The key is not there."""

    def __repr__(self) -> str:
        return "removed"


REMOVED = _Removed()
DEEP: Any = None
for _ in range(150):
    DEEP = [DEEP]
#: What can be decoded.
VALUES: list[Any] = [
    *(REMOVED, None, "", " ", "x", "N", "Y", "false", "²", "1.5", "-1", "9" * 30, "\ud800", "\0"),
    *(True, False, 0, 1, -1, 1.5, 2**63, 10**30, 1e308, float("nan"), float("inf")),
    *([], {}, [[]], [None], [{}], {"x": None}, {"": {}}, {"0": "x"}, [1, "x"], [[[[1]]]]),
]


def paths_in(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of each value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        if not isinstance(key, int) or key < 2:
            # The rows of a list are alike.
            yield from paths_in(child, (*path, key))


def mutated(reply: Any, path: Path, value: Any) -> Any:
    """Return the reply with another value at a path; where the path does not exist it is unchanged."""
    if not path:
        return None if value is REMOVED else value
    whole = copy.deepcopy(reply)
    place = whole
    try:
        for key in path[:-1]:
            place = place[key]
        if value is REMOVED:
            del place[path[-1]]
        else:
            place[path[-1]] = value
    except (KeyError, IndexError, TypeError):
        return reply
    return whole

"""The log of every HTTP request that reached the portal, with secrets left out."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET_PARAMS = frozenset(
    {"auth", "access_token", "refresh_token", "client_secret", "code", "token", "ap", "aplogin"}
)
KEPT = 20_000


@dataclass(slots=True)
class Request:
    """One HTTP request; ``commands`` are the methods that a batch ran."""

    at: float
    verb: str
    method: str
    connection: str
    auth: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    status: int = 0
    error: str = ""
    fault: str = ""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the request as JSON can hold it."""
        return asdict(self)


class Journal:
    """Requests in the order of their arrival, the newest 20,000 of them."""

    def __init__(self) -> None:
        self._requests: deque[Request] = deque(maxlen=KEPT)
        self._methods: Counter[str] = Counter()
        self._commands: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._requests))

    def __len__(self) -> int:
        return len(self._requests)

    def __getitem__(self, position: int) -> Request:
        return self._requests[position]

    def open(self, request: Request) -> Request:
        """Record a request as it arrives."""
        self._requests.append(request)
        self._methods[request.method.lower()] += 1
        return request

    def command(self, request: Request, method: str) -> None:
        """Record a command of a batch."""
        request.commands.append(method)
        self._commands[method.lower()] += 1

    def count(self, method: str | None = None) -> int:
        """Return how many HTTP requests there were, to one method or to all."""
        return self._methods.total() if method is None else self._methods[method.lower()]

    def count_commands(self, method: str | None = None) -> int:
        """Return how many commands ran inside batches, of one method or of all."""
        return self._commands.total() if method is None else self._commands[method.lower()]

    def clear(self) -> None:
        """Remove all requests and counts."""
        self._requests.clear()
        self._methods.clear()
        self._commands.clear()


def without_secrets(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters that may be shown."""
    return {name: value for name, value in params.items() if name.lower() not in SECRET_PARAMS}

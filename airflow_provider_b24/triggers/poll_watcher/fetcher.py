"""What the feed does in threads: read the connection, keep to the host's limit, and read polls."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.polls.bulk import list_command
from airflow_provider_b24.polls.poll import Poll
from airflow_provider_b24.rest.retry import RetryPolicy
from airflow_provider_b24.triggers.poll_watcher.partial_json import PartialJsonTransport
from airflow_provider_b24.triggers.poll_watcher.sorting import GET, UNDECIDED, sort_answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.rest.rate_limit import HostBucket, NoLimit, Plan
    from airflow_provider_b24.triggers.poll_watcher.scheduler import Request
    from airflow_provider_b24.triggers.poll_watcher.sorting import Reading

#: The feed insists by itself, without holding a thread.
_ONCE = RetryPolicy(max_attempts=1, max_rate_limit_attempts=1)


class Reader:
    """Reads polls through one connection, one request at a time.

    :param conn_id: the Airflow connection.
    :param connection_age: seconds after which the connection is read again.
    """

    def __init__(
        self, conn_id: str, *, connection_age: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._conn_id = conn_id
        self._connection_age = connection_age
        self._clock = clock
        self._portal: _Portal | None = None
        self._read_again_at = 0.0

    @property
    def plan(self) -> Plan | None:
        """What the portal's plan allows; None is no limit, or not known yet."""
        return self._portal.hook.settings.plan if self._portal is not None else None

    def prepare(self) -> float:
        """Reserve a place for one request in the host's bucket; return how many seconds to wait for it.

        :raises Bitrix24Error: when the connection can't be used, or the queue is too long.
        """
        return self._newest().bucket.reserve()

    def doubt(self) -> None:
        """Read the connection again before the next request: it may have been mended."""
        self._read_again_at = 0.0

    def close(self) -> None:
        """Close the connections to the portal."""
        if self._portal is not None:
            self._portal.hook.transport.close()
            self._portal = None

    def read(self, request: Request, least: Mapping[PollReference, float]) -> Reading:
        """Read the request's polls, in the place that was reserved.

        :param least: how many people must have voted before somebody may find a poll decided.
        :raises Bitrix24Error: when the request as a whole failed.
        """
        return (self._portal or self._newest()).read(request, least)

    def _newest(self) -> _Portal:
        if self._portal is None or self._clock() >= self._read_again_at:
            hook = Bitrix24Hook(self._conn_id)
            if self._portal is None or hook.settings != self._portal.hook.settings:
                self.close()
                self._portal = _Portal(hook)
            self._read_again_at = self._clock() + self._connection_age
        return self._portal


class _Portal:
    """A connection as it was read, and the client that it makes."""

    def __init__(self, hook: Bitrix24Hook) -> None:
        self.hook = hook
        self.bucket = hook.limiter
        self._least: Mapping[PollReference, float] = {}
        self._glances = _Glances()
        self._client = hook.client_with(
            transport=PartialJsonTransport(hook.transport, self._glances.shrink),
            limiter=_Reserved(self.bucket),
            policy=_ONCE,
        )

    def read(self, request: Request, least: Mapping[PollReference, float]) -> Reading:
        self._least = least
        self._glances.least = _by_number(least)
        commands: dict[Any, tuple[str, dict[str, Any]]] = {
            reference: (GET, reference.params()) for reference in request.singles
        }
        commands |= {number: list_command(part) for number, part in enumerate(request.lists)}
        replies = self._client.call_batch(commands)
        return sort_answers(request, replies.results | replies.errors, self._build)

    def _build(self, attach: Mapping[str, Any], reference: PollReference) -> Poll | None:
        if not _is_decidable(attach, self._least.get(reference, 0)):
            return None
        return Poll.from_attach(attach, reference=reference, portal=self._client.portal)


class _Glances:
    """Makes lists small: of polls that nobody can find decided yet, no more than their numbers are kept."""

    def __init__(self) -> None:
        self.least: Mapping[str, float] = {}

    def shrink(self, result: Any) -> Any:
        """Return a ``getMany``'s result with the numbers of undecided polls under ``UNDECIDED``."""
        items = result.get("items") if isinstance(result, Mapping) else None
        if not isinstance(items, list):
            return result
        # Numbers and not objects: thousands of objects a second make the garbage collector stop the
        # whole triggerer, again and again, to go through all that it holds.
        undecided = [item["entityId"] for item in items if self._is_undecided(item)]
        return {"items": [item for item in items if not self._is_undecided(item)], UNDECIDED: undecided}

    def _is_undecided(self, item: Any) -> bool:
        try:
            return not _is_decidable(item, self.least.get(str(item["entityId"]), 0))
        except (AttributeError, LookupError, TypeError, ValueError):
            return False


class _Reserved:
    """A limiter for requests that have their place in the bucket already."""

    def __init__(self, bucket: HostBucket | NoLimit) -> None:
        self._bucket = bucket

    def wait(self) -> None:
        """Return at once."""

    def refused(self) -> None:
        """Slow the whole host down."""
        self._bucket.refused()


def _is_decidable(attach: Mapping[str, Any], least: float) -> bool:
    """Say whether the poll is stopped or enough people have voted."""
    return bool(attach.get("isFinished")) or int(attach.get("COUNTER") or 0) >= least


def _by_number(least: Mapping[PollReference, float]) -> dict[str, float]:
    """Return the numbers by what the polls hang on; a message and a post of one number share the smaller."""
    found: dict[str, float] = {}
    for reference, people in least.items():
        number = str(reference.value)
        found[number] = min(people, found.get(number, people))
    return found

"""The journal of a push in Airflow's task state store, which holds one small value."""

from __future__ import annotations

import hashlib
import logging
from bisect import bisect_right
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24PushStateError, Outcome
from airflow_provider_b24.open_lines.pushing.journal import InFlight, TaskRun
from airflow_provider_b24.open_lines.pushing.message_index import EarlierResult, Key
from airflow_provider_b24.open_lines.report import DeliveryStatus

if TYPE_CHECKING:
    from airflow_provider_b24.open_lines.pushing.message_index import MessageIndex
    from airflow_provider_b24.open_lines.pushing.outgoing import OutgoingMessage
    from airflow_provider_b24.open_lines.pushing.source import Source

log = logging.getLogger(__name__)

_STORE_KEY = "bitrix24_push"
_RETENTION = timedelta(days=31)
#: The store takes 64 KB, and a range some 15 bytes.
_MAX_RANGES = 3_000
_EARLIER = '["an earlier try found it"]'


class Failures:
    """The places of messages that are not accepted, as ranges of one status each.

    :param ranges: ``[first, last, status]`` each, in order.
    """

    def __init__(self, ranges: list[list[Any]] | None = None) -> None:
        self.ranges = ranges or []

    def status(self, place: int) -> DeliveryStatus:
        """Return the status of the message at a place."""
        index = self._before(place)
        if index >= 0 and place <= self.ranges[index][1]:
            return DeliveryStatus(self.ranges[index][2])
        return DeliveryStatus.ACCEPTED

    def set(self, place: int, status: DeliveryStatus) -> None:
        """Record the status of the message at a place."""
        if self.status(place) is status:
            return
        self._cut(place)
        index = self._before(place)
        if status is DeliveryStatus.ACCEPTED:
            return
        if index >= 0 and self.ranges[index][1] == place - 1 and self.ranges[index][2] == status:
            self.ranges[index][1] = place
        else:
            self.ranges.insert(index + 1, [place, place, str(status)])

    def from_place(self, place: int) -> list[list[Any]]:
        """Return the ranges from a place on."""
        return [[max(first, place), last, status] for first, last, status in self.ranges if last >= place]

    def _before(self, place: int) -> int:
        """Return the index of the last range that begins at a place or before it."""
        return bisect_right(self.ranges, place, key=lambda item: item[0]) - 1

    def _cut(self, place: int) -> None:
        """Take a place out of the range in which it is."""
        index = self._before(place)
        if index < 0 or place > self.ranges[index][1]:
            return
        first, last, status = self.ranges[index]
        parts = [[first, place - 1, status], [place + 1, last, status]]
        self.ranges[index : index + 1] = [part for part in parts if part[0] <= part[1]]


class _Reached:
    """How far one run of the task has come.

    :param run: which run.
    :param position: of how many messages of the source it is known what became of them, from the first on.
    :param digest: of the ids of these messages.
    :param failures: ranges of those that are not accepted.
    :param complete: whether they are all there.
    """

    def __init__(
        self,
        run: int = 0,
        position: int = 0,
        digest: str = "",
        failures: list[list[Any]] | None = None,
        complete: bool = True,
    ) -> None:
        self.run = run
        self.position = position
        self.digest = digest
        self.failures = Failures(failures)
        self.complete = complete

    def to_list(self) -> list[Any]:
        return [self.run, self.position, self.digest, self.failures.ranges, self.complete]

    def before(self, newer: _Reached) -> _Reached:
        """Return what is known after a newer run that has come up to its own position."""
        if newer.position >= self.position:
            return newer
        ranges = [*newer.failures.ranges, *self.failures.from_place(newer.position)]
        return _Reached(self.run, self.position, self.digest, ranges, self.complete and newer.complete)

    def record(self, place: int, status: DeliveryStatus) -> None:
        self.failures.set(place, status)
        if self.complete and len(self.failures.ranges) > _MAX_RANGES:
            self.complete = False
            log.warning(
                "The task state store does not hold all messages that are not accepted: a later try of this "
                "task will fail. With report_path= it would send the rest"
            )
        if not self.complete:
            del self.failures.ranges[_MAX_RANGES:]


class StoreJournal:
    """A journal in the task state store of Airflow 3.3.

    The store is for small values. So it holds a position, not a line a message, and the messages of a later
    try must be the same and in the same order.

    :param store: the store of the task instance.
    :param task: whose push it is.
    """

    def __init__(self, store: Any, task: TaskRun) -> None:
        self._store = store
        self._now = _Reached(task.run)
        self._earlier = _Reached()
        self._in_flight = InFlight()
        self._digest = hashlib.blake2b(digest_size=16)
        self._position = 0

    def recall(self, index: MessageIndex, source: Source) -> InFlight:  # noqa: ARG002
        """Read the position, and check that the messages before it are the same.

        :raises Bitrix24PushStateError: when they are not.
        """
        state = self._store.get(_STORE_KEY)
        if state:
            now, earlier = _Reached(*state["now"]), _Reached(*state["earlier"])
            if now.run == self._now.run:
                self._now, self._earlier = now, earlier
            else:
                self._earlier = earlier.before(now)
            self._in_flight = InFlight.from_dict(state["in_flight"])
            _check(source, max(self._now, self._earlier, key=lambda reached: reached.position))
        return self._in_flight

    def known(self, ordinal: int, key: Key) -> EarlierResult | None:  # noqa: ARG002
        """Return what an earlier try found of the message at a place in the source."""
        for reached in (self._now, self._earlier):
            if ordinal < reached.position:
                status = reached.failures.status(ordinal)
                errors = "[]" if status is DeliveryStatus.ACCEPTED else _EARLIER
                return EarlierResult(status, reached.run, errors=errors)
        return None

    def sending(self, in_flight: InFlight) -> None:
        """Note that messages are about to be sent, and what else is in flight."""
        self._in_flight = in_flight
        self._save()

    def record(self, messages: list[OutgoingMessage]) -> None:
        """Move the position, and record the messages that are not accepted."""
        for item in messages:
            self._digest.update(_digested(item.key))
            if item.is_new:
                self._now.record(item.ordinal, item.result.status)
        self._position += len(messages)
        self._in_flight = self._in_flight.without({item.key for item in messages if item.valid})
        if self._position > self._now.position:
            self._now.position, self._now.digest = self._position, self._digest.hexdigest()
        if any(item.is_new for item in messages):
            self._save()

    def close(self) -> None:
        """Do nothing: all is written."""

    def _save(self) -> None:
        state = {
            "now": self._now.to_list(),
            "earlier": self._earlier.to_list(),
            "in_flight": self._in_flight.to_dict(),
        }
        self._store.set(_STORE_KEY, state, retention=_RETENTION)


def _check(source: Source, reached: _Reached) -> None:
    """Refuse messages that are not those of the earlier try, up to its position."""
    if not reached.complete:
        raise Bitrix24PushStateError(
            "The task state store does not hold all messages that earlier tries could not deliver",
            outcome=Outcome.NOT_EXECUTED,
        )
    found = hashlib.blake2b(digest_size=16)
    number = 0
    for row in islice(source, reached.position):
        found.update(_digested(row.key))
        number += 1
    if number < reached.position or (number and found.hexdigest() != reached.digest):
        raise Bitrix24PushStateError(
            f"The first {reached.position:,} messages are not those of an earlier try of this task",
            outcome=Outcome.NOT_EXECUTED,
        )


def _digested(key: Key) -> bytes:
    return key.encode("utf-8", "surrogatepass") + b"\x1e"

"""The journal of a push in Airflow's task state store, which holds one small value."""

from __future__ import annotations

import hashlib
import logging
import uuid
from bisect import bisect_right
from itertools import islice
from types import NoneType
from typing import TYPE_CHECKING, Any, Protocol, Self

from airflow_provider_b24.exceptions import Bitrix24PushStateError, Outcome
from airflow_provider_b24.open_lines.pushing.journal import InFlight, TaskRun, refuse_lost, superseded
from airflow_provider_b24.open_lines.pushing.message_index import EarlierResult, Key
from airflow_provider_b24.open_lines.report import DeliveryStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_b24.open_lines.pushing.message_index import MessageIndex
    from airflow_provider_b24.open_lines.pushing.outgoing import OutgoingMessage
    from airflow_provider_b24.open_lines.pushing.source import Source

log = logging.getLogger(__name__)

_OWNER: dict[str, type | tuple[type, ...]] = {"owner": str, "try": int, "is_lost": bool, "latest": dict}
_STATE: dict[str, type | tuple[type, ...]] = {
    "after": (str, NoneType),
    "now": (list, NoneType),
    "earlier": (list, NoneType),
    "in_flight": (dict, NoneType),
}
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

    @classmethod
    def from_list(cls, data: list[Any]) -> Self:
        """Return what ``to_list`` described.

        :param data: the list.
        :raises ValueError: when it is anything else.
        """
        run, position, digest, ranges, complete = data
        are_places = all(
            type(first) is int and type(last) is int and 0 <= first <= last and DeliveryStatus(status)
            for first, last, status in ranges
        )
        kinds = [type(part) for part in (run, position, digest, complete)]
        if not are_places or kinds != [int, int, str, bool] or position < 0 or ranges != sorted(ranges):
            raise ValueError("it does not say how far an earlier try has come")
        return cls(run, position, digest, ranges, complete)

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
                "task will fail. Send the rest with another task, from the report"
            )
        if not self.complete:
            del self.failures.ranges[_MAX_RANGES:]


class Slot(Protocol):
    """One value of the task state store."""

    def read(self) -> dict[str, Any] | None:
        """Return the value; None when there is none.

        :raises Bitrix24StateError: when the store does not answer, or holds something else.
        """

    def write(self, value: Mapping[str, Any]) -> None:
        """Replace the value.

        :raises Bitrix24StateError: when the store does not take it.
        """


class StoreJournal:
    """A journal in the task state store of Airflow 3.3.

    The store is for small values. So it holds a position, not a line a message, and the messages of a later
    try must be the same and in the same order.

    One value names the owner: the newest try, and for each target the newest value that says how far a push
    has come. Each try has a value of its own for that, so that an older one that still works replaces none.

    :param slots: returns a value of the store, by its name, its target, and the types of its fields.
    :param task: whose push it is, and where to.
    :param redelivery: what is done when an earlier try may have sent messages, and nothing is known of it.
    """

    def __init__(
        self,
        slots: Callable[[str, tuple[str, ...], Mapping[str, type | tuple[type, ...]]], Slot],
        task: TaskRun,
        *,
        redelivery: str = "at_most_once",
    ) -> None:
        self._slots = slots
        self._task = task
        self._redelivery = redelivery
        self._token = uuid.uuid4().hex[:16]
        self._owner = slots("push", (), _OWNER)
        self._after: str | None = None
        self._is_lost = False
        self._now = _Reached(task.run)
        self._earlier = _Reached()
        self._in_flight = InFlight()
        self._digest = hashlib.blake2b(digest_size=16)
        self._position = 0

    def begin(self) -> None:
        """Become the owner, before anything else: no try is later taken for one that did nothing.

        :raises Bitrix24PushStateError: when a newer try has begun.
        """
        before = self._owner.read()
        if before is not None and before["try"] > self._task.number:
            raise superseded()
        target = " ".join(self._task.target)
        latest = {} if before is None else before["latest"]
        self._after = latest.get(target)
        self._is_lost = before["is_lost"] if before else self._task.number > 1
        self._write(after=self._after, now=None, earlier=None, in_flight=None)
        value = {"owner": self._token, "try": self._task.number, "is_lost": self._is_lost}
        self._owner.write({**value, "latest": {**latest, target: self._token}})

    def recall(self, index: MessageIndex, source: Source) -> InFlight:  # noqa: ARG002
        """Read the position, and check that the messages before it are the same.

        :raises Bitrix24PushStateError: when they are not.
        """
        state = self._earlier_state()
        if state is None:
            if self._is_lost:
                refuse_lost(self._redelivery)
            return self._in_flight
        try:
            now, earlier = _Reached.from_list(state["now"]), _Reached.from_list(state["earlier"])
            self._in_flight = InFlight.from_dict(state["in_flight"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _unreadable(str(error)) from None
        if now.run == self._now.run:
            self._now, self._earlier = now, earlier
        else:
            self._earlier = earlier.before(now)
        _check(source, max(self._now, self._earlier, key=lambda reached: reached.position))
        return self._in_flight

    def _earlier_state(self) -> dict[str, Any] | None:
        """Return how far the last try has come that went on after it had begun; None when none has."""
        token, seen = self._after, {self._token}
        while token is not None:
            state = self._state(token).read() if isinstance(token, str) and token not in seen else None
            if state is None:
                raise _unreadable("what an earlier try has stored is missing")
            if state["now"] is not None:
                return state
            seen.add(token)
            token = state["after"]
        return None

    def _state(self, token: str) -> Slot:
        return self._slots("push_state", (*self._task.target, token), _STATE)

    def check_owner(self) -> None:
        """Make sure that no newer try has become the owner; an owner that is missing is another one."""
        owner = self._owner.read()
        if owner is None or owner["owner"] != self._token:
            raise superseded()

    def known(self, ordinal: int, key: Key) -> EarlierResult | None:  # noqa: ARG002
        """Return what an earlier try found of the message at a place in the source."""
        for reached in (self._now, self._earlier):
            if ordinal < reached.position:
                status = reached.failures.status(ordinal)
                errors = "[]" if status is DeliveryStatus.ACCEPTED else _EARLIER
                return EarlierResult(status, reached.run, errors=errors)
        return None

    def sending(self, in_flight: InFlight) -> None:
        """Record that messages are about to be sent, and what else is in flight."""
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
        self._write(
            after=None,
            now=self._now.to_list(),
            earlier=self._earlier.to_list(),
            in_flight=self._in_flight.to_dict(),
        )

    def _write(self, **value: Any) -> None:
        self._state(self._token).write(value)


def _unreadable(problem: str) -> Bitrix24PushStateError:
    return Bitrix24PushStateError(
        f"The task state store does not say what earlier tries have sent: {problem}; nothing was sent",
        outcome=Outcome.NOT_EXECUTED,
        advice="Look into the chats, then send the rest with another task.",
    )


def _check(source: Source, reached: _Reached) -> None:
    """Refuse messages that are not those of the earlier try, up to its position."""
    if not reached.complete:
        raise Bitrix24PushStateError(
            "The task state store does not hold all messages that earlier tries could not deliver",
            outcome=Outcome.NOT_EXECUTED,
            advice="Send the rest with another task, from the report.",
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

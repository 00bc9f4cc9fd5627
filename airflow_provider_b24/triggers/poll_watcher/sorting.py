"""What the answers to one batch say of each poll that it asked for. Pure.

A list answers for all of its polls or for none, so a refused list makes suspects of its polls, which are
then read one by one. What is nobody's fault here (limits, credentials, a portal that breaks over
everything) leaves polls unread and is the trouble of the whole feed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import (
    Bitrix24Error,
    Bitrix24PollNotFoundError,
    Bitrix24ServerError,
    Outcome,
)
from airflow_provider_b24.polls.bulk import NOBODYS_FAULT

if TYPE_CHECKING:
    from airflow_provider_b24.polls.poll import Poll
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.triggers.poll_watcher.scheduler import Request

GET = "vote.AttachedVote.get"
#: Where a reply that was made small keeps the numbers of polls that nobody can find decided yet.
UNDECIDED = "undecided"
Build = Callable[[Mapping[str, Any], "PollReference"], "Poll | None"]


@dataclass
class Reading:
    """What became of each poll of a request.

    :param answers: the poll if it may be decided, None if it can't be yet, or the poll's own error.
    :param suspects: polls of lists that one of them has spoilt.
    :param broken: polls over which the portal breaks although it answers for others.
    :param unread: polls that the portal did not get to.
    :param trouble: why it did not.
    """

    answers: dict[PollReference, Poll | Bitrix24Error | None] = field(default_factory=dict)
    suspects: list[PollReference] = field(default_factory=list)
    broken: dict[PollReference, Bitrix24Error] = field(default_factory=dict)
    unread: list[PollReference] = field(default_factory=list)
    trouble: Bitrix24Error | None = None


def sort_answers(request: Request, replies: Mapping[Any, Any], build: Build) -> Reading:
    """Return what the replies say.

    :param replies: the number of a list, or the reference of a poll that was read alone, to its result or
        error.
    :param build: returns the poll that a reply describes, or None when it can't be decided yet.
    """
    return _Sorting(request, replies, build).done()


class _Sorting:
    def __init__(self, request: Request, replies: Mapping[Any, Any], build: Build) -> None:
        self._request = request
        self._replies = replies
        self._build = build
        self._reading = Reading()
        self._broken_lists: list[list[PollReference]] = []

    def done(self) -> Reading:
        for number, part in enumerate(self._request.lists):
            self._sort_list(part, self._replies.get(number))
        for reference in self._request.singles:
            self._sort_single(reference, self._replies.get(reference))
        self._judge_breaks()
        return self._reading

    def _sort_list(self, part: list[PollReference], reply: Any) -> None:
        if isinstance(reply, NOBODYS_FAULT):
            self._leave(part, reply)
        elif isinstance(reply, Bitrix24ServerError):
            self._broken_lists.append(part)
            self._reading.trouble = reply
        else:
            self._match(part, reply)

    def _match(self, part: list[PollReference], reply: Any) -> None:
        fields = reply if isinstance(reply, Mapping) else {}
        items = fields.get("items")
        rows = {str(item.get("entityId")): item for item in items or [] if isinstance(item, Mapping)}
        undecided = set(map(str, fields.get(UNDECIDED) or []))
        for reference in part:
            number = str(reference.value)
            if number in undecided:
                self._reading.answers[reference] = None
            elif number in rows:
                self._reading.answers[reference] = self._poll(rows[number], reference)
            else:
                self._reading.suspects.append(reference)

    def _sort_single(self, reference: PollReference, reply: Any) -> None:
        if isinstance(reply, NOBODYS_FAULT):
            self._leave([reference], reply)
        elif isinstance(reply, Bitrix24ServerError):
            self._reading.broken[reference] = reply
        elif isinstance(reply, Bitrix24Error):
            self._reading.answers[reference] = reply
        else:
            attach = reply.get("attach") if isinstance(reply, Mapping) else None
            known = isinstance(attach, Mapping)
            self._reading.answers[reference] = self._poll(attach, reference) if known else _missing(reference)

    def _poll(self, attach: Any, reference: PollReference) -> Poll | Bitrix24Error | None:
        try:
            return self._build(attach, reference)
        except (AttributeError, LookupError, TypeError, ValueError):
            return Bitrix24ServerError(
                method=GET, description=f"what the portal says of {reference} is no poll"
            )

    def _leave(self, references: list[PollReference], trouble: Bitrix24Error) -> None:
        self._reading.unread += references
        self._reading.trouble = trouble

    def _judge_breaks(self) -> None:
        """Tell polls that break the portal from a portal that breaks over every poll."""
        reading = self._reading
        if reading.answers or reading.suspects:
            self._suspect(self._broken_lists)
            if not reading.unread:
                reading.trouble = None
            return
        # One list is enough to find out.
        self._suspect(self._broken_lists[:1])
        for part in self._broken_lists[1:]:
            reading.unread += part
        for reference, error in reading.broken.items():
            self._leave([reference], error)
        reading.broken.clear()

    def _suspect(self, lists: list[list[PollReference]]) -> None:
        for part in lists:
            self._reading.suspects += part


def _missing(reference: PollReference) -> Bitrix24PollNotFoundError:
    return Bitrix24PollNotFoundError(
        method=GET, description=f"no poll for {reference}", outcome=Outcome.REFUSED
    )

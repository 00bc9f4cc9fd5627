"""Many polls in few requests: fifty a ``getMany``, and fifty of those a batch.

``getMany`` answers for all of its polls or for none: one that is deleted or hidden makes the portal refuse
the list. The polls of a refused list are *suspects*: each is then read alone, so that each has its own
result. An error that is of the whole connection (limits, credentials, a portal that breaks over every poll)
makes no suspects: it leaves the polls *unread*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24ServerError
from airflow_provider_b24.polls.attach import find_attach, parse_attach
from airflow_provider_b24.polls.poll import Poll
from airflow_provider_b24.polls.reference import PollReference
from airflow_provider_b24.polls.request import GET, GET_MANY, PollRequest
from airflow_provider_b24.rest.php import as_dict, as_list
from airflow_provider_b24.utils.frames import without_frames

if TYPE_CHECKING:
    from airflow_provider_b24.rest.client import Bitrix24Client

#: Where a list that was pruned on the way keeps the entity ids of polls that can't be decided yet.
UNDECIDED = "undecided"

#: Says whether a poll, given as its ``attach``, is worth reading in full.
IsDecidable = Callable[[Mapping[str, Any], PollReference], bool]
#: A poll, its own error, or None when it can't be decided yet.
PollAnswer = Poll | Bitrix24Error | None


@dataclass
class BatchOutcome:
    """What became of each poll of a request.

    :param answers: the poll, its own error, or None when it can't be decided yet.
    :param suspects: polls of refused lists, to be read alone.
    :param broken: polls over which the portal breaks although it answers for others.
    :param unread: polls that the portal did not get to, and why.
    :param failure: the connection's own error, if any.
    """

    answers: dict[PollReference, PollAnswer] = field(default_factory=dict)
    suspects: list[PollReference] = field(default_factory=list)
    broken: dict[PollReference, Bitrix24Error] = field(default_factory=dict)
    unread: dict[PollReference, Bitrix24Error] = field(default_factory=dict)
    failure: Bitrix24Error | None = None


def read_many(client: Bitrix24Client, references: Iterable[PollReference]) -> list[Poll | Bitrix24Error]:
    """Return for each reference, in order, its poll or its error.

    :param client: the connection's client.
    :param references: the polls; one that is named twice is read once.
    """
    wanted = list(references)
    request = PollRequest()
    for reference in dict.fromkeys(wanted):
        request.add(reference)
    outcome = read_batch(client, request)
    found = _results(outcome)
    # Lists over which the portal broke may be worth reading poll by poll, here where nothing asks again.
    lists_broken = [poll for poll, error in outcome.unread.items() if not error.connection_wide]
    found |= _results(read_batch(client, PollRequest(singles=[*outcome.suspects, *lists_broken])))
    return [found[reference] for reference in wanted]


def _results(outcome: BatchOutcome) -> dict[PollReference, Poll | Bitrix24Error]:
    answers = {reference: answer for reference, answer in outcome.answers.items() if answer is not None}
    return {**answers, **outcome.broken, **outcome.unread}


def read_batch(
    client: Bitrix24Client, request: PollRequest, *, is_decidable: IsDecidable | None = None
) -> BatchOutcome:
    """Read a request's polls and return what became of each.

    :param client: the connection's client.
    :param request: the polls.
    :param is_decidable: says whether a poll is worth reading in full; None reads all.
    :raises Bitrix24Error: when the request as a whole failed.
    """
    if not len(request):
        return BatchOutcome()
    replies = client.call_batch(request.commands())
    return sort_replies(client, request, replies.results | replies.errors, is_decidable=is_decidable)


def sort_replies(
    client: Bitrix24Client,
    request: PollRequest,
    replies: Mapping[Any, Any],
    *,
    is_decidable: IsDecidable | None = None,
) -> BatchOutcome:
    """Return what the replies to a request's commands say of each poll. Pure.

    :param client: names the portal and the connection.
    :param request: the polls.
    :param replies: each command's key to its result or error.
    :param is_decidable: says whether a poll is worth reading in full; None reads all.
    """
    return _ReplySorter(client, request, replies, is_decidable).sort()


class _ReplySorter:
    def __init__(
        self,
        client: Bitrix24Client,
        request: PollRequest,
        replies: Mapping[Any, Any],
        is_decidable: IsDecidable | None,
    ) -> None:
        self._client = client
        self._request = request
        self._replies = replies
        self._is_decidable = is_decidable
        self._outcome = BatchOutcome()
        self._broken_lists: dict[int, Bitrix24Error] = {}

    def sort(self) -> BatchOutcome:
        for position, part in enumerate(self._request.lists):
            self._sort_list(position, part, self._replies.get(position))
        for reference in self._request.singles:
            self._sort_single(reference, self._replies.get(reference))
        self._sort_broken()
        return self._outcome

    def _sort_list(self, position: int, part: list[PollReference], reply: Any) -> None:
        if isinstance(reply, Bitrix24ServerError):
            self._broken_lists[position] = reply
        elif isinstance(reply, Bitrix24Error) and reply.connection_wide:
            self._leave_unread(part, reply)
        else:
            self._match(part, reply)

    def _match(self, part: list[PollReference], reply: Any) -> None:
        rows, undecided = _rows_by_entity(reply)
        for reference in part:
            entity = str(reference.value)
            if entity in undecided:
                self._outcome.answers[reference] = None
            elif entity in rows:
                self._outcome.answers[reference] = self._answer(GET_MANY, {"attach": rows[entity]}, reference)
            else:
                self._outcome.suspects.append(reference)

    def _sort_single(self, reference: PollReference, reply: Any) -> None:
        if isinstance(reply, Bitrix24ServerError):
            self._outcome.broken[reference] = reply
        elif isinstance(reply, Bitrix24Error) and reply.connection_wide:
            self._leave_unread([reference], reply)
        elif isinstance(reply, Bitrix24Error):
            self._outcome.answers[reference] = reply
        else:
            self._outcome.answers[reference] = self._answer(GET, reply, reference)

    def _answer(self, method: str, result: Any, reference: PollReference) -> PollAnswer:
        try:
            attach = find_attach(self._client, method, result)
            if attach and self._is_decidable is not None and not self._is_decidable(attach, reference):
                return None
            return parse_attach(self._client, method, attach, reference)
        except Bitrix24Error as error:
            return without_frames(error)

    def _leave_unread(self, references: Iterable[PollReference], error: Bitrix24Error) -> None:
        self._outcome.unread |= dict.fromkeys(references, error)
        self._outcome.failure = error

    def _sort_broken(self) -> None:
        """Tell polls that break the portal from a portal that breaks over every poll."""
        outcome, lists = self._outcome, self._request.lists
        if outcome.answers or outcome.suspects:
            for position in self._broken_lists:
                outcome.suspects += lists[position]
            return
        for number, (position, error) in enumerate(self._broken_lists.items()):
            # One list is enough to find out.
            if number == 0:
                outcome.suspects += lists[position]
                outcome.failure = error
            else:
                self._leave_unread(lists[position], error)
        for reference, error in outcome.broken.items():
            self._leave_unread([reference], error)
        outcome.broken = {}


def _rows_by_entity(reply: Any) -> tuple[dict[str, Any], set[str]]:
    """Return a list's rows, and those that were pruned, by entity id; nothing when it is not a list.

    What is not a row is of no poll that is known, so its poll is missing and read alone.
    """
    try:
        fields = as_dict(reply)
        items, undecided = as_list(fields.get("items")), as_list(fields.get(UNDECIDED))
    except ValueError:
        return {}, set()
    rows = {str(row.get("entityId")): row for row in items if isinstance(row, Mapping)}
    return rows, set(map(str, undecided))

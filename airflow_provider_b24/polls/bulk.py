"""Many polls in few requests: fifty a ``getMany``, and fifty of those a batch.

``getMany`` answers for all of its polls or for none: one that is deleted or hidden spoils the list.
The polls of a spoilt list are read one by one, in one batch, so that each has its own answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import (
    Bitrix24AuthError,
    Bitrix24BatchError,
    Bitrix24Error,
    Bitrix24LimitError,
    Bitrix24MethodNotFoundError,
    Bitrix24NoAnswerError,
    Bitrix24PollNotFoundError,
    Bitrix24PortalError,
    Bitrix24ScopeError,
    Outcome,
)
from airflow_provider_b24.polls.poll import Poll
from airflow_provider_b24.polls.reference import PollReference, ReferenceKind, entity_params, is_entity

if TYPE_CHECKING:
    from airflow_provider_b24.rest.client import Bitrix24Client

#: Polls that one ``getMany`` takes.
MAX_LIST_POLLS = 50
#: No poll's fault: whoever asked would get the same answer, so asking for each alone would not help.
NOBODYS_FAULT = (
    Bitrix24AuthError,
    Bitrix24BatchError,
    Bitrix24LimitError,
    Bitrix24MethodNotFoundError,
    Bitrix24NoAnswerError,
    Bitrix24PortalError,
    Bitrix24ScopeError,
)


def read_many(client: Bitrix24Client, references: list[PollReference]) -> list[Poll | Bitrix24Error]:
    """Return for each reference, in order, its poll or its error."""
    wanted = list(dict.fromkeys(references))
    found = _read_lists(client, [reference for reference in wanted if is_entity(reference.kind)])
    found |= _read_singly(client, [reference for reference in wanted if reference not in found])
    return [found[reference] for reference in references]


def _read_lists(client: Bitrix24Client, references: list[PollReference]) -> dict[PollReference, Any]:
    """Return what whole lists answered; the polls of spoilt lists are missing."""
    lists = dict(enumerate(_lists(references)))
    if not lists:
        return {}
    replies = client.call_batch({number: list_command(part) for number, part in lists.items()})
    found: dict[PollReference, Any] = {}
    for number, part in lists.items():
        error = replies.errors.get(number)
        if isinstance(error, NOBODYS_FAULT):
            found |= dict.fromkeys(part, error)
        else:
            found |= _match(client, part, replies.results.get(number))
    return found


def _lists(references: Iterable[PollReference]) -> Iterator[list[PollReference]]:
    for kind in (ReferenceKind.MESSAGE, ReferenceKind.POST):
        same = [reference for reference in references if reference.kind is kind]
        for start in range(0, len(same), MAX_LIST_POLLS):
            yield same[start : start + MAX_LIST_POLLS]


def list_command(part: list[PollReference]) -> tuple[str, dict[str, Any]]:
    """Return the call that reads polls of one kind."""
    ids = [reference.value for reference in part]
    return "vote.AttachedVote.getMany", {**entity_params(part[0].kind), "entityIds": ids}


def _match(client: Bitrix24Client, part: list[PollReference], result: Any) -> dict[PollReference, Any]:
    items = result.get("items") if isinstance(result, Mapping) else None
    rows = {str(item.get("entityId")): item for item in items or [] if isinstance(item, Mapping)}
    return {
        reference: Poll.from_attach(rows[str(reference.value)], reference=reference, portal=client.portal)
        for reference in part
        if str(reference.value) in rows
    }


def _read_singly(client: Bitrix24Client, references: list[PollReference]) -> dict[PollReference, Any]:
    if not references:
        return {}
    commands = {reference: ("vote.AttachedVote.get", reference.params()) for reference in references}
    replies = client.call_batch(commands)
    found: dict[PollReference, Any] = dict(replies.errors)
    for reference, result in replies.results.items():
        found[reference] = _single(client, reference, result)
    return found


def _single(client: Bitrix24Client, reference: PollReference, result: Any) -> Poll | Bitrix24Error:
    attach = result.get("attach") if isinstance(result, Mapping) else None
    if isinstance(attach, Mapping):
        return Poll.from_attach(attach, reference=reference, portal=client.portal)
    return Bitrix24PollNotFoundError(
        method="vote.AttachedVote.get",
        description=f"no poll for {reference}",
        outcome=Outcome.REFUSED,
        conn_id=client.conn_id,
    )

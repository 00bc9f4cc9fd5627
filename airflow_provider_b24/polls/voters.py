"""Who voted for what: one request for up to fifty people an answer, and pages for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24PollNotFoundError, Outcome
from airflow_provider_b24.polls.poll import Poll

if TYPE_CHECKING:
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.rest.client import Bitrix24Client

#: The most people an answer that ``getWithVoted`` lists.
_PAGE = 50


def read_voters(client: Bitrix24Client, reference: PollReference) -> dict[int, list[dict[str, Any]]]:
    """Return answer id to the people who chose it."""
    method = "vote.AttachedVote.getWithVoted"
    result = client.call(method, {**reference.params(), "pageSize": _PAGE})
    if not isinstance(result, Mapping) or not isinstance(result.get("attach"), Mapping):
        raise Bitrix24PollNotFoundError(
            method=method,
            description=f"no poll for {reference}",
            outcome=Outcome.REFUSED,
            conn_id=client.conn_id,
        )
    poll = Poll.from_attach(result["attach"], reference=reference, portal=client.portal)
    listed = result.get("voted")
    first_pages: Mapping[str, Any] = listed if isinstance(listed, Mapping) else {}
    return {
        answer.id: _people(client, reference, answer.id, answer.votes, _rows(first_pages.get(str(answer.id))))
        for question in poll.questions
        for answer in question.answers
    }


def _people(
    client: Bitrix24Client, reference: PollReference, answer_id: int, votes: int, first_page: list[Any]
) -> list[dict[str, Any]]:
    rows = first_page
    if len(first_page) >= _PAGE and votes > len(first_page):
        params = {**reference.params(), "answerId": answer_id}
        rows = list(client.iterate("vote.AttachedVote.getAnswerVoted", params))
    return [_person(row) for row in rows if isinstance(row, Mapping)]


def _person(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": int(row.get("ID") or 0),
        "name": str(row.get("NAME") or ""),
        "image": str(row.get("IMAGE") or ""),
        "work_position": str(row.get("WORK_POSITION") or ""),
    }


def _rows(value: Any) -> list[Any]:
    """Return PHP's list, which is an object when it has gaps."""
    return list(value.values()) if isinstance(value, Mapping) else list(value or [])

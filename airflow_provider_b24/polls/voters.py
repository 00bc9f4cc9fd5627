"""Who voted for what: one request for up to fifty people an answer, and pages for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.polls.attach import poll_in_reply
from airflow_provider_b24.rest.php import as_dict, as_id, as_row, as_rows, as_text, promised

if TYPE_CHECKING:
    from airflow_provider_b24.polls.poll import Poll
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.rest.client import Bitrix24Client

#: The most people an answer that ``getWithVoted`` lists.
_PAGE = 50
_FIRST_PAGES = "vote.AttachedVote.getWithVoted"
_PAGES = "vote.AttachedVote.getAnswerVoted"


def read_voters(client: Bitrix24Client, reference: PollReference) -> dict[int, list[dict[str, Any]]]:
    """Return answer id to the people who chose it.

    :param client: the connection's client.
    :param reference: the poll.
    :raises Bitrix24PollNotFoundError: when there is none.
    """
    return read_poll_and_voters(client, reference)[1]


def read_poll_and_voters(
    client: Bitrix24Client, reference: PollReference
) -> tuple[Poll, dict[int, list[dict[str, Any]]]]:
    """Return a poll, and answer id to the people who chose it.

    :param client: the connection's client.
    :param reference: the poll.
    :raises Bitrix24PollNotFoundError: when there is none.
    """
    result = client.call(_FIRST_PAGES, {**reference.params(), "pageSize": _PAGE})
    poll = poll_in_reply(client, _FIRST_PAGES, result, reference)
    with promised("a list of voters", method=_FIRST_PAGES, conn_id=client.conn_id):
        voted = as_dict(as_dict(result).get("voted"))
        first_pages = {as_id(answer): as_rows(people) for answer, people in voted.items()}
    return poll, {
        answer.id: _people(client, reference, answer.id, answer.votes, first_pages.get(answer.id, []))
        for question in poll.questions
        for answer in question.answers
    }


def _people(
    client: Bitrix24Client,
    reference: PollReference,
    answer_id: int,
    votes: int,
    first_page: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    is_all = len(first_page) < _PAGE or votes <= len(first_page)
    params = {**reference.params(), "answerId": answer_id}
    rows = first_page if is_all else client.iterate(_PAGES, params)
    with promised("a list of voters", method=_PAGES, conn_id=client.conn_id):
        return [_person(as_row(row)) for row in rows]


def _person(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": as_id(row.get("ID")),
        "name": as_text(row.get("NAME")),
        "image": as_text(row.get("IMAGE")),
        "work_position": as_text(row.get("WORK_POSITION")),
    }

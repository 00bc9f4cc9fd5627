"""Who of a chat has not voted yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.chats.people import read_member_ids, read_own_id, read_people
from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24PollError
from airflow_provider_b24.polls.voters import read_poll_and_voters

if TYPE_CHECKING:
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.rest.client import Bitrix24Client


def read_missing_voters(
    client: Bitrix24Client, reference: PollReference, chat_id: int
) -> list[dict[str, Any]]:
    """Return the chat's members who can vote and have not, as ``{"id", "name"}``.

    :param client: the connection's client, whose user asks and is left out.
    :param reference: the poll.
    :param chat_id: the chat's number.
    :raises Bitrix24PollError: when the poll is anonymous.
    """
    poll, voters = read_poll_and_voters(client, reference)
    if poll.anonymous:
        raise _anonymous(client)
    left_out = {person["id"] for people in voters.values() for person in people} | {read_own_id(client)}
    missing = [number for number in read_member_ids(client, chat_id) if number not in left_out]
    people = read_people(client, missing)
    return [{"id": person.id, "name": person.name} for person in people if person.is_active]


def _anonymous(client: Bitrix24Client) -> Bitrix24Error:
    error = client.refusal(
        Bitrix24PollError, "vote.AttachedVote.getWithVoted", "the poll is anonymous: nobody may see who voted"
    )
    error.advice = "Send the poll with anonymous=False."
    return error

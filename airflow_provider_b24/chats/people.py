"""The people of a portal, as its chats know them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import Bitrix24ChatAccessError
from airflow_provider_b24.rest import php

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_b24.rest.client import Bitrix24Client

_PROFILE = "profile"
_MEMBERS = "im.chat.user.list"
_USERS = "im.user.list.get"


@dataclass(frozen=True)
class Person:
    """A member of a chat.

    :param is_active: False for bots and for people who have left the portal.
    """

    id: int
    name: str
    is_active: bool


def read_own_id(client: Bitrix24Client) -> int:
    """Return the user id of the connection's user (``profile``).

    :param client: the connection's client.
    :raises Bitrix24ServerError: when the reply names no user.
    """
    result = client.call(_PROFILE)
    with php.promised("a user", method=_PROFILE, conn_id=client.conn_id):
        return php.as_id(php.as_row(result).get("ID"))


def read_member_ids(client: Bitrix24Client, chat_id: int) -> list[int]:
    """Return the user ids of a chat's members (``im.chat.user.list``).

    :param client: the connection's client.
    :param chat_id: the chat's number.
    :raises Bitrix24ChatAccessError: when the connection's user does not see the chat.
    :raises Bitrix24ServerError: when the reply is not a list of user ids.
    """
    result = client.call(_MEMBERS, {"CHAT_ID": chat_id})
    with php.promised("a list of user ids", method=_MEMBERS, conn_id=client.conn_id):
        members = [php.as_id(value) for value in php.as_list(result)]
    if not members:
        # What the portal says of a chat that the user does not see, or that does not exist.
        raise client.refusal(Bitrix24ChatAccessError, _MEMBERS, "the portal shows no members")
    return members


def read_people(client: Bitrix24Client, user_ids: Sequence[int]) -> list[Person]:
    """Return people by their ids, in their order (``im.user.list.get``).

    :param client: the connection's client.
    :param user_ids: whom; an id that the portal does not show is a person without a name.
    :raises Bitrix24ServerError: when the reply is not a list of users.
    """
    if not user_ids:
        return []
    result = client.call(_USERS, {"ID": list(user_ids)})
    with php.promised("a list of users", method=_USERS, conn_id=client.conn_id):
        rows = [php.as_dict(row) for row in php.as_list(result)]
        known = {php.as_id(row.get("id")): row for row in rows if row}
        return [_person(number, known.get(number, {})) for number in user_ids]


def mention(user_id: int | str, name: str = "") -> str:
    """Return the BB code that names a person in a message, and notifies them.

    :param user_id: the person's user id.
    :param name: what the message shows; empty: the portal's name of the person.
    """
    # A bracket would end the code early.
    return f"[USER={user_id}]{name.replace('[', '').replace(']', '')}[/USER]"


def _person(user_id: int, row: dict[str, object]) -> Person:
    is_active = php.as_bool(row.get("active", True)) and not php.as_bool(row.get("bot"))
    return Person(user_id, php.as_text(row.get("name")), is_active)

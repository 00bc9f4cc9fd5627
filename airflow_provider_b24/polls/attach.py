"""The ``attach`` object of a reply, in which the portal describes a poll."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24PollNotFoundError
from airflow_provider_b24.polls.draft import ANONYMOUS
from airflow_provider_b24.polls.poll import Poll
from airflow_provider_b24.rest.php import as_dict, promised

if TYPE_CHECKING:
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.rest.client import Bitrix24Client


def find_attach(client: Bitrix24Client, method: str, result: Any) -> dict[str, Any]:
    """Return the ``attach`` of a reply, empty when the portal refused with an empty reply.

    :param client: the connection's client, named in errors.
    :param method: the method that answered.
    :param result: the reply's ``result``.
    :raises Bitrix24ServerError: when it is not an object.
    """
    with promised("a poll", method=method, conn_id=client.conn_id):
        return as_dict(as_dict(result).get("attach"))


def parse_attach(
    client: Bitrix24Client, method: str, attach: dict[str, Any], reference: PollReference
) -> Poll:
    """Return the poll that an ``attach`` describes.

    :param client: the connection's client.
    :param method: the method that answered.
    :param attach: the object, empty when there is none.
    :param reference: how the poll was named.
    :raises Bitrix24PollNotFoundError: when there is none.
    :raises Bitrix24ServerError: when it is not a poll.
    """
    if not attach:
        raise client.refusal(Bitrix24PollNotFoundError, method, f"no poll for {reference}")
    with promised(f"a poll for {reference}", method=method, conn_id=client.conn_id):
        return Poll.from_attach(
            attach,
            reference=reference,
            portal=client.portal,
            anonymous_value=client.anonymous_value or ANONYMOUS,
        )


def poll_in_reply(client: Bitrix24Client, method: str, result: Any, reference: PollReference) -> Poll:
    """Return the poll in a reply.

    :param client: the connection's client.
    :param method: the method that answered.
    :param result: the reply's ``result``.
    :param reference: how the poll was named.
    :raises Bitrix24PollNotFoundError: when the reply is empty.
    :raises Bitrix24ServerError: when it holds something else.
    """
    return parse_attach(client, method, find_attach(client, method, result), reference)

"""The id by which the portal recognises a repeated poll.

The portal honours only lower-case UUIDs of version 4, for 31 days, and across all chats.
"""

from __future__ import annotations

import uuid

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.rest.idempotency import TEMPLATE_ID


def fresh_template_id() -> str:
    """Return an id that was never used."""
    return str(uuid.uuid4())


def check_template_id(template_id: str) -> str:
    """Return the id, or refuse one that the portal would ignore.

    :param template_id: the id.
    :raises Bitrix24ValidationError: when it is no lower-case UUID of version 4.
    """
    if TEMPLATE_ID.fullmatch(str(template_id)):
        return str(template_id)
    raise Bitrix24ValidationError(
        "template_id", "must be a lower-case UUID of version 4; the portal ignores others"
    )

"""The id by which the portal recognises a repeated poll.

The portal honours only lower-case UUIDs of version 4, for 31 days, and across all chats.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.rest.idempotency import TEMPLATE_ID


def fresh_template_id() -> str:
    """Return an id that was never used."""
    return str(uuid.uuid4())


def task_template_id(task_instance: Any, *, portal: str) -> str:
    """Return the id of the one poll that a task instance sends.

    It is the same for every retry. It is another one after a person has cleared the task, because
    clearing raises ``max_tries``, which retries leave alone.

    :param task_instance: the running task instance.
    :param portal: the portal's address.
    """
    parts = (
        task_instance.dag_id,
        task_instance.task_id,
        task_instance.run_id,
        getattr(task_instance, "map_index", -1),
        getattr(task_instance, "max_tries", 0),
        portal,
    )
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    # A hash in the shape of a random UUID: version 5, made for this, is ignored by the portal.
    return str(uuid.UUID(bytes=digest[:16], version=4))


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

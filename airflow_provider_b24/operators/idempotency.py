"""What makes a task do its work once, however often it is retried."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


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


def is_retry(context: Context) -> bool:
    """Say whether an earlier try of this task instance may have reached the portal."""
    return int(getattr(context["ti"], "try_number", 1) or 1) > 1

"""What makes a task post a single message once, however often it is retried."""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.operators.idempotency import is_retry

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

_STORE_KEY = "bitrix24_message"
_RETENTION = timedelta(days=31)


def began_at(context: Context) -> float | None:
    """Return when the run of a task began, in Unix seconds: no try of it has posted anything before.

    :param context: the running task's context.
    """
    start = getattr(context.get("dag_run"), "start_date", None)
    return start.timestamp() if start is not None else None


class MessageMemory:
    """The message of one task instance, over its tries; it is empty where Airflow has no task state store.

    :param context: the running task's context; empty outside of Airflow.
    :param what: what is posted and where: another message is a new one.
    """

    def __init__(self, context: Context, *what: Any) -> None:
        self._ti: Any = context.get("ti")
        self._store: Any = context.get("task_state_store")
        self._run = int(getattr(self._ti, "max_tries", 0) or 0)
        self._what = hashlib.sha256("\x1f".join(map(str, what)).encode("utf-8", "replace")).hexdigest()
        self._is_retry = self._ti is not None and is_retry(context)
        #: What earlier tries have remembered is not known.
        self._is_lost = self._is_retry and self._store is None
        self.fields: dict[str, Any] = self._load()

    @property
    def is_kept(self) -> bool:
        """Whether Airflow keeps it for the next try, and has given what earlier ones have remembered."""
        return self._store is not None and not self._is_lost

    @property
    def result(self) -> Any:
        """What an earlier try of the same run has returned; None when there is none."""
        return self.fields.get("result") if self.fields.get("run") == self._run else None

    @property
    def may_have_posted(self) -> bool:
        """Whether an earlier try may have posted the message, and nobody knows."""
        if self.fields:
            return self.fields.get("result") is None
        return self._is_lost

    def begin(self, **fields: Any) -> None:
        """Remember that the message is about to be posted."""
        self._save({**self.fields, **fields, "result": None})

    def end(self, result: Any) -> None:
        """Remember what was posted."""
        self._save({**self.fields, "result": result})

    def forget(self) -> None:
        """Remember that the message was certainly not posted."""
        if self.fields and self._store is not None:
            self.fields = {}
            self._write({"what": ""})

    def _load(self) -> dict[str, Any]:
        if self._store is None:
            return {}
        try:
            found = self._store.get(_STORE_KEY) or {}
        except Exception as error:  # noqa: BLE001 - the message matters more than the store
            log.warning("The task state store did not give the message: %s", error)
            self._is_lost = self._is_retry
            return {}
        is_other_run = found.get("run") != self._run and found.get("result") is not None
        return {} if found.get("what") != self._what or is_other_run else found

    def _save(self, fields: dict[str, Any]) -> None:
        self.fields = {**fields, "what": self._what, "run": self._run}
        self._write(self.fields)

    def _write(self, fields: dict[str, Any]) -> None:
        if self._store is None:
            return
        try:
            self._store.set(_STORE_KEY, fields, retention=_RETENTION)
        except Exception as error:  # noqa: BLE001 - the message matters more than the store
            log.warning("The task state store did not take the message: %s", error)

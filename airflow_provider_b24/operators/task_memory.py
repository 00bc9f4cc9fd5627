"""What the tries of a task remember: the one door to Airflow's task state store (3.3 and later).

A value belongs to one task instance, one kind of memory and one target: a portal, a chat, a connector and its
line. Another target has a value of its own, so that what was sent elsewhere is not taken for sent here.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24StateError, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

#: How long a value is kept: as long as a portal recognises a template id.
RETENTION = timedelta(days=31)
#: The form of the values. Another one was written by another version of this package.
VERSION = 2
_REMOVE = (
    "Look into the chats for what was sent. Then remove the value from the task state store in Airflow; "
    "a push needs redelivery='at_least_once' after that."
)


def clears(context: Context) -> int:
    """Return which run of the task it is: clearing it raises ``max_tries``, which retries leave alone.

    :param context: the running task's context; empty outside of Airflow.
    """
    return _number(context, "max_tries", 0)


def try_number(context: Context) -> int:
    """Return which try of the task it is, from 1.

    :param context: the running task's context; empty outside of Airflow.
    """
    return _number(context, "try_number", 1)


def is_retry(context: Context) -> bool:
    """Say whether an earlier try of this task instance may have reached the portal.

    :param context: the running task's context; empty outside of Airflow.
    """
    return try_number(context) > 1


def task_names(context: Context) -> tuple[str, ...]:
    """Return the names of a task instance's DAG, task, run and mapped task; none outside of Airflow.

    :param context: the running task's context.
    """
    ti: Any = context.get("ti")
    if ti is None:
        return ()
    return tuple(str(getattr(ti, name, "")) for name in ("dag_id", "task_id", "run_id", "map_index"))


def began_at(context: Context) -> float | None:
    """Return when the run of a task began, in Unix seconds: no try of it has posted anything before.

    :param context: the running task's context.
    """
    start = getattr(context.get("dag_run"), "start_date", None)
    return start.timestamp() if start is not None else None


@dataclass(frozen=True)
class Recalled:
    """What earlier tries remember.

    :param fields: the value; empty when there is none, or none that can be read.
    :param is_known: whether it is known what earlier tries did.
    :param is_readable: whether the store has answered with something that can be read.
    """

    fields: dict[str, Any]
    is_known: bool = True
    is_readable: bool = True


class TaskMemory:
    """One value in the task state store.

    :param context: the running task's context; empty outside of Airflow.
    :param key: what is remembered, for example ``poll``.
    :param target: where it happens: portal, chat, connector, line, and what else makes it another thing.
    :param fields: the names that the value must have, and their types.
    """

    def __init__(
        self,
        context: Context,
        key: str,
        target: tuple[Any, ...] = (),
        *,
        fields: Mapping[str, type | tuple[type, ...]] | None = None,
    ) -> None:
        self._store: Any = context.get("task_state_store")
        self._name = f"bitrix24_{key}.{_digest(target)}" if target else f"bitrix24_{key}"
        self._fields = dict(fields or {})
        self.clears = clears(context)
        self.is_retry = context.get("ti") is not None and is_retry(context)

    @property
    def exists(self) -> bool:
        """Whether this Airflow has a task state store."""
        return self._store is not None

    def read(self) -> dict[str, Any] | None:
        """Return the value; None when there is none.

        :raises Bitrix24StateError: when the store does not answer, or holds what this version can't read.
        """
        found = self._get()
        if found is None:
            return None
        if problem := self._problem(found):
            raise Bitrix24StateError(
                f"The value {self._name} of the task state store can't be read: {problem}",
                outcome=Outcome.NOT_EXECUTED,
                advice=_REMOVE,
            )
        return dict(found)

    def write(self, value: Mapping[str, Any]) -> None:
        """Replace the value; without a store nothing happens.

        :param value: JSON values.
        :raises Bitrix24StateError: when the store does not take it.
        """
        if self._store is None:
            return
        try:
            stored = {**value, "version": VERSION, "clears": self.clears}
            self._store.set(self._name, {**stored, "check": _check(stored)}, retention=RETENTION)
        except Exception as error:
            raise self._failure("does not take a value", error) from error

    def recall(self) -> Recalled:
        """Return what earlier tries remember; that there is no value does not say that they did nothing."""
        try:
            found = self._get()
        except Bitrix24StateError as error:
            log.warning("It is not known what earlier tries did: %s", error)
            return Recalled({}, is_known=not self.is_retry, is_readable=False)
        if found is None:
            return Recalled({}, is_known=not self.is_retry)
        if problem := self._problem(found):
            log.warning("The value %s of the task state store can't be read: %s", self._name, problem)
            return Recalled({}, is_known=False, is_readable=False)
        return Recalled(dict(found))

    def save(self, value: Mapping[str, Any]) -> bool:
        """Replace the value when that is possible, and say whether it was.

        :param value: JSON values.
        """
        try:
            self.write(value)
        except Bitrix24StateError as error:
            log.warning("A later try will not know what this one did: %s", error)
            return False
        return self.exists

    def _get(self) -> Any:
        try:
            return None if self._store is None else self._store.get(self._name)
        except Exception as error:
            raise self._failure("does not answer", error) from error

    def _problem(self, found: Any) -> str:
        """Return why a value can't be read; empty when it can."""
        if not isinstance(found, dict):
            return "it is no mapping"
        if found.get("version") != VERSION:
            return f"another version of the provider wrote it ({found.get('version')!r}, not {VERSION})"
        kinds = {"clears": int, **self._fields}
        wrong = [name for name, kind in kinds.items() if not _is_of(found.get(name), kind)]
        if wrong:
            return f"{', '.join(wrong)} is missing or of another type"
        return "" if found.get("check") == _check(found) else "it was changed since it was written"

    def _failure(self, what: str, error: Exception) -> Bitrix24StateError:
        return Bitrix24StateError(
            f"The task state store {what}: {type(error).__name__}: {error}",
            outcome=Outcome.NOT_EXECUTED,
            advice="Let the task retry; look at Airflow's API server.",
        )


def _number(context: Context, name: str, default: int) -> int:
    return int(getattr(context.get("ti"), name, default) or default)


def _is_of(value: Any, kind: type | tuple[type, ...]) -> bool:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _check(value: Mapping[str, Any]) -> str:
    """Return a checksum, so that no damaged value is taken for what happened."""
    content = {name: part for name, part in value.items() if name != "check"}
    return hashlib.blake2b(
        json.dumps(content, sort_keys=True, default=str).encode(), digest_size=8
    ).hexdigest()


def _digest(target: tuple[Any, ...]) -> str:
    text = "\x1f".join(map(str, target)).encode("utf-8", "backslashreplace")
    return hashlib.blake2b(text, digest_size=8).hexdigest()

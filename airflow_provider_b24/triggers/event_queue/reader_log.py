"""What the reader of a queue writes into the triggerer's log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import Bitrix24PlanError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_b24.exceptions import Bitrix24Error

log = logging.getLogger(__name__)


class ReaderLog:
    """The log of one connection's reader.

    :param conn_id: the Airflow connection.
    """

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id
        self._redelivered = 0
        self._plan_refused = False

    @property
    def redelivered(self) -> int:
        """How many events were handed on again."""
        return self._redelivered

    def failed(self, error: Bitrix24Error, *, delay: float) -> None:
        """Say that the queue can't be read.

        :param error: why.
        :param delay: seconds until the next attempt.
        """
        if isinstance(error, Bitrix24PlanError):
            self._refused_by_plan(delay)
            return
        log.warning("Can't read the events of connection %r, next attempt in %.0f s: %s",
                    self._conn_id, delay, error)  # fmt: skip

    def _refused_by_plan(self, delay: float) -> None:
        if not self._plan_refused:
            log.error(
                "The portal of connection %r does not let applications reserve offline events: its plan "
                "lacks the feature rest_offline_extended. No event is read. The next attempt is in about "
                "%.0f minutes; remove the watcher, or ask the portal's administrator for such a plan",
                self._conn_id,
                max(delay / 60, 1),
            )
        self._plan_refused = True

    def recovered(self, seconds: float) -> None:
        """Say that the queue is read again.

        :param seconds: for how long it was not.
        """
        self._plan_refused = False
        log.info("The events of connection %r are read again after %.0f s", self._conn_id, seconds)

    def handed_on_again(self, count: int, why: str) -> None:
        """Count events that may have been handed on before.

        :param count: how many there are now.
        :param why: what left them.
        """
        self._redelivered += count
        log.warning(
            "%d events of connection %r are handed on again, because %s; %d in all since the start. "
            "Their payload has redelivered=true, and the id of the first time",
            count,
            self._conn_id,
            why,
            self._redelivered,
        )

    def not_subscribed(self, names: Sequence[str]) -> None:
        """Say that events can't come.

        :param names: their names.
        """
        for name in names:
            log.warning(
                "The application of connection %r is not subscribed to %s, so none will come. "
                "Call hook.events.bind(event=%r) once",
                self._conn_id,
                name,
                name,
            )

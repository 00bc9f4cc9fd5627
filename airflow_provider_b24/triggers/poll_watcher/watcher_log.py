"""What a poll watcher writes into the triggerer's log."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


class WatcherLog:
    """The log of one connection's poll watcher.

    :param conn_id: the Airflow connection.
    """

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id
        self._was_behind = False

    def failed(self, polls: int, error: Exception) -> None:
        """Say that polls can't be read.

        :param polls: how many are waited for.
        :param error: why.
        """
        log.warning("The poll watcher of connection %r can't read %d polls: %s", self._conn_id, polls, error)

    def recovered(self, seconds: float) -> None:
        """Say that polls are read again.

        :param seconds: for how long they were not.
        """
        log.info("The poll watcher of connection %r reads polls again after %.0f s", self._conn_id, seconds)

    def crashed(self, error: Exception) -> None:
        """Say that the watcher itself failed.

        :param error: why.
        """
        log.error("The poll watcher of connection %r crashed", self._conn_id, exc_info=error)

    def schedule(self, *, is_behind: bool, polls: int, share: float) -> None:
        """Say, once, that polls are read later than their intervals say, and when that is over.

        :param is_behind: whether they are.
        :param polls: how many are waited for.
        :param share: the part of the portal's request limit that the watcher may take.
        """
        if is_behind and not self._was_behind:
            log.warning(
                "The poll watcher of connection %r is behind schedule: %d polls need more than a share of "
                "%.2f of the portal's request limit, or the portal is too slow. Each poll is read later than "
                "its interval says",
                self._conn_id,
                polls,
                share,
            )
        elif self._was_behind and not is_behind:
            log.info("The poll watcher of connection %r is on schedule again", self._conn_id)
        self._was_behind = is_behind

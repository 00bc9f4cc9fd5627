"""How a poll watcher behaves."""

from __future__ import annotations

import logging
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WatcherOptions:
    """How a poll watcher behaves.

    :param share: the part of the portal's request limit that it may take.
    :param connection_age: seconds after which the connection is read again.
    :param base_delay: seconds of the first delay after a failure; each failure doubles it.
    :param max_delay: seconds that a delay may last.
    :param permanent_failure_timeout: seconds for which refused credentials are tried again.
    """

    share: float = 0.25
    connection_age: float = 60.0
    base_delay: float = 0.5
    max_delay: float = 60.0
    permanent_failure_timeout: float = 600.0


def read_options() -> WatcherOptions:
    """Return the options that Airflow's configuration sets."""
    from airflow.providers.common.compat.sdk import conf

    share = conf.getfloat("bitrix24", "poll_watcher_share", fallback=WatcherOptions.share)
    if 0 < share <= 1:
        return WatcherOptions(share=share)
    log.warning(
        "[bitrix24] poll_watcher_share must be above 0 and at most 1, not %s; %s is used instead",
        share,
        WatcherOptions.share,
    )
    return WatcherOptions()

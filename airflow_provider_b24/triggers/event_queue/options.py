"""How the reader of a queue behaves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReaderOptions:
    """How the reader of a queue behaves; all times are seconds.

    :param limit: events in one reservation.
    :param window: events that are handed on and not yet cleared, at most.
    :param gather: how long to wait for further watchers before the first read, so that all of them get
        the first events.
    :param recheck: how often to look for reserved events that no reader clears.
    :param clear_after: how long after Airflow took an event it is cleared, where Airflow does not say that it
        has stored it (before 3.3); the triggerer stores events about once a second.
    :param clear_delay: how long to wait for further events that one request can clear.
    :param burst: events that follow each other sooner than this are a burst.
    :param repeat_after: after which silences the last event of a burst is handed on again (``bursts.py``);
        twice, because the scheduler may be away the first time.
    :param base_delay: the first delay after a failure; each failure doubles it.
    :param max_delay: the longest of these delays.
    :param plan_delay: the delay, about, while the portal's plan lacks the feature.
    :param connection_age: after which the connection is read again.
    """

    limit: int = 50
    window: int = 200
    gather: float = 2.0
    recheck: float = 300.0
    clear_after: float = 10.0
    clear_delay: float = 0.5
    burst: float = 120.0
    repeat_after: tuple[float, ...] = (10.0, 120.0)
    base_delay: float = 0.5
    max_delay: float = 60.0
    plan_delay: float = 600.0
    connection_age: float = 60.0


def read_options() -> ReaderOptions:
    """Return the options of this Airflow."""
    return ReaderOptions()

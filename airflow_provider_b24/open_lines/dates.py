"""Dates as Bitrix24's connectors take them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

#: Unix seconds of 9 and 10 digits: from 1973 to 2286.
MIN_SECONDS, MAX_SECONDS = 100_000_000, 9_999_999_999
#: What each schema refuses as a date.
_NO_DATE = ()


def unix_seconds(date: Any, now: float) -> Any:
    """Return a date's Unix seconds; what is no date becomes what the schema refuses.

    :param date: Unix seconds of 9 or 10 digits, a datetime, or its ISO form; None is the present time.
    :param now: the present time in Unix seconds.
    """
    if date is None:
        return int(now)
    if isinstance(date, bool | float):
        return _NO_DATE
    if isinstance(date, datetime):
        return _seconds_of(date)
    text = str(date).strip()
    if text.lstrip("+-").isdigit():
        # A day without its hyphens, and milliseconds, would be another day.
        is_seconds = text.isascii() and text.isdigit() and MIN_SECONDS <= int(text[:20]) <= MAX_SECONDS
        return date if is_seconds else _NO_DATE
    try:
        return _seconds_of(datetime.fromisoformat(date.strip()))
    except (AttributeError, TypeError, ValueError):
        return _NO_DATE


def _seconds_of(moment: datetime) -> Any:
    try:
        # Airflow's own dates without a zone are UTC; a worker's zone must not count.
        seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (TypeError, ValueError, OverflowError):
        # A date of another library that stands for no date.
        return _NO_DATE
    return seconds if seconds <= MAX_SECONDS else _NO_DATE

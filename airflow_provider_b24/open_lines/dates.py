"""Dates as Bitrix24's connectors want them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def unix_seconds(date: Any, now: float) -> Any:
    """Return a date's Unix seconds; what is no date is returned as it is, for the schema to refuse."""
    if date is None:
        return int(now)
    try:
        moment = date if isinstance(date, datetime) or str(date).isdigit() else datetime.fromisoformat(date)
    except (TypeError, ValueError):
        return date
    if not isinstance(moment, datetime):
        return moment
    # Airflow's own dates without a zone are UTC; a worker's zone must not count.
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())

"""What a trigger tells its task: that a poll is decided, that time is over, or what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.polls.decision import judge

if TYPE_CHECKING:
    from airflow_provider_b24.polls.poll import Poll
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.polls.rules import Rule

Event = dict[str, Any]
TIMEOUT: Event = {"status": "timeout"}


def event_of(answer: Poll | Bitrix24Error | None, reference: PollReference, rule: Rule) -> Event | None:
    """Return what one waiter is told, None if it waits on."""
    if answer is None:
        return None
    try:
        if isinstance(answer, Bitrix24Error):
            raise answer
        poll = judge(answer, reference, rule)
    except Bitrix24Error as error:
        return failed(error)
    return {"status": "success", "poll": poll.to_dict()} if poll is not None else None


def failed(error: Bitrix24Error) -> Event:
    """Return the event of a wait that an error ends."""
    return {"status": "error", "error": error.to_dict()}

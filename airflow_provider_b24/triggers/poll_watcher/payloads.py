"""The events by which a trigger tells its task how a wait ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.polls.decision import poll_if_decided
from airflow_provider_b24.rest.decoding import clean

if TYPE_CHECKING:
    from airflow_provider_b24.polls.bulk import PollAnswer
    from airflow_provider_b24.polls.poll import Poll
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.polls.rules import WatchRule


class SuccessEvent(TypedDict):
    """The rule has decided the poll, as ``Poll.to_dict()`` gives it."""

    status: Literal["success"]
    poll: dict[str, Any]


class TimeoutEvent(TypedDict):
    """The deadline has passed."""

    status: Literal["timeout"]


class ErrorEvent(TypedDict):
    """The poll can't be read or decided; the error as ``Bitrix24Error.to_dict()`` gives it."""

    status: Literal["error"]
    error: dict[str, Any]


PollEvent = SuccessEvent | TimeoutEvent | ErrorEvent


def encodable(event: Any) -> Any:
    """Return the event as Airflow can encode it: one that it can't would end the whole triggerer.

    :param event: what a trigger is about to hand over.
    """
    return clean(event)


def success_event(poll: Poll) -> SuccessEvent:
    """Return the event of a decided poll.

    :param poll: the poll.
    """
    return {"status": "success", "poll": poll.to_dict()}


def timeout_event() -> TimeoutEvent:
    """Return the event of a deadline that has passed."""
    return {"status": "timeout"}


def error_event(error: Bitrix24Error) -> ErrorEvent:
    """Return the event of a wait that an error ends.

    :param error: the error, which the task raises in its own type.
    """
    return {"status": "error", "error": error.to_dict()}


def event_for(answer: PollAnswer, reference: PollReference, rule: WatchRule) -> PollEvent | None:
    """Return the event that one waiter gets for an answer, None if it waits on.

    :param answer: the poll as it was read, its error, or None when it can't be decided yet.
    :param reference: how the poll was named.
    :param rule: the waiter's rule.
    """
    if answer is None:
        return None
    if isinstance(answer, Bitrix24Error):
        return error_event(answer)
    try:
        poll = poll_if_decided(answer, reference, rule)
    except Bitrix24Error as error:
        return error_event(error)
    return success_event(poll) if poll is not None else None

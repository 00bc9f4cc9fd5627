"""One look at a poll that somebody waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import (
    Bitrix24NoAnswerError,
    Bitrix24OperatingLimitError,
    Bitrix24PollUndecidedError,
    Bitrix24RateLimitError,
    Bitrix24ServerError,
    Outcome,
)
from airflow_provider_b24.polls.reference import parse_reference
from airflow_provider_b24.polls.rules import Decided, Impossible, decide, parse_rule

if TYPE_CHECKING:
    from airflow_provider_b24.polls.api import PollsApi
    from airflow_provider_b24.polls.poll import Poll
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.polls.rules import Rule

#: Troubles that pass: who waits for people can wait for the portal, too.
PASSING = (
    Bitrix24NoAnswerError,
    Bitrix24RateLimitError,
    Bitrix24OperatingLimitError,
    Bitrix24ServerError,
)


def look(polls: PollsApi, poll: Any, rule: Any) -> Poll | None:
    """Return the poll if the rule is met, None if it is still open.

    :raises Bitrix24PollUndecidedError: when the rule can't be met any more.
    """
    parsed = parse_rule(rule)
    reference = parse_reference(poll)
    return judge(polls.get(reference), reference, parsed)


def judge(poll: Poll, reference: PollReference, rule: Rule) -> Poll | None:
    """Return the poll if the rule is met, None if it is still open.

    :raises Bitrix24PollUndecidedError: when the rule can't be met any more.
    """
    verdict = decide(poll, rule)
    if isinstance(verdict, Impossible):
        raise Bitrix24PollUndecidedError(
            f"The poll ({reference}) can't be decided by the rule {rule}: {verdict.reason}",
            method="vote.AttachedVote.get",
            outcome=Outcome.REFUSED,
        )
    return poll if isinstance(verdict, Decided) else None

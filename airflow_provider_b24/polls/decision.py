"""The poll that somebody waits for, once its rule is met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24PollUndecidedError, Outcome
from airflow_provider_b24.polls.reference import parse_reference
from airflow_provider_b24.polls.rules import parse_rule
from airflow_provider_b24.polls.verdict import Decided, Impossible, decide

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.polls.api import PollsApi
    from airflow_provider_b24.polls.poll import Poll
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.polls.rules import WatchRule


def get_if_decided(
    polls: PollsApi, poll: Any, rule: Any, *, on_read: Callable[[Poll], None] | None = None
) -> Poll | None:
    """Read a poll; return it if the rule is met, None if it is still open.

    :param polls: the portal's polls.
    :param poll: any way to name the poll.
    :param rule: the rule as a user writes it.
    :param on_read: called with the poll, decided or not.
    :raises Bitrix24PollUndecidedError: when the rule can no longer be met.
    """
    parsed = parse_rule(rule)
    reference = parse_reference(poll)
    found = polls.get(reference)
    if on_read is not None:
        on_read(found)
    return poll_if_decided(found, reference, parsed)


def poll_if_decided(poll: Poll, reference: PollReference, rule: WatchRule) -> Poll | None:
    """Return the poll if the rule is met, None if it is still open.

    :param poll: the poll as it was just read.
    :param reference: how it was named.
    :param rule: when it is decided.
    :raises Bitrix24PollUndecidedError: when the rule can no longer be met.
    """
    verdict = decide(poll, rule)
    if isinstance(verdict, Impossible):
        raise Bitrix24PollUndecidedError(
            f"The poll ({reference}) can't be decided by the rule {rule}: {verdict.reason}",
            method="vote.AttachedVote.get",
            outcome=Outcome.REFUSED,
        )
    return poll if isinstance(verdict, Decided) else None

"""A poll that a sensor waits for, as an ask: the rule ``everybody`` needs to know who has voted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.asks.ask import Ask
from airflow_provider_b24.exceptions import Bitrix24PollUndecidedError, Bitrix24ValidationError, Outcome
from airflow_provider_b24.field_values import literal
from airflow_provider_b24.ids import parse_chat_id
from airflow_provider_b24.polls.decision import get_if_decided
from airflow_provider_b24.polls.reference import ReferenceKind, parse_reference
from airflow_provider_b24.polls.rules import Everybody, parse_rule
from airflow_provider_b24.polls.verdict import Decided, Impossible

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from airflow_provider_b24.polls.poll import Poll


def watched_ask(poll: Any, rule: Any, *, chat_id: Any = None, deadline: float | None = None) -> Ask | None:
    """Return the ask of a poll whose rule counts people by name; None for the other rules.

    :param poll: any way to name a poll.
    :param rule: the rule, as a user writes it.
    :param chat_id: the poll's chat; None takes it from the poll, when that is what was sent.
    :param deadline: when the wait ends, in Unix seconds.
    :raises Bitrix24ValidationError: when the poll is not one of a chat, or its chat is not known.
    """
    parsed = parse_rule(rule)
    if not isinstance(parsed, Everybody):
        return None
    reference = parse_reference(poll)
    if reference.kind is not ReferenceKind.MESSAGE:
        raise Bitrix24ValidationError("poll", "the rule 'everybody' needs the poll's message id")
    return Ask(
        message_id=int(reference.value),
        chat_id=_chat_of(poll, chat_id, needed=parsed.user_ids is None),
        question="",
        rule=parsed.to_json(),
        voters=None,
        excluded=[],
        asked_at=time.time(),
        deadline=deadline,
        early=False,
    )


def read_if_decided(
    hook: Bitrix24Hook,
    poll: Any,
    rule: Any,
    *,
    chat_id: Any = None,
    on_read: Callable[[Poll], None] | None = None,
) -> Poll | None:
    """Read a poll; return it if the rule is met, None if it is still open.

    :param hook: reaches the portal.
    :param poll: any way to name the poll.
    :param rule: the rule, as a user writes it.
    :param chat_id: the poll's chat, which the rule ``everybody`` needs.
    :param on_read: called with the poll, decided or not.
    :raises Bitrix24PollUndecidedError: when the rule can no longer be met.
    """
    ask = watched_ask(poll, rule, chat_id=chat_id)
    if ask is None:
        return get_if_decided(hook.polls, poll, rule, on_read=on_read)
    found = hook.polls.get(ask.message_id)
    if on_read is not None:
        on_read(found)
    verdict = ask.counter(hook).count(ask.reference, found).verdict
    if isinstance(verdict, Impossible):
        raise Bitrix24PollUndecidedError(
            f"The poll ({ask.reference}) can't be decided by the rule {ask.parsed_rule}: {verdict.reason}",
            method="vote.AttachedVote.get",
            outcome=Outcome.REFUSED,
        )
    return found if isinstance(verdict, Decided) else None


def _chat_of(poll: Any, chat_id: Any, *, needed: bool) -> int:
    given = literal(poll) if isinstance(poll, str) else poll
    found = chat_id if chat_id is not None else given.get("chat_id") if isinstance(given, Mapping) else None
    if found is not None:
        return parse_chat_id(found)
    if needed:
        raise Bitrix24ValidationError("chat_id", "the rule 'everybody' needs the poll's chat")
    return 0

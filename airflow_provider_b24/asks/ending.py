"""How an ask ends: its poll is stopped, counted after the stop, and the result is recorded."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.asks.audit import audit_of, names_for
from airflow_provider_b24.asks.closing import count_after_stop, read_comments, stop_poll
from airflow_provider_b24.asks.texts import decision_text, no_decision_text, votes_text
from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.polls.result import Result, ResultPolicy, result_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_b24.asks.ask import Ask
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
    from airflow_provider_b24.polls.poll import Poll


@dataclass(frozen=True)
class Ending:
    """The end of an ask.

    :param audit: the record, as JSON values.
    :param message: what is posted in the chat.
    :param summary: the line of the task's log.
    :param error: why there is no result.
    """

    audit: dict[str, Any]
    message: str
    summary: str
    error: Bitrix24Error | None = None


def end_ask(
    hook: Bitrix24Hook,
    ask: Ask,
    policy: ResultPolicy,
    *,
    seen: Sequence[int] | None,
    timed_out: bool,
    closed: Poll | None = None,
) -> Ending:
    """Stop the poll, count, and return the result or why there is none.

    :param hook: reaches the portal.
    :param ask: what was asked.
    :param policy: what a tie and a deadline mean.
    :param seen: ids of the leading answers when the poll was found decided; None: it was not.
    :param timed_out: whether the deadline ended the wait.
    :param closed: the poll, when it is stopped already: another stop would open it for a second.
    :raises Bitrix24Error: when the poll can't be stopped or read.
    """
    poll = closed or stop_poll(hook, ask)
    count = count_after_stop(hook, ask, poll)
    comments = read_comments(hook, ask)
    try:
        result = result_of(count, ask.parsed_rule, policy, seen=seen, timed_out=timed_out)
    except Bitrix24Error as error:
        error.conn_id = hook.bitrix24_conn_id
        reason = error.message or error.description or ""
        audit = audit_of(ask, None, count, poll, at=time.time(), comments=comments, reason=reason)
        audit["timedout"] = timed_out
        return Ending(audit, no_decision_text(reason), f"No decision: {reason}", error)
    audit = audit_of(ask, result, count, poll, at=time.time(), comments=comments)
    message = decision_text(ask, result, count.poll, names_for(result, count))
    return Ending(audit, message, _summary(ask, result, votes_text(count.poll)))


def end_by_airflow(
    hook: Bitrix24Hook, ask: Ask, event: dict[str, Any], *, closed: Poll | None = None
) -> Ending:
    """Stop the poll of an ask that was answered under Required Actions.

    :param hook: reaches the portal.
    :param ask: what was asked.
    :param event: Airflow's answer.
    :param closed: the poll, when it is stopped already: another stop would open it for a second.
    :raises Bitrix24Error: when the poll can't be stopped or read.
    """
    poll = closed or stop_poll(hook, ask)
    count = count_after_stop(hook, ask, poll)
    result = Result(tuple(event["chosen_options"]), "airflow", timed_out=bool(event.get("timedout")))
    user = event.get("responded_by_user")
    comments = read_comments(hook, ask)
    audit = audit_of(ask, result, count, poll, at=time.time(), comments=comments, user=user)
    message = decision_text(ask, result, count.poll, [user["name"]] if user else [])
    return Ending(audit, message, _summary(ask, result, votes_text(count.poll)))


def _summary(ask: Ask, result: Result, votes: str) -> str:
    chosen = ", ".join(result.chosen)
    return f"Decided: {chosen} (by {result.decided_by}; rule: {ask.parsed_rule}; {votes}; {ask.poll_url})"

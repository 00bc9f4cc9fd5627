"""What people read of an ask: the rule, the votes, the decision, the reminders. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.chats.people import mention

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_b24.asks.ask import Ask
    from airflow_provider_b24.polls.poll import Poll
    from airflow_provider_b24.polls.result import Result

_MAX_NAMES = 10


def votes_text(poll: Poll) -> str:
    """Return the votes of each answer, for example ``Yes 2, No 1``.

    :param poll: the poll with the votes that count.
    """
    answers = [answer for question in poll.questions for answer in question.answers]
    return ", ".join(f"{answer.text} {answer.votes}" for answer in answers)


def progress_text(ask: Ask, poll: Poll) -> str:
    """Return the line that the task's log shows while it waits.

    :param ask: what was asked.
    :param poll: the poll with the votes that count.
    """
    parts = [f"Votes: {votes_text(poll)}", f"rule: {ask.parsed_rule}"]
    if ask.deadline is not None:
        parts.append(f"deadline: {moment_text(ask.deadline)}")
    if ask.poll_url:
        parts.append(ask.poll_url)
    return "; ".join(parts)


def decision_text(ask: Ask, result: Result, poll: Poll, names: Sequence[str]) -> str:
    """Return the message that tells the chat what was decided, by whom and by which rule.

    :param ask: what was asked.
    :param result: the result.
    :param poll: the poll with the votes that count.
    :param names: the people who voted for it; empty when they are not known.
    """
    chosen = ", ".join(result.chosen)
    return f"[b]Decision: {chosen}[/b]\n{_why(ask, result, poll, names)}"


def _why(ask: Ask, result: Result, poll: Poll, names: Sequence[str]) -> str:
    if result.decided_by == "airflow":
        return f"Answered in Airflow{f' by {names[0]}' if names else ''}; this poll is closed."
    if result.timed_out:
        return f"The deadline passed before a decision (rule: {ask.parsed_rule}); this is the default answer."
    people = f" by {_listed(names)}" if names else ""
    return f"Votes: {votes_text(poll)}{people}. Rule: {ask.parsed_rule}."


def no_decision_text(reason: str) -> str:
    """Return the message that tells the chat that there is no decision.

    :param reason: why.
    """
    return f"[b]No decision[/b]\n{reason}"


#: By this a later try knows why the poll is closed.
ENDED_IN_AIRFLOW = "Its task was ended in Airflow"


def closed_text() -> str:
    """Return the message for a poll whose task was ended in Airflow."""
    return f"[b]This poll is closed[/b]\n{ENDED_IN_AIRFLOW}, so no decision is taken."


def failed_text() -> str:
    """Return the message for a poll whose task has failed for good."""
    return "[b]This poll is closed[/b]\nIts task has failed in Airflow, so no decision is taken."


def reminder_text(ask: Ask, missing: Iterable[dict[str, Any]]) -> str:
    """Return a reminder to those who have not voted.

    :param ask: what was asked.
    :param missing: the people, with ``id`` and ``name``; empty when they are not known.
    """
    mentions = " ".join(mention(person["id"], person["name"]) for person in missing)
    until = f" Deadline: {moment_text(ask.deadline)}." if ask.deadline is not None else ""
    return f"{f'{mentions} ' if mentions else ''}Please vote: {ask.question}{until}"


def escalation_text(ask: Ask) -> str:
    """Return the message that tells others that a question is open.

    :param ask: what was asked.
    """
    until = f" Deadline: {moment_text(ask.deadline)}." if ask.deadline is not None else ""
    return f"Not decided yet: {ask.question}{until} {ask.poll_url}".rstrip()


def moment_text(seconds: float) -> str:
    """Return a moment as people read it, in UTC.

    :param seconds: Unix seconds.
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MAX_NAMES])
    return shown if len(names) <= _MAX_NAMES else f"{shown} and {len(names) - _MAX_NAMES} more"

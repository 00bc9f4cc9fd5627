"""The record of an ask: what was decided, by whom, by which rule. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.polls.electorate import who_counted

if TYPE_CHECKING:
    from airflow_provider_b24.asks.ask import Ask
    from airflow_provider_b24.polls.counting import Count
    from airflow_provider_b24.polls.electorate import Voters
    from airflow_provider_b24.polls.poll import Poll
    from airflow_provider_b24.polls.result import Result


def audit_of(
    ask: Ask,
    result: Result | None,
    count: Count,
    poll: Poll,
    *,
    at: float,
    comments: list[dict[str, Any]],
    reason: str = "",
    user: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the record, as JSON values: a superset of what Airflow's human-in-the-loop operators return.

    :param ask: what was asked.
    :param result: the result; None when there is no decision.
    :param count: the votes that count.
    :param poll: the poll as the portal has it.
    :param at: when it was decided, in Unix seconds.
    :param comments: the replies to the poll.
    :param reason: why there is no decision.
    :param user: the Airflow user who answered.
    """
    chosen = list(result.chosen) if result is not None else []
    voters = None if count.voters is None else _by_text(poll, count.voters)
    return {
        "chosen_options": chosen,
        "params_input": {},
        "responded_at": datetime.fromtimestamp(at, UTC).isoformat(),
        "responded_by_user": user or _only_voter(result, count),
        "timedout": result is not None and result.timed_out,
        "decided_by": result.decided_by if result is not None else None,
        "rule": str(ask.parsed_rule),
        "reason": reason,
        "poll": poll.to_dict(),
        "counted": {
            answer.text: answer.votes for question in count.poll.questions for answer in question.answers
        },
        "voters": voters,
        "who_counted": None if count.voters is None else list(who_counted(count.voters, count.electorate)),
        "comments": comments,
        "asked_at": datetime.fromtimestamp(ask.asked_at, UTC).isoformat(),
        "deadline": None if ask.deadline is None else datetime.fromtimestamp(ask.deadline, UTC).isoformat(),
    }


def names_for(result: Result, count: Count) -> list[str]:
    """Return the names of the people who count and voted for the result; none when they are not known.

    :param result: the result.
    :param count: the count.
    """
    chosen = {
        answer.id
        for question in count.poll.questions
        for answer in question.answers
        if answer.text in result.chosen
    }
    people = {
        person["id"]: person["name"]
        for answer_id, voted in (count.voters or {}).items()
        for person in voted
        if answer_id in chosen and count.electorate.counts(person["id"])
    }
    return list(people.values())


def _by_text(poll: Poll, voters: Voters) -> dict[str, list[dict[str, Any]]]:
    texts = {answer.id: answer.text for question in poll.questions for answer in question.answers}
    return {
        texts.get(answer_id, str(answer_id)): [
            {"id": person["id"], "name": person["name"]} for person in people
        ]
        for answer_id, people in voters.items()
    }


def _only_voter(result: Result | None, count: Count) -> dict[str, Any] | None:
    """Return the one person who counts and voted, in the form that Airflow uses; None for several.

    A deadline's default is nobody's answer, also when one person has voted.
    """
    if result is not None and result.timed_out:
        return None
    people = {
        person["id"]: person["name"]
        for voted in (count.voters or {}).values()
        for person in voted
        if count.electorate.counts(person["id"])
    }
    if len(people) != 1:
        return None
    user_id, name = next(iter(people.items()))
    return {"id": str(user_id), "name": name}

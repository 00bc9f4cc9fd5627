"""Which number makes a poll anonymous: a vote shows it, and nothing before a vote does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.conformance.answers import as_items, as_object
from airflow_provider_b24.conformance.probe import probe
from airflow_provider_b24.conformance.trial import entity
from airflow_provider_b24.conformance.unanswered import CouldNotTellError
from airflow_provider_b24.ids import positive_number

if TYPE_CHECKING:
    from airflow_provider_b24.conformance.trial import Trial

_HIDDEN, _SHOWN = "hides who voted", "shows who voted"
_GUARD = (
    "The check before the first anonymous poll finds the number that hides who voted, and uses it. With "
    "none, it raises Bitrix24AnonymityError."
)
_PUBLIC = "Who voted, and rules that need it, are not known there."


@probe(
    "anonymity.two",
    "A poll with ANONYMITY 2",
    _HIDDEN,
    depends="anonymous=True",
    otherwise=_GUARD,
    writes=True,
)
def two(trial: Trial) -> str:
    """Vote and look whether the voter is shown."""
    return _effect(trial, 2)


@probe(
    "anonymity.one",
    "A poll with ANONYMITY 1",
    _SHOWN,
    depends="anonymous=False; who voted, approvals, people who count",
    otherwise=_PUBLIC,
    writes=True,
)
def one(trial: Trial) -> str:
    """Vote and look whether the voter is shown."""
    return _effect(trial, 1)


@probe(
    "anonymity.omitted",
    "A poll without ANONYMITY",
    _SHOWN,
    depends="hook.polls.send_data and raw data without ANONYMITY",
    otherwise="Say ANONYMITY in the data, or use anonymous=.",
    writes=True,
)
def omitted(trial: Trial) -> str:
    """Vote and look whether the voter is shown."""
    return _effect(trial, None)


@probe(
    "anonymity.connection",
    "The connection's anonymous_value",
    "hides who voted; the other number shows it",
    depends="anonymous=True",
    otherwise="Set the connection's extra anonymous_value to the number that hides who voted.",
    writes=True,
)
def connection(trial: Trial) -> str:
    """Compare the connection's extra with what the portal does."""
    value = trial.anonymous_value
    other = _effect(trial, 3 - value).removesuffix(" who voted")
    return f"{_effect(trial, value)}; the other number {other} it"


@probe(
    "anonymity.answer_list",
    "The voters of an answer (getAnswerVoted) with ANONYMITY 2",
    "nobody",
    depends="anonymous=True",
    otherwise=_GUARD,
    writes=True,
)
def answer_list(trial: Trial) -> str:
    """List the voters of the answer that was chosen."""
    poll = _voted(trial, 2)
    params = entity(poll["entityId"], answerId=poll["answer"])
    answer = trial.ask("vote.AttachedVote.getAnswerVoted", params)
    result = as_object(answer.result)
    if "items" not in result:
        return str(answer)
    return "somebody" if as_items(result["items"]) else "nobody"


@probe(
    "anonymity.read_back",
    "ANONYMITY as a poll shows it",
    "as it was sent",
    depends="Poll.anonymous, and the check of an anonymous poll after it is sent",
    otherwise="An anonymous poll that comes back with another number is deleted at once, or else stopped.",
    writes=True,
)
def read_back(trial: Trial) -> str:
    """Compare what polls show with what they were sent with."""
    shown = {number: trial.attach(_voted(trial, number)["entityId"]).get("ANONYMITY") for number in (2, 1)}
    changed = [f"{sent} as {positive_number(read) or 0}" for sent, read in shown.items() if read != sent]
    return ", ".join(changed) or "as it was sent"


def _effect(trial: Trial, number: int | None) -> str:
    poll = _voted(trial, number)
    answer = trial.ask("vote.AttachedVote.getWithVoted", entity(poll["entityId"], pageSize=50))
    result = as_object(answer.result)
    if positive_number(as_object(result.get("attach")).get("COUNTER")) is None:
        raise CouldNotTellError("the vote was not counted")
    # PHP may write the rows as a list.
    voted = result.get("voted")
    people = [
        as_object(person).get("ID")
        for row in (voted.values() if isinstance(voted, dict) else as_items(voted))
        for person in as_items(row)
    ]
    return _SHOWN if people else _HIDDEN


def _voted(trial: Trial, number: int | None) -> dict[str, Any]:
    """Return a poll with this ANONYMITY in which the connection's user has voted."""
    poll: dict[str, Any] = trial.once(f"voted poll {number}", lambda: _vote(trial, number))
    return poll


def _vote(trial: Trial, number: int | None) -> dict[str, Any]:
    fields = {} if number is None else {"ANONYMITY": number}
    sent = trial.send(f"anonymity {'omitted' if number is None else number}", **fields)
    cast = trial.vote(sent.message_id, 0)
    own = as_object(cast.row("attach").get("userAnswerMap"))
    if not own:
        raise CouldNotTellError(f"a vote could not be cast: {cast}")
    return {"entityId": sent.message_id, "answer": next(iter(as_object(next(iter(own.values())))))}

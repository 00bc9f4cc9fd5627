"""How ballots are counted, refused and recalled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.conformance.answers import kind_of
from airflow_provider_b24.conformance.probe import probe
from airflow_provider_b24.conformance.trial import VOTE, chosen_in, counters_in, entity, ids_in
from airflow_provider_b24.conformance.unanswered import CouldNotTellError

if TYPE_CHECKING:
    from airflow_provider_b24.conformance.trial import Trial

_RECALL = "vote.AttachedVote.recall"
_READ_AGAIN = "[] and a refusal are the same: the poll is read, and its state says which error it is."
_CHECKED = "Nothing changes: ballots are checked against a fresh read before they are sent."


@probe(
    "vote.unknown_answer",
    "A ballot with an answer that does not exist",
    "200 []",
    depends="Bitrix24BallotRejectedError",
    otherwise=_READ_AGAIN,
    writes=True,
)
def unknown_answer(trial: Trial) -> str:
    """Vote for an answer that the poll does not have."""
    return str(trial.vote(trial.plain_poll().message_id))


@probe(
    "vote.empty",
    "An empty ballot",
    "200 []",
    depends="Bitrix24BallotRejectedError",
    otherwise=_READ_AGAIN,
    writes=True,
)
def empty(trial: Trial) -> str:
    """Vote for nothing."""
    return str(trial.ask(VOTE, entity(trial.plain_poll().message_id, ballot={})))


@probe(
    "vote.no_ballot",
    "A vote without a ballot",
    "400 100",
    depends="Bitrix24ArgumentError",
    otherwise="Nothing changes: the provider sends one always.",
    writes=True,
)
def no_ballot(trial: Trial) -> str:
    """Vote without a ballot."""
    return str(trial.ask(VOTE, entity(trial.plain_poll().message_id)))


@probe(
    "vote.radio",
    "Two answers where one may be chosen",
    "the first counts",
    depends="ballots that the portal would change are refused before they are sent",
    otherwise=_CHECKED,
    writes=True,
)
def radio(trial: Trial) -> str:
    """Vote for two answers of a single-choice poll."""
    poll = trial.send("one answer may be chosen", ANONYMITY=1).message_id
    answer = trial.vote(poll, 1, 0)
    chosen = chosen_in(answer.row("attach"))
    if len(chosen) != 1:
        return "both count" if chosen else str(answer)
    _, answers = ids_in(trial.attach(poll))
    return "the first counts" if chosen == [answers[1]] else "another counts"


@probe(
    "vote.counters",
    "Counters in the reply to a vote",
    "a number for the answer, text for the other",
    depends="nothing: numbers and digits are both read",
    otherwise="Nothing changes.",
    writes=True,
)
def counters(trial: Trial) -> str:
    """Look at the types of the counters in the reply to a vote."""
    touched, other = map(kind_of, counters_in(_final_vote(trial)[1]))
    return f"{touched} for the answer, {other} for the other"


@probe(
    "vote.twice",
    "A second vote where votes are final",
    "200 []",
    depends="Bitrix24AlreadyVotedError",
    otherwise=_READ_AGAIN,
    writes=True,
)
def twice(trial: Trial) -> str:
    """Vote again."""
    return str(trial.vote(_voted(trial), 1))


@probe(
    "vote.recall_final",
    "A recall where votes are final",
    "200 []",
    depends="Bitrix24RecallNotAllowedError",
    otherwise=_READ_AGAIN,
    writes=True,
)
def recall_final(trial: Trial) -> str:
    """Recall a vote that is final."""
    return str(trial.ask(_RECALL, entity(_voted(trial))))


@probe(
    "vote.recall_none",
    "A recall without a vote",
    "200, a result",
    depends="a recall may be repeated after a lost reply",
    otherwise="The poll is read: without a vote of the user, a repeated recall counts as done.",
    writes=True,
)
def recall_none(trial: Trial) -> str:
    """Recall in a poll in which the caller has not voted."""
    return str(trial.ask(_RECALL, entity(trial.plain_poll().message_id)))


@probe(
    "vote.change",
    "Another vote where votes may change",
    "replaces the first",
    depends="allow_revote=True",
    otherwise="The reply to the vote is read, and the provider returns what the poll shows.",
    writes=True,
)
def change(trial: Trial) -> str:
    """Vote again in a poll that lets votes change."""
    poll = _changeable(trial)
    answer = trial.vote(poll, 1)
    _, answers = ids_in(trial.attach(poll))
    return "replaces the first" if chosen_in(answer.row("attach")) == [answers[1]] else str(answer)


@probe(
    "vote.broken_change",
    "A broken ballot where votes may change",
    "erases the first",
    depends="a vote is not retried unless its ballot was checked",
    otherwise=_CHECKED,
    writes=True,
)
def broken_change(trial: Trial) -> str:
    """Change a vote to an answer that the poll does not have."""
    poll = _changeable(trial)
    trial.vote(poll)
    return "leaves the first" if chosen_in(trial.attach(poll)) else "erases the first"


def _voted(trial: Trial) -> int:
    """Return a poll in which the connection's user has cast a final vote."""
    return _final_vote(trial)[0]


def _final_vote(trial: Trial) -> tuple[int, dict[str, Any]]:
    vote: tuple[int, dict[str, Any]] = trial.once("final vote", lambda: _with_vote(trial, "a final vote"))
    return vote


def _changeable(trial: Trial) -> int:
    """Return a poll in which the connection's user has cast a vote that may change."""
    return _with_vote(trial, "a vote that may change", OPTIONS=1)[0]


def _with_vote(trial: Trial, subject: str, **changes: int) -> tuple[int, dict[str, Any]]:
    """Return a poll in which the connection's user has voted, and what the reply to the vote showed."""
    poll = trial.send(subject, ANONYMITY=1, **changes).message_id
    answer = trial.vote(poll, 0)
    if not answer.row("attach"):
        raise CouldNotTellError(f"a vote could not be cast: {answer}")
    return poll, answer.row("attach")

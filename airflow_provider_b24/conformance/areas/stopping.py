"""What stopping and resuming a poll does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_b24.conformance.answers import as_object
from airflow_provider_b24.conformance.probe import probe
from airflow_provider_b24.conformance.trial import VOTE, entity, ids_in
from airflow_provider_b24.conformance.unanswered import CouldNotTellError

if TYPE_CHECKING:
    from airflow_provider_b24.conformance.trial import Sent, Trial

_STOP, _RESUME = "vote.AttachedVote.stop", "vote.AttachedVote.resume"
#: A portal counts in seconds.
_NEXT_SECOND = 1.1
#: How long the standard plan's limit needs to let four calls through at once.
_RECOVERY = 2.0
_TRIES = 3
_READ_BACK = "The poll is read after it: what it shows decides."


@probe(
    "stop.same_second",
    "A vote in the second of the stop",
    "counts",
    depends="results are read after the stop, so that such a vote is in them",
    otherwise="Nothing changes.",
    writes=True,
)
def same_second(trial: Trial) -> str:
    """Stop and vote within one second of the portal's clock; a few tries, because time passes."""
    poll = _poll(trial)
    question, answers = ids_in(trial.attach(poll))
    ballot = entity(poll, ballot={question: answers[:1]})
    for _ in range(_TRIES):
        moment = trial.ask(_RESUME, entity(poll)).finished
        # The calls of a second must not wait for the request limit.
        trial.sleep(_RECOVERY + 1 - moment % 1)
        stopped, cast = trial.ask(_STOP, entity(poll)), trial.ask(VOTE, ballot)
        # A refused vote does not say when it was.
        after = trial.ask(_RESUME, entity(poll))
        if stopped.problem is None and int(stopped.started) == int(after.started):
            return "counts" if cast.row("attach") else "does not count"
    raise CouldNotTellError("the portal answers too slowly for two calls in one second")


@probe("stop.result", "A stop", "200 []", depends="[] is a success here", otherwise=_READ_BACK, writes=True)
def result(trial: Trial) -> str:
    """Stop a poll."""
    return str(trial.ask(_STOP, entity(_poll(trial))))


@probe(
    "stop.twice",
    "A second stop",
    "200 []",
    depends="a stop may be repeated after a lost reply",
    otherwise="A refusal is raised; a task that stops twice (a retry) would fail.",
    writes=True,
)
def twice(trial: Trial) -> str:
    """Stop a stopped poll."""
    _stop(trial)
    return str(trial.ask(_STOP, entity(_poll(trial))))


@probe(
    "stop.finished",
    "isFinished right after a stop",
    "true",
    depends="stopping ends with a poll that shows it",
    otherwise="The poll is read again after a second; then Bitrix24ServerError.",
    writes=True,
)
def finished(trial: Trial) -> str:
    """Stop a poll and read it."""
    _stop(trial)
    return _flag(trial)


@probe(
    "stop.vote",
    "A vote in a stopped poll",
    "400 510",
    depends="Bitrix24PollFinishedError",
    otherwise="510 and 403, with any status, and [] give the same error: the poll is read.",
    writes=True,
)
def vote(trial: Trial) -> str:
    """Vote in a stopped poll."""
    _stop(trial)
    trial.sleep(_NEXT_SECOND)
    return str(trial.vote(_poll(trial), 0))


@probe(
    "stop.recall",
    "A recall in a stopped poll",
    "200 []",
    depends="Bitrix24PollFinishedError",
    otherwise="Older portals recall; the vote is then gone, as asked.",
    writes=True,
)
def recall(trial: Trial) -> str:
    """Recall in a stopped poll."""
    _stop(trial)
    trial.sleep(_NEXT_SECOND)
    return str(trial.ask("vote.AttachedVote.recall", entity(_poll(trial))))


@probe(
    "stop.resume",
    "isFinished right after a resume",
    "false",
    depends="hook.polls.resume",
    otherwise="The poll is read again after a second; then Bitrix24ServerError.",
    writes=True,
)
def resume(trial: Trial) -> str:
    """Stop a poll, resume it and read it."""
    _stop(trial)
    answer = trial.ask(_RESUME, entity(_poll(trial)))
    return _flag(trial) if answer.problem is None else str(answer)


def _poll(trial: Trial) -> int:
    """Return the one poll that is stopped: Bitrix24 posts a notice for each."""
    poll: Sent = trial.once("stopped poll", lambda: trial.send("stopping", ANONYMITY=1, OPTIONS=1))
    return poll.message_id


def _stop(trial: Trial) -> None:
    answer = trial.ask(_STOP, entity(_poll(trial)))
    if answer.problem is not None:
        raise CouldNotTellError(f"a poll could not be stopped: {answer}")


def _flag(trial: Trial) -> str:
    return "true" if as_object(trial.attach(_poll(trial))).get("isFinished") is True else "false"

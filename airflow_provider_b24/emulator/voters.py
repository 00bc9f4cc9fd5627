"""Users who vote by themselves, for demos and tests."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from airflow_provider_b24.emulator.state import ballots
from airflow_provider_b24.emulator.state.polls import RADIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_b24.emulator.state.polls import Poll, Question
    from airflow_provider_b24.emulator.state.portal import Portal

# The portal's first user is the account that DAGs act as; it asks and does not answer.
SERVICE_ACCOUNT = 1


@dataclass(frozen=True, slots=True)
class ScriptedBallot:
    """Who votes next, in which poll, and for what."""

    poll: Poll
    user_id: int
    answers: dict[str, list[str]]


def next_ballot(
    polls: Iterable[Poll], voters: Sequence[int], *, now: float, chance: Random
) -> ScriptedBallot | None:
    """Return the next ballot, or None if every voter has voted in every open poll.

    Polls come one after the other; within a poll the next voter and the answers are random.
    """
    for poll in polls:
        waiting = [user_id for user_id in voters if user_id not in poll.events]
        if waiting and not poll.is_finished(now):
            questions = poll.questions.values()
            answers = {str(question.id): _choose(question, chance) for question in questions}
            return ScriptedBallot(poll, chance.choice(waiting), answers)
    return None


def _choose(question: Question, chance: Random) -> list[str]:
    options = list(question.answers)
    size = 1 if question.field_type == RADIO else chance.randint(1, len(options))
    return [str(answer_id) for answer_id in sorted(chance.sample(options, size))]


class Voters:
    """Users who vote in the open polls, one after the other.

    They are the first colleagues in the portal; missing ones are added.

    :param portal: the portal of an emulator: ``Emulator().portal``.
    :param count: how many users vote.
    :param every: seconds between two votes.
    :param seed: makes the votes the same each time.
    :param stop_when_all_voted: stop a poll when all of them have voted in it.
    :raises ValueError: the count is below 0, or the time between two votes is not above 0.
    """

    def __init__(
        self,
        portal: Portal,
        *,
        count: int,
        every: float,
        seed: int = 0,
        stop_when_all_voted: bool = False,
    ) -> None:
        if count < 0 or every <= 0:
            raise ValueError("Voters need a count of 0 or more and a time above 0 between two votes.")
        self._portal = portal
        self._every = every
        self._chance = Random(seed)
        self._stops_polls = stop_when_all_voted
        self._stopped: set[int] = set()
        self._leave = threading.Event()
        self._thread: threading.Thread | None = None
        self.user_ids = self._find_or_make(count)

    def start(self) -> None:
        """Start to vote in a thread; without voters none is started.

        :raises RuntimeError: they vote already.
        """
        if self._thread is not None:
            raise RuntimeError("These voters have started already.")
        if not self.user_ids:
            return
        self._leave.clear()
        self._thread = threading.Thread(target=self._work, name="bitrix24-voters", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop voting; return when the thread has ended."""
        self._leave.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def step(self) -> bool:
        """Do the next thing, a vote or the stop of a poll; False if there is nothing to do."""
        with self._portal.lock:
            return (self._stops_polls and self._stop_one()) or self._vote_once()

    def _work(self) -> None:
        while not self._leave.wait(self._every):
            self.step()

    def _vote_once(self) -> bool:
        now = self._portal.clock()
        ballot = next_ballot(self._portal.polls, self.user_ids, now=now, chance=self._chance)
        if ballot is None:
            return False
        self._join(ballot.poll, ballot.user_id)
        ballots.cast(self._portal, ballot.poll, user_id=ballot.user_id, ballot=ballot.answers)
        return True

    def _stop_one(self) -> bool:
        """Stop a poll in which all have voted; once, so that a user can resume it."""
        now = self._portal.clock()
        for poll in self._portal.polls:
            done = poll.attach_id in self._stopped or poll.is_finished(now)
            if self.user_ids and not done and all(user_id in poll.events for user_id in self.user_ids):
                self._stopped.add(poll.attach_id)
                self._portal.polls.stop(poll)
                return True
        return False

    def _find_or_make(self, count: int) -> list[int]:
        with self._portal.lock:
            staff = self._portal.people.employees()
            found = [user.id for user in staff if user.id != SERVICE_ACCOUNT][:count]
            made = (self._portal.people.add(f"Voter {number}") for number in range(len(found) + 1, count + 1))
            return found + [user.id for user in made]

    def _join(self, poll: Poll, user_id: int) -> None:
        chat = None if poll.chat_id is None else self._portal.chats.get(poll.chat_id)
        if chat is not None and user_id not in chat.members:
            chat.members.append(user_id)

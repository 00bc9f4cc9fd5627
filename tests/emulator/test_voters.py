"""People who vote by script."""

from __future__ import annotations

import threading
import time
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.emulator.voters import Voters, next_ballot

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from .conftest import Caller, Clock


def votes(portal: Emulator, message_id: int) -> dict[int, list[int]]:
    poll = portal.poll(message_id)
    return {user: [choice.answer_id for choice in choices] for user, choices in poll.events.items()}


def exhaust(voters: Voters) -> int:
    steps = 0
    while voters.step():
        steps += 1
    return steps


def test_each_voter_votes_once_in_each_poll(caller: Caller, portal: Emulator) -> None:
    polls = [caller.send(text)["messageId"] for text in ("One?", "Two?")]
    voters = Voters(portal.portal, count=3, every=1)
    assert exhaust(voters) == 6
    assert [sorted(votes(portal, message)) for message in polls] == [[2, 3, 4], [2, 3, 4]]


def test_voters_finish_one_poll_before_they_vote_in_the_next(caller: Caller, portal: Emulator) -> None:
    first, second = (caller.send(text)["messageId"] for text in ("One?", "Two?"))
    voters = Voters(portal.portal, count=2, every=1)
    voters.step()
    voters.step()
    assert (len(votes(portal, first)), len(votes(portal, second))) == (2, 0)


def test_the_same_seed_gives_the_same_ballots(caller: Caller, portal: Emulator) -> None:
    message = caller.send(answers=("A", "B", "C", "D"), field_type=1)["messageId"]
    seen = []
    for seed in (7, 7, 8):
        polls, clock = list(portal.portal.polls), portal.portal.clock
        chance = Random(seed)
        ballots = [next_ballot(polls, range(2, 40), now=clock(), chance=chance) for _ in range(20)]
        seen.append([(ballot.user_id, ballot.answers) for ballot in ballots if ballot])
    assert seen[0] == seen[1] != seen[2]
    assert votes(portal, message) == {}


def test_a_radio_gets_one_answer_and_a_checkbox_any_number(caller: Caller, portal: Emulator) -> None:
    caller.send(answers=("A", "B", "C"))
    [radio] = portal.polls()
    caller.send(answers=("A", "B", "C"), field_type=1)
    checkbox = portal.polls()[1]
    sizes = [{_size(poll, seed) for seed in range(40)} for poll in (radio, checkbox)]
    assert sizes == [{1}, {1, 2, 3}]


def _size(poll: Any, seed: int) -> int:
    ballot = next_ballot([poll], [2], now=0, chance=Random(seed))
    assert ballot is not None
    [answers] = ballot.answers.values()
    assert set(map(int, answers)) <= set(next(iter(poll.questions.values())).answers)
    return len(answers)


def test_voters_skip_stopped_polls_and_polls_in_which_they_have_voted(
    caller: Caller, portal: Emulator
) -> None:
    stopped, voted = (caller.send(text)["messageId"] for text in ("One?", "Two?"))
    portal.stop_poll(stopped)
    portal.vote(voted, user_id=2, answers=["No"])
    before = votes(portal, voted)
    assert exhaust(Voters(portal.portal, count=1, every=1)) == 0
    assert votes(portal, stopped) == {}
    assert votes(portal, voted) == before


def test_missing_voters_are_added_and_join_the_chat(caller: Caller, portal: Emulator) -> None:
    chat = portal.add_chat("Releases", members=[1])
    message = caller.send(chat_id=chat)["messageId"]
    voters = Voters(portal.portal, count=8, every=1)
    assert exhaust(voters) == 8
    assert set(votes(portal, message)) == set(voters.user_ids)
    assert set(portal.chat(chat).members) == {1, *voters.user_ids}
    assert 1 not in voters.user_ids


def test_stop_when_all_voted_stops_a_poll_in_which_all_have_voted(caller: Caller, portal: Emulator) -> None:
    message = caller.send()["messageId"]
    exhaust(Voters(portal.portal, count=2, every=1))
    assert caller.attach(message)["isFinished"] is False
    exhaust(Voters(portal.portal, count=2, every=1, stop_when_all_voted=True))
    assert caller.attach(message)["isFinished"] is True


def test_a_stopped_poll_that_a_user_resumes_stays_open(
    caller: Caller, portal: Emulator, clock: Clock
) -> None:
    message = caller.send()["messageId"]
    voters = Voters(portal.portal, count=1, every=1, stop_when_all_voted=True)
    exhaust(voters)
    clock.pass_by(60)
    portal.resume_poll(message)
    assert exhaust(voters) == 0
    assert caller.attach(message)["isFinished"] is False


def test_the_thread_votes_and_stop_ends_it_at_once(caller: Caller, portal: Emulator) -> None:
    message = caller.send()["messageId"]
    voters = Voters(portal.portal, count=2, every=0.01)
    voters.start()
    with pytest.raises(RuntimeError, match="started already"):
        voters.start()
    deadline = time.monotonic() + 60
    while len(votes(portal, message)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    voters.stop()
    assert len(votes(portal, message)) == 2
    slow = Voters(portal.portal, count=1, every=3600)
    slow.start()
    slow.stop()  # A thread that slept through its interval would hang here for an hour.
    assert "bitrix24-voters" not in [thread.name for thread in threading.enumerate()]


def test_voters_with_a_count_of_zero_start_and_stop_without_a_vote(caller: Caller, portal: Emulator) -> None:
    message = caller.send()["messageId"]
    voters = Voters(portal.portal, count=0, every=1, stop_when_all_voted=True)
    voters.start()
    assert exhaust(voters) == 0
    voters.stop()
    assert caller.attach(message)["isFinished"] is False


@pytest.mark.parametrize(("count", "every"), [(-1, 1.0), (1, 0.0), (1, -2.0)])
def test_a_negative_count_or_a_time_of_zero_is_refused(portal: Emulator, count: int, every: float) -> None:
    with pytest.raises(ValueError, match="Voters need"):
        Voters(portal.portal, count=count, every=every)

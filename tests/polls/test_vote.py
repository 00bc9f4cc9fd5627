"""A vote is cast as it was meant, or refused before it can do harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AccessDeniedError,
    Bitrix24AlreadyVotedError,
    Bitrix24BallotRejectedError,
    Bitrix24NoAnswerError,
    Bitrix24PollFinishedError,
    Bitrix24PollNotFoundError,
    Bitrix24RecallNotAllowedError,
    Bitrix24ValidationError,
    Outcome,
)
from airflow_provider_b24.polls.api import PollsApi
from tests.support.clients import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.polls.poll import Poll

VOTE = "vote.AttachedVote.vote"
RECALL = "vote.AttachedVote.recall"
GET = "vote.AttachedVote.get"
LOSSES = ["drop_after", "status_502", "status_504", "html", "empty", "truncated"]


@pytest.fixture(params=[False, True], ids=["errors as in the source", "errors as documented"])
def either_portal(request: pytest.FixtureRequest, portal: Emulator) -> Emulator:
    """The portal, once as its source says and once as its documentation says."""
    portal.quirks.documented_errors = request.param
    return portal


def votes(poll: Poll) -> dict[str, int]:
    return {answer.text: answer.votes for question in poll.questions for answer in question.answers}


def lose(portal: Emulator, method: str, kind: str, **options: Any) -> None:
    """Let the portal do what is asked and lose the reply."""
    details = {} if kind == "drop_after" else {"executed": True}
    portal.faults.add(kind, method=method, **details, **options)


def test_a_first_vote_counts(portal: Emulator, polls: PollsApi, ask: Callable[..., int]) -> None:
    message = ask()
    poll = polls.vote(message, answers=["Yes"])
    assert votes(poll) == {"Yes": 1, "No": 0} == votes(polls.get(message))
    assert (poll.voters, poll.is_voted, poll.can_vote) == (1, True, False)
    assert poll.message_id == message
    assert portal.requests.count(VOTE) == 1


@pytest.mark.parametrize("name", ["text", "id", "id as text", "a bare text", "a tuple", "a set", "padded"])
def test_an_answer_is_named_by_text_or_id(polls: PollsApi, ask: Callable[..., int], name: str) -> None:
    message = ask()
    yes = polls.get(message).questions[0].answers[0].id
    forms: dict[str, Any] = {
        "text": ["Yes"],
        "id": [yes],
        "id as text": [str(yes)],
        "a bare text": "Yes",
        "a tuple": ("Yes",),
        "a set": {"Yes"},
        "padded": [" Yes "],
    }
    assert votes(polls.vote(message, answers=forms[name])) == {"Yes": 1, "No": 0}


def test_an_answer_that_looks_like_an_id_is_a_text_first(polls: PollsApi, ask: Callable[..., int]) -> None:
    decoy = ask()
    # Ids grow one by one: this is the id that the second answer will have.
    coming = polls.get(decoy).questions[0].answers[-1].id + 2
    message = ask("Which?", (str(coming), "other"))
    assert polls.get(message).questions[0].answers[1].id == coming
    assert votes(polls.vote(message, answers=[str(coming)])) == {str(coming): 1, "other": 0}


def test_several_answers_count_on_a_multiple_choice(polls: PollsApi, ask: Callable[..., int]) -> None:
    message = ask("Lunch?", ("Soup", "Pie", "Tea"), multiple_choice=True)
    poll = polls.vote(message, answers=["Tea", "Soup"])
    assert votes(poll) == {"Soup": 1, "Pie": 0, "Tea": 1}
    assert poll.voters == 1


# Voted already


def test_a_second_vote_is_refused_before_it_is_sent(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    polls.vote(message, answers=["Yes"])
    for answers in (["No"], ["Yes"]):
        with pytest.raises(Bitrix24AlreadyVotedError) as caught:
            polls.vote(message, answers=answers)
    assert caught.value.outcome is Outcome.REFUSED
    assert "allow_revote=True" in str(caught.value)
    assert portal.requests.count(VOTE) == 1
    assert votes(polls.get(message)) == {"Yes": 1, "No": 0}


def test_a_vote_may_change_where_the_poll_allows_it(polls: PollsApi, ask: Callable[..., int]) -> None:
    message = ask(allow_revote=True)
    polls.vote(message, answers=["Yes"])
    assert votes(polls.vote(message, answers=["No"])) == {"Yes": 0, "No": 1}


@pytest.mark.parametrize("answers", [["Maybe"], [], ["Yes", "No"], None, {"Deploy?": "Maybe"}, [77]])
def test_a_broken_ballot_never_erases_the_earlier_vote(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int], answers: Any
) -> None:
    message = ask(allow_revote=True)
    polls.vote(message, answers=["Yes"])
    with pytest.raises(Bitrix24ValidationError):
        polls.vote(message, answers=answers)
    assert portal.requests.count(VOTE) == 1
    assert votes(polls.get(message)) == {"Yes": 1, "No": 0}


def test_two_answers_to_a_single_choice_are_refused_and_not_cut_down(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    with pytest.raises(Bitrix24ValidationError, match="one answer only"):
        polls.vote(ask(), answers=["Yes", "No"])
    assert portal.requests.count(VOTE) == 0


# A lost reply


@pytest.mark.parametrize("allow_revote", [False, True])
@pytest.mark.parametrize("kind", LOSSES)
def test_a_vote_whose_reply_is_lost_is_cast_once(
    either_portal: Emulator, polls: PollsApi, ask: Callable[..., int], kind: str, allow_revote: bool
) -> None:
    message = ask(allow_revote=allow_revote)
    lose(either_portal, VOTE, kind)
    poll = polls.vote(message, answers=["Yes"])
    assert votes(poll) == {"Yes": 1, "No": 0}
    assert (poll.voters, poll.is_voted) == (1, True)
    assert either_portal.requests.count(VOTE) == 2


@pytest.mark.parametrize("kind", ["drop_before", "status_502", "status_503_limit"])
def test_a_vote_that_did_not_arrive_is_sent_again(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int], kind: str
) -> None:
    message = ask()
    portal.faults.add(kind, method=VOTE, times=2)
    assert votes(polls.vote(message, answers=["Yes"])) == {"Yes": 1, "No": 0}


def test_a_lost_vote_in_a_poll_that_is_stopped_meanwhile_counts_as_cast(
    either_portal: Emulator, ask: Callable[..., int]
) -> None:
    message = ask()
    lose(either_portal, VOTE, "drop_after")
    now = either_portal.portal.clock()
    client = client_of(either_portal)

    def stopped_meanwhile(_: float) -> None:
        either_portal.stop_poll(message)
        either_portal.portal.clock = lambda: now + 60

    client._caller._sleep = stopped_meanwhile
    poll = PollsApi(client).vote(message, answers=["Yes"])
    assert (votes(poll), poll.is_finished) == ({"Yes": 1, "No": 0}, True)


def test_a_vote_from_another_time_does_not_count_as_cast_now(
    either_portal: Emulator, ask: Callable[..., int]
) -> None:
    message = ask()
    either_portal.faults.add("drop_before", method=VOTE)
    client = client_of(either_portal)
    client._caller._sleep = lambda _: either_portal.vote(message, user_id=1, answers=["No"])
    with pytest.raises(Bitrix24AlreadyVotedError):
        PollsApi(client).vote(message, answers=["Yes"])
    assert votes(PollsApi(client).get(message)) == {"Yes": 0, "No": 1}


def test_a_retried_task_finds_its_own_vote(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    lose(portal, VOTE, "drop_after", times=4)
    with pytest.raises(Bitrix24NoAnswerError):
        polls.vote(message, answers=["Yes"])
    before = portal.requests.count(VOTE)
    poll = polls.vote(message, answers=["Yes"], may_have_voted=True)
    assert (votes(poll), portal.requests.count(VOTE)) == ({"Yes": 1, "No": 0}, before)


def test_a_retried_task_does_not_take_another_vote_for_its_own(
    polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask("Lunch?", ("Soup", "Pie"), multiple_choice=True)
    polls.vote(message, answers=["Soup"])
    for answers in (["Pie"], ["Soup", "Pie"]):
        with pytest.raises(Bitrix24AlreadyVotedError):
            polls.vote(message, answers=answers, may_have_voted=True)


def test_a_retried_task_finds_its_own_vote_in_a_stopped_poll(
    polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    polls.vote(message, answers=["Yes"])
    polls.stop(message)
    assert polls.vote(message, answers=["Yes"], may_have_voted=True).is_finished


# Between the read and the vote


def meanwhile(portal: Emulator, happens: Callable[[], object]) -> PollsApi:
    """Polls of a client before whose vote something happens."""
    client = client_of(portal)
    ask = client.request

    def ask_later(method: str, *args: Any, **kwargs: Any) -> Any:
        if method in {VOTE, RECALL}:
            happens()
        return ask(method, *args, **kwargs)

    client.request = ask_later  # type: ignore[method-assign]
    return PollsApi(client)


def stop_and_wait(portal: Emulator, message: int) -> None:
    now = portal.portal.clock()
    portal.stop_poll(message)
    portal.portal.clock = lambda: now + 60


def test_a_poll_that_is_stopped_between_read_and_vote_takes_no_vote(
    either_portal: Emulator, ask: Callable[..., int]
) -> None:
    message = ask()
    polls = meanwhile(either_portal, lambda: stop_and_wait(either_portal, message))
    with pytest.raises(Bitrix24PollFinishedError):
        polls.vote(message, answers=["Yes"])


@pytest.mark.parametrize("answer", ["Yes", "No"])
def test_a_vote_is_refused_when_another_is_cast_between_read_and_vote(
    either_portal: Emulator, ask: Callable[..., int], answer: str
) -> None:
    message = ask()
    polls = meanwhile(either_portal, lambda: either_portal.vote(message, user_id=1, answers=[answer]))
    with pytest.raises(Bitrix24AlreadyVotedError):
        polls.vote(message, answers=["Yes"])


def test_a_ballot_of_which_the_portal_takes_no_answer_is_rejected(
    either_portal: Emulator, ask: Callable[..., int]
) -> None:
    message = ask()
    poll = either_portal.poll(message)
    (question,) = poll.questions.values()

    def answers_are_replaced() -> None:
        for answer in list(question.answers.values()):
            del question.answers[answer.id]
            answer.id += 1000
            question.answers[answer.id] = answer
        poll.version += 1

    with pytest.raises(Bitrix24BallotRejectedError):
        meanwhile(either_portal, answers_are_replaced).vote(message, answers=["Yes"])


def test_a_user_who_is_removed_between_read_and_vote_is_denied(
    either_portal: Emulator, chat: int, ask: Callable[..., int]
) -> None:
    message = ask()
    polls = meanwhile(either_portal, lambda: either_portal.chat(chat).members.remove(1))
    with pytest.raises(Bitrix24AccessDeniedError):
        polls.vote(message, answers=["Yes"])


# Stopped, missing, hidden


def test_a_stopped_poll_takes_no_vote(
    either_portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    either_portal.stop_poll(message)
    with pytest.raises(Bitrix24PollFinishedError, match="Resume the poll"):
        polls.vote(message, answers=["Yes"])
    assert either_portal.requests.count(VOTE) == 0


def test_a_vote_in_a_missing_poll_is_not_found(polls: PollsApi) -> None:
    with pytest.raises(Bitrix24PollNotFoundError) as caught:
        polls.vote(999_999, answers=["Yes"])
    assert caught.value.code == "ATTACH_NOT_FOUND"


def test_a_vote_in_a_chat_of_others_is_denied(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    portal.chat(portal.poll(message).chat_id or 0).members.remove(1)
    with pytest.raises(Bitrix24AccessDeniedError) as caught:
        polls.vote(message, answers=["Yes"])
    assert caught.value.code == "ATTACH_READ_ACCESS_DENIED"


# Anonymous polls and polls in the feed


def test_a_vote_in_an_anonymous_poll_counts_and_is_one_s_own(
    polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask(anonymous=True, allow_revote=True)
    poll = polls.vote(message, answers=["Yes"])
    assert (poll.anonymous, poll.is_voted, votes(poll)) == (True, True, {"Yes": 1, "No": 0})
    assert polls.voters(message) == {answer.id: [] for answer in poll.questions[0].answers}
    assert polls.vote(message, answers=["Yes"], may_have_voted=True).voters == 1


def test_a_feed_post_is_voted_in_question_by_question(portal: Emulator, polls: PollsApi) -> None:
    post = portal.add_feed_post({"Lunch?": ["Soup", "Pie"], "Drink?": ["Tea", "Water"]}, options=1)
    poll = polls.vote({"post_id": post}, answers={"Lunch?": "Pie", "Drink?": ["Tea"]})
    assert votes(poll) == {"Soup": 0, "Pie": 1, "Tea": 1, "Water": 0}
    drink = poll.questions[1].id
    again = polls.vote({"post_id": post}, answers={str(drink): "Water", poll.questions[0].id: "Soup"})
    assert votes(again) == {"Soup": 1, "Pie": 0, "Tea": 0, "Water": 1}
    assert (again.voters, again.message_id) == (1, None)


def test_a_feed_post_with_one_question_needs_no_mapping(portal: Emulator, polls: PollsApi) -> None:
    post = portal.add_feed_post({"Lunch?": ["Soup", "Pie"]})
    assert votes(polls.vote({"post_id": post}, answers="Pie")) == {"Soup": 0, "Pie": 1}


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("suffix", [False, True])
def test_the_portal_s_language_does_not_change_the_errors(
    either_portal: Emulator, ask: Callable[..., int], language: str, suffix: bool
) -> None:
    message = ask()
    either_portal.quirks.language, either_portal.quirks.internal_error_suffix = language, suffix
    polls = meanwhile(either_portal, lambda: either_portal.vote(message, user_id=1, answers=["No"]))
    with pytest.raises(Bitrix24AlreadyVotedError):
        polls.vote(message, answers=["Yes"])


# Recall


def test_a_vote_is_recalled_where_votes_may_change(polls: PollsApi, ask: Callable[..., int]) -> None:
    message = ask(allow_revote=True)
    polls.vote(message, answers=["Yes"])
    poll = polls.recall(message)
    assert (votes(poll), poll.voters, poll.is_voted) == ({"Yes": 0, "No": 0}, 0, False)
    assert polls.recall(message) == poll


def test_a_vote_is_not_recalled_where_votes_may_not_change(
    either_portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    polls.vote(message, answers=["Yes"])
    with pytest.raises(Bitrix24RecallNotAllowedError, match="allow_revote=True"):
        polls.recall(message)
    assert votes(polls.get(message)) == {"Yes": 1, "No": 0}


def test_a_vote_in_a_stopped_poll_is_not_recalled(
    either_portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask(allow_revote=True)
    polls.vote(message, answers=["Yes"])
    stop_and_wait(either_portal, message)
    with pytest.raises(Bitrix24PollFinishedError):
        polls.recall(message)


@pytest.mark.parametrize("kind", LOSSES)
def test_a_recall_whose_reply_is_lost_is_done(
    either_portal: Emulator, polls: PollsApi, ask: Callable[..., int], kind: str
) -> None:
    message = ask(allow_revote=True)
    polls.vote(message, answers=["Yes"])
    lose(either_portal, RECALL, kind)
    assert polls.recall(message).voters == 0


def test_a_lost_recall_in_a_poll_that_is_stopped_meanwhile_is_done(
    either_portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask(allow_revote=True)
    polls.vote(message, answers=["Yes"])
    lose(either_portal, RECALL, "drop_after")
    client = client_of(either_portal)
    client._caller._sleep = lambda _: stop_and_wait(either_portal, message)
    assert PollsApi(client).recall(message).voters == 0


def test_a_recall_in_a_stopped_poll_is_refused_also_after_an_attempt_that_was_not_executed(
    either_portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask(allow_revote=True)
    stop_and_wait(either_portal, message)
    either_portal.faults.add("status_503_limit", method=RECALL)
    with pytest.raises(Bitrix24PollFinishedError):
        polls.recall(message)


def test_a_vote_that_was_cast_elsewhere_is_not_taken_for_an_attempt_that_was_not_executed(
    either_portal: Emulator, ask: Callable[..., int]
) -> None:
    message = ask()
    either_portal.faults.add("status_503_limit", method=VOTE)
    client = client_of(either_portal)
    client._caller._sleep = lambda _: either_portal.vote(message, user_id=1, answers=["Yes"])
    with pytest.raises(Bitrix24AlreadyVotedError):
        PollsApi(client).vote(message, answers=["Yes"])


def test_a_recall_in_a_missing_poll_is_not_found(polls: PollsApi) -> None:
    with pytest.raises(Bitrix24PollNotFoundError):
        polls.recall(999_999)

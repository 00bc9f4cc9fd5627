"""Polls as they are read: one, many, with voters, as a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.emulator.state.texts import TEXTS
from airflow_provider_b24.exceptions import (
    Bitrix24AccessDeniedError,
    Bitrix24Error,
    Bitrix24NoAnswerError,
    Bitrix24OperatingLimitError,
    Bitrix24PollAccessError,
    Bitrix24PollNotFoundError,
)
from airflow_provider_b24.polls.api import PollsApi
from airflow_provider_b24.polls.decision import get_if_decided
from airflow_provider_b24.polls.poll import Poll
from tests.support.clients import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator

GET = "vote.AttachedVote.get"
GET_MANY = "vote.AttachedVote.getMany"
REPORT = "vote.AttachedVote.download"


def delete(portal: Emulator, message: int) -> None:
    found = portal.portal.chats.message(message)
    assert found is not None
    portal.portal.chats.delete(found)


def hide(portal: Emulator, message: int) -> None:
    """Move a poll into a chat that the service account does not see."""
    portal.poll(message).chat_id = portal.add_chat("Board", members=[2])


def signed(portal: Emulator, message: int) -> str:
    return portal.portal.polls.sign(portal.poll(message))


# One


def test_a_poll_is_read_as_python_knows_it(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask("Lunch?", ("Soup", "Pie", "Tea"), multiple_choice=True, allow_revote=True)
    portal.vote(message, user_id=2, answers=["Soup", "Tea"])
    portal.vote(message, user_id=3, answers=["Tea"])
    portal.vote(message, user_id=4, answers=["Tea"])
    poll = portal.poll(message)
    (question,) = poll.questions.values()
    soup, pie, tea = question.answers
    found = polls.get(message).to_dict()
    assert found == {
        "message_id": message,
        "attach_id": poll.attach_id,
        "vote_id": poll.vote_id,
        "voters": 3,
        "questions": [
            {
                "id": question.id,
                "text": "Lunch?",
                "multiple_choice": True,
                "votes": 3,
                "answers": [
                    {"id": soup, "text": "Soup", "votes": 1, "percent": 33.33},
                    {"id": pie, "text": "Pie", "votes": 0, "percent": 0.0},
                    {"id": tea, "text": "Tea", "votes": 3, "percent": 100.0},
                ],
            }
        ],
        "is_finished": False,
        "anonymous": False,
        "allow_revote": True,
        "is_voted": False,
        "can_vote": True,
        "result_url": f"{portal.url}/vote-result/{poll.uid}",
    }
    counts = [found["voters"], found["vote_id"], found["questions"][0]["answers"][0]["votes"]]
    assert [type(number) for number in counts] == [int, int, int]


def test_a_poll_without_revote_says_so(polls: PollsApi, ask: Callable[..., int]) -> None:
    poll = polls.get(ask())
    assert (poll.allow_revote, poll.anonymous, poll.questions[0].multiple_choice) == (False, False, False)


def test_a_poll_can_be_named_in_every_way(
    portal: Emulator, polls: PollsApi, chat: int, ask: Callable[..., int]
) -> None:
    sent = polls.send(chat_id=chat, question="Deploy?", answers=["Yes", "No"])
    message = sent["message_id"]
    poll = portal.poll(message)
    ask("Another?")
    names: list[Any] = [
        message,
        str(message),
        f" {message} ",
        sent,
        str(sent),
        polls.get(message),
        polls.get(message).to_dict(),
        str(polls.get(message).to_dict()),
        {"message_id": str(message)},
        {"attach_id": poll.attach_id},
        {"signed_attach_id": signed(portal, message)},
        {"signed_attach_id": poll.uid},
        polls.get({"attach_id": poll.attach_id}).to_dict(),
    ]
    assert [polls.get(name).attach_id for name in names] == [poll.attach_id] * len(names)


def test_only_a_poll_named_by_its_message_knows_its_message(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    assert polls.get({"attach_id": portal.poll(message).attach_id}).message_id is None
    post = portal.add_feed_post({"Lunch?": ["Soup", "Pie"]})
    assert polls.get({"post_id": post}).message_id is None


def test_a_feed_post_s_dict_names_its_poll_again(portal: Emulator, polls: PollsApi) -> None:
    poll = polls.get({"post_id": portal.add_feed_post({"Lunch?": ["Soup", "Pie"], "Drink?": ["Tea", "No"]})})
    assert polls.get(poll.to_dict()).attach_id == poll.attach_id
    assert [question.text for question in poll.questions] == ["Lunch?", "Drink?"]


def test_a_signed_id_reads_a_poll_in_a_chat_of_others(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    name = {"signed_attach_id": signed(portal, message)}
    hide(portal, message)
    assert polls.get(name).questions[0].text == "Deploy?"
    assert list(polls.voters(name).values()) == [[], []]
    assert b"Deploy?" in polls.report(name)
    for action in (polls.stop, polls.recall, lambda poll: polls.vote(poll, answers="Yes")):
        with pytest.raises(Bitrix24PollAccessError):
            action(name)


def test_a_signed_id_is_in_no_error(portal: Emulator, polls: PollsApi, ask: Callable[..., int]) -> None:
    message = ask()
    name = signed(portal, message)
    delete(portal, message)
    with pytest.raises(Bitrix24PollNotFoundError) as caught:
        polls.get({"signed_attach_id": name})
    assert name not in str(caught.value)
    (found,) = polls.get_many([{"signed_attach_id": name}])
    assert name not in str(found)


@pytest.mark.parametrize("action", ["get", "voters", "report"])
def test_a_deleted_poll_is_not_found(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int], action: str
) -> None:
    message = ask()
    delete(portal, message)
    with pytest.raises(Bitrix24PollNotFoundError):
        getattr(polls, action)(message)


ACTIONS: dict[str, Callable[[PollsApi, int], object]] = {
    "get": lambda polls, message: polls.get(message),
    "get_many": lambda polls, message: _first(polls.get_many([message])),
    "voters": lambda polls, message: polls.voters(message),
    "report": lambda polls, message: polls.report(message),
    "vote": lambda polls, message: polls.vote(message, answers="Yes"),
    "recall": lambda polls, message: polls.recall(message),
    "stop": lambda polls, message: polls.stop(message),
    "resume": lambda polls, message: polls.resume(message),
    "wait": lambda polls, message: get_if_decided(polls, message, "first_vote"),
}


def _first(found: list[Poll | Bitrix24Error]) -> Poll:
    if isinstance(found[0], Bitrix24Error):
        raise found[0]
    return found[0]


@pytest.mark.parametrize("code", ["ATTACH_READ_ACCESS_DENIED", "0", 0])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_hidden_poll_is_denied_with_advice_whatever_its_code(
    *,
    portal: Emulator,
    polls: PollsApi,
    ask: Callable[..., int],
    action: str,
    code: str | int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    portal.quirks.read_denied_code = code
    portal.quirks.language = "ru"
    monkeypatch.setitem(TEXTS, "attach.read_denied", ("Denied", "Доступ запрещён"))
    message = ask()
    hide(portal, message)
    with pytest.raises(Bitrix24PollAccessError, match="user to the chat") as caught:
        ACTIONS[action](polls, message)
    assert isinstance(caught.value, Bitrix24AccessDeniedError)
    assert caught.value.code == str(code)


def test_a_stop_by_another_member_is_denied_and_names_the_author(
    portal: Emulator, ask: Callable[..., int], as_bob: Callable[[], PollsApi]
) -> None:
    message = ask()
    with pytest.raises(Bitrix24AccessDeniedError, match="Only the user who sent the poll") as caught:
        as_bob().stop(message)
    assert not isinstance(caught.value, Bitrix24PollAccessError)


# Many


def kinds(found: list[Poll | Bitrix24Error]) -> list[type]:
    return [type(each) for each in found]


def test_get_many_keeps_order_and_duplicates(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    one, two, three = ask("One?"), ask("Two?"), ask("Three?")
    found = polls.get_many([three, one, {"message_id": one}, two, str(three)])
    assert [poll.message_id for poll in found if isinstance(poll, Poll)] == [three, one, one, two, three]
    assert portal.requests.count_commands(GET_MANY) == 1
    assert portal.requests.count_commands(GET) == 0


def test_get_many_of_no_polls_sends_no_request(portal: Emulator, polls: PollsApi) -> None:
    assert polls.get_many([]) == []
    assert portal.requests.count() == 0


def test_get_many_reads_a_poll_as_get_does(polls: PollsApi, ask: Callable[..., int]) -> None:
    messages = [ask("One?"), ask("Two?", anonymous=True)]
    polls.vote(messages[0], answers="Yes")
    assert polls.get_many(messages) == [polls.get(message) for message in messages]


@pytest.mark.parametrize("documented", [False, True])
def test_a_deleted_or_hidden_poll_is_its_own_error_and_no_others(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int], documented: bool
) -> None:
    messages = [ask(f"Number {number}?") for number in range(5)]
    portal.quirks.documented_errors = documented
    delete(portal, messages[1])
    hide(portal, messages[3])
    found = polls.get_many([*messages, messages[1], 999_999])
    assert kinds(found) == [
        Poll,
        Bitrix24PollNotFoundError,
        Poll,
        Bitrix24PollAccessError,
        Poll,
        Bitrix24PollNotFoundError,
        Bitrix24PollNotFoundError,
    ]
    assert [poll.message_id for poll in found if isinstance(poll, Poll)] == messages[::2]


@pytest.mark.parametrize("documented", [False, True])
def test_more_than_fifty_polls_are_read_in_lists_of_fifty(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int], documented: bool
) -> None:
    portal.quirks.documented_errors = documented
    messages = [ask(f"Number {number}?") for number in range(103)]
    portal.requests.clear()
    found = polls.get_many(messages)
    assert [poll.message_id for poll in found if isinstance(poll, Poll)] == messages
    assert portal.requests.count() == 1
    assert portal.requests.count_commands(GET_MANY) == 3
    assert portal.requests.count_commands(GET) == 0


def test_only_the_polls_of_a_refused_list_are_read_one_by_one(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    messages = [ask(f"Number {number}?") for number in range(103)]
    delete(portal, messages[101])
    portal.requests.clear()
    found = polls.get_many(messages)
    assert [number for number, each in enumerate(found) if not isinstance(each, Poll)] == [101]
    assert portal.requests.count() == 2
    assert portal.requests.count_commands(GET) == 3


def test_get_many_takes_all_ways_to_name_a_poll(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    one, two, three = ask("One?"), ask("Two?"), ask("Three?")
    posts = [portal.add_feed_post({"Lunch?": ["Soup", "Pie"]}) for _ in range(2)]
    found = polls.get_many(
        [
            {"post_id": posts[1]},
            {"attach_id": portal.poll(one).attach_id},
            two,
            {"signed_attach_id": signed(portal, three)},
            {"post_id": 999_999},
            {"post_id": posts[0]},
        ]
    )
    assert kinds(found) == [Poll, Poll, Poll, Poll, Bitrix24PollNotFoundError, Poll]
    texts = [poll.questions[0].text for poll in found if isinstance(poll, Poll)]
    assert texts == ["Lunch?", "One?", "Two?", "Three?", "Lunch?"]
    assert [poll.message_id for poll in found if isinstance(poll, Poll)] == [None, None, two, None, None]


def test_a_post_and_a_message_of_one_number_are_two_polls(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    post = portal.add_feed_post({"Lunch?": ["Soup", "Pie"]})
    portal.portal.ids._counters["message"] = iter([post])  # type: ignore[assignment]
    assert ask() == post
    found = polls.get_many([post, {"post_id": post}])
    assert [poll.questions[0].text for poll in found if isinstance(poll, Poll)] == ["Deploy?", "Lunch?"]


# Voters


def test_voters_are_listed_by_answer(portal: Emulator, polls: PollsApi, ask: Callable[..., int]) -> None:
    message = ask("Lunch?", ("Soup", "Pie", "Tea"), multiple_choice=True)
    portal.vote(message, user_id=2, answers=["Soup", "Tea"])
    portal.vote(message, user_id=3, answers=["Tea"])
    soup, pie, tea = (answer.id for answer in polls.get(message).questions[0].answers)
    found = polls.voters(message)
    assert {answer: [person["id"] for person in people] for answer, people in found.items()} == {
        soup: [2],
        pie: [],
        tea: [2, 3],
    }
    assert set(found[soup][0]) == {"id", "name", "image", "work_position"}
    assert found[soup][0]["name"] == "Anna Petrova"
    assert found[soup][0]["work_position"] == "Analyst"


def test_a_poll_without_votes_has_empty_lists(polls: PollsApi, ask: Callable[..., int]) -> None:
    assert list(polls.voters(ask()).values()) == [[], []]


@pytest.mark.parametrize(("count", "pages"), [(49, 0), (50, 0), (51, 2), (120, 3)])
def test_more_voters_than_one_page_are_all_listed(
    *,
    portal: Emulator,
    polls: PollsApi,
    chat: int,
    ask: Callable[..., int],
    count: int,
    pages: int,
) -> None:
    message = ask()
    people = [portal.add_user(f"Person {number}") for number in range(count)]
    portal.chat(chat).members.extend(people)
    for person in people:
        portal.vote(message, user_id=person, answers=["Yes"])
    portal.vote(message, user_id=2, answers=["No"])
    yes, no = (answer.id for answer in polls.get(message).questions[0].answers)
    found = polls.voters(message)
    assert [person["id"] for person in found[yes]] == people
    assert [person["id"] for person in found[no]] == [2]
    assert portal.requests.count("vote.AttachedVote.getAnswerVoted") == pages


def test_voters_of_a_feed_post_come_for_every_question(portal: Emulator, polls: PollsApi) -> None:
    post = {"post_id": portal.add_feed_post({"Lunch?": ["Soup", "Pie"], "Drink?": ["Tea", "No"]})}
    poll = polls.vote(post, answers={"Lunch?": "Pie", "Drink?": "Tea"})
    ids = [answer.id for question in poll.questions for answer in question.answers]
    assert [len(polls.voters(post)[number]) for number in ids] == [0, 1, 1, 0]


# The report


def test_the_report_is_the_portal_s_own_file(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask("R&D?")
    portal.vote(message, user_id=2, answers=["Yes"])
    report = polls.report(message)
    assert isinstance(report, bytes)
    assert b"R&amp;D?" in report
    assert b"Anna Petrova" in report


@pytest.mark.parametrize("kind", ["html", "empty", "status_502", "drop_after"])
def test_a_html_page_instead_of_the_report_is_no_answer(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int], kind: str
) -> None:
    message = ask()
    portal.faults.add(kind, method=REPORT, times=None)
    with pytest.raises(Bitrix24NoAnswerError):
        polls.report(message)


def test_a_report_is_requested_again_after_one_html_page(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    message = ask()
    portal.faults.add("html", method=REPORT)
    assert b"Deploy?" in polls.report(message)


# Faults


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "status_504", "html", "empty", "truncated"])
def test_a_read_is_retried(portal: Emulator, polls: PollsApi, ask: Callable[..., int], kind: str) -> None:
    message = ask()
    portal.faults.add(kind, method=GET, times=2)
    portal.faults.add(kind, method="batch", times=2)
    assert polls.get(message).message_id == message
    assert kinds(polls.get_many([message])) == [Poll]


def test_get_many_raises_when_the_portal_is_down(portal: Emulator, ask: Callable[..., int]) -> None:
    message = ask()
    portal.faults.add("status_502", method="batch", times=None)
    with pytest.raises(Bitrix24NoAnswerError):
        PollsApi(client_of(portal)).get_many([message])


def test_polls_of_a_list_with_a_connection_wide_error_are_not_read_one_by_one(
    portal: Emulator, polls: PollsApi, ask: Callable[..., int]
) -> None:
    messages = [ask() for _ in range(3)]
    portal.faults.add("duration", method=GET_MANY, seconds=1_000.0)
    polls.get_many(messages)
    portal.requests.clear()

    found = polls.get_many(messages)

    assert [type(error) for error in found] == [Bitrix24OperatingLimitError] * 3
    assert portal.requests.count_commands(GET) == 0

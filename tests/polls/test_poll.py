"""A poll, whatever PHP made of its numbers and empty lists."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_b24.polls.poll import Poll
from airflow_provider_b24.polls.reference import parse_reference

PORTAL = "https://acme.bitrix24.com"
BY_MESSAGE = parse_reference(5012)


def attach(**changes: Any) -> dict[str, Any]:
    """An ``attach`` as the documentation's sample shows it."""
    yes = {"ID": "301", "C_SORT": "10", "MESSAGE": "Yes", "COUNTER": "1", "PERCENT": 33.33}
    no = {"ID": "303", "C_SORT": "20", "MESSAGE": "No", "COUNTER": 2, "PERCENT": 66.67}
    question = {
        "ID": "140",
        "C_SORT": "10",
        "QUESTION": "Deploy?",
        "FIELD_TYPE": "0",
        "COUNTER": "3",
        "ANSWERS": {"301": yes, "303": no},
    }
    return {
        "ID": 91,
        "VOTE_ID": "77",
        "COUNTER": "3",
        "QUESTIONS": {"140": question},
        "ANONYMITY": "1",
        "OPTIONS": "3",
        "userAnswerMap": {"140": {"301": {"EVENT_ID": "27", "ANSWER_ID": "301"}}},
        "canEdit": True,
        "canVote": False,
        "canRevote": True,
        "isVoted": True,
        "resultUrl": "/vote-result/me7hn922bm011mbf",
        "entityId": "5012",
        "isFinished": False,
        **changes,
    }


def read(**changes: Any) -> Poll:
    return Poll.from_attach(attach(**changes), reference=BY_MESSAGE, portal=PORTAL)


def test_numbers_are_numbers_whatever_the_portal_sent() -> None:
    poll = read()
    assert (poll.message_id, poll.attach_id, poll.vote_id, poll.voters) == (5012, 91, 77, 3)
    (question,) = poll.questions
    assert (question.id, question.votes, question.multiple_choice) == (140, 3, False)
    assert [(answer.id, answer.votes) for answer in question.answers] == [(301, 1), (303, 2)]


def test_the_dict_is_json_and_the_same_after_it() -> None:
    found = read().to_dict()
    assert json.loads(json.dumps(found)) == found


def test_the_dict_has_the_keys_that_users_rely_on() -> None:
    assert list(read().to_dict()) == [
        "message_id",
        "attach_id",
        "vote_id",
        "voters",
        "questions",
        "is_finished",
        "anonymous",
        "allow_revote",
        "is_voted",
        "can_vote",
        "result_url",
    ]


def test_own_answers_are_known() -> None:
    assert read().own_answers == {140: frozenset({301})}


@pytest.mark.parametrize("empty", [[], {}, None])
def test_nobody_s_answers_are_empty_in_every_form(empty: Any) -> None:
    assert read(userAnswerMap=empty).own_answers == {}


@pytest.mark.parametrize("rows", [[], {}, None])
def test_a_poll_without_questions_has_none(rows: Any) -> None:
    assert read(QUESTIONS=rows).questions == ()


def test_answers_come_in_the_order_of_the_chat() -> None:
    rows = {
        "9": {"ID": "9", "C_SORT": "10", "MESSAGE": "first"},
        "2": {"ID": "2", "C_SORT": "30", "MESSAGE": "last"},
        "10": {"ID": "10", "C_SORT": "10", "MESSAGE": "second"},
    }
    question = {"ID": "1", "QUESTION": "?", "ANSWERS": rows}
    for questions in ({"1": question}, [question]):
        poll = read(QUESTIONS=questions)
        assert [answer.text for answer in poll.questions[0].answers] == ["first", "second", "last"]


@pytest.mark.parametrize(("number", "anonymous"), [(0, False), (1, False), ("1", False), ("2", True)])
def test_only_2_is_anonymous(number: Any, anonymous: bool) -> None:
    assert read(ANONYMITY=number).anonymous is anonymous


@pytest.mark.parametrize(("options", "allowed"), [(0, False), (1, True), (2, False), (3, True), ("1", True)])
def test_the_first_bit_of_the_options_lets_votes_change(options: Any, allowed: bool) -> None:
    assert read(OPTIONS=options).allow_revote is allowed


def test_the_result_page_has_a_whole_address() -> None:
    assert read().result_url == f"{PORTAL}/vote-result/me7hn922bm011mbf"
    assert read(resultUrl="https://other.example/x").result_url == "https://other.example/x"
    assert read(resultUrl=None).result_url == ""


def test_a_poll_knows_its_message_though_the_reply_does_not() -> None:
    assert read(entityId=None).message_id == 5012

"""A poll as it is read from PHP's numbers, flags and lists."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_numbers_that_came_as_text_are_ints() -> None:
    poll = read()
    assert (poll.message_id, poll.attach_id, poll.vote_id, poll.voters) == (5012, 91, 77, 3)
    (question,) = poll.questions
    assert (question.id, question.votes, question.multiple_choice) == (140, 3, False)
    assert [(answer.id, answer.votes) for answer in question.answers] == [(301, 1), (303, 2)]


def test_to_dict_is_unchanged_by_a_round_trip_through_json() -> None:
    found = read().to_dict()
    assert json.loads(json.dumps(found)) == found


def test_to_dict_has_the_keys_that_users_rely_on() -> None:
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


def test_own_answers_are_read_by_question() -> None:
    assert read().own_answers == {140: frozenset({301})}


@pytest.mark.parametrize("empty", [[], {}, None])
def test_own_answers_are_empty_for_every_form_of_nothing(empty: Any) -> None:
    assert read(userAnswerMap=empty).own_answers == {}


@pytest.mark.parametrize("rows", [[], {}, None, "x", ["x"], [[]], [{"COUNTER": "0"}], [{"ID": "1"}]])
def test_a_poll_without_questions_is_refused(rows: Any) -> None:
    with pytest.raises(ValueError, match=r"no questions|without answers|is not an? (list|object|integer)"):
        read(QUESTIONS=rows)


@pytest.mark.parametrize("name", ["ID", "VOTE_ID", "COUNTER"])
@pytest.mark.parametrize("value", [None, "", "many", -1, [], {}, True])
def test_a_poll_without_an_id_or_a_counter_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match="is not a"):
        read(**{name: value})


@pytest.mark.parametrize("flag", ["isFinished", "canVote", "isVoted", "canRevote", "canEdit"])
def test_a_flag_that_is_not_one_is_refused(flag: str) -> None:
    with pytest.raises(ValueError, match="is not a flag"):
        read(**{flag: "perhaps"})


@pytest.mark.parametrize(
    ("value", "is_finished"),
    [
        (True, True),
        ("Y", True),
        (1, True),
        ("1", True),
        (False, False),
        ("N", False),
        ("0", False),
        (None, False),
    ],
)
def test_a_poll_is_finished_only_when_the_flag_says_so(value: Any, is_finished: bool) -> None:
    poll = read(isFinished=value, canVote=True)

    assert (poll.is_finished, poll.can_vote) == (is_finished, not is_finished)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(attach())), JSON)
def test_a_field_of_any_json_makes_a_poll_or_a_value_error(name: str, value: Any) -> None:
    try:
        poll = read(**{name: value})
    except ValueError:
        return
    assert min(poll.attach_id, poll.vote_id, len(poll.questions)) >= 1


def test_answers_come_in_the_order_of_the_chat() -> None:
    rows = {
        "9": {"ID": "9", "C_SORT": "10", "MESSAGE": "first", "COUNTER": "0"},
        "2": {"ID": "2", "C_SORT": "30", "MESSAGE": "last", "COUNTER": "0"},
        "10": {"ID": "10", "C_SORT": "10", "MESSAGE": "second", "COUNTER": "0"},
    }
    question = {"ID": "1", "QUESTION": "?", "COUNTER": "0", "ANSWERS": rows}
    for questions in ({"1": question}, [question]):
        poll = read(QUESTIONS=questions)
        assert [answer.text for answer in poll.questions[0].answers] == ["first", "second", "last"]


@pytest.mark.parametrize(("number", "anonymous"), [(0, False), (1, False), ("1", False), ("2", True)])
def test_a_poll_is_anonymous_only_by_anonymity_2(number: Any, anonymous: bool) -> None:
    assert read(ANONYMITY=number).anonymous is anonymous


@pytest.mark.parametrize(("options", "allowed"), [(0, False), (1, True), (2, False), (3, True), ("1", True)])
def test_the_first_bit_of_the_options_lets_votes_change(options: Any, allowed: bool) -> None:
    assert read(OPTIONS=options).allow_revote is allowed


def test_the_result_url_is_absolute() -> None:
    assert read().result_url == f"{PORTAL}/vote-result/me7hn922bm011mbf"
    assert read(resultUrl="https://other.example/x").result_url == "https://other.example/x"
    assert read(resultUrl=None).result_url == ""


def test_a_poll_that_was_named_by_its_message_knows_it_without_the_reply() -> None:
    assert read(entityId=None).message_id == 5012

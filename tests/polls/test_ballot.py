"""Ballots: what is named is what is cast, or nothing is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.polls.ballot import make_ballot, same_choice
from airflow_provider_b24.polls.poll import Answer, Poll, Question

texts = st.lists(st.text(min_size=1).filter(str.strip), min_size=2, max_size=10, unique_by=str.strip)


def question(number: int, answers: list[str], *, text: str = "", multiple: bool = False) -> Question:
    rows = tuple(
        Answer(id=number * 100 + index, text=answer, votes=0, percent=0)
        for index, answer in enumerate(answers)
    )
    return Question(
        id=number, text=text or f"Question {number}?", multiple_choice=multiple, votes=0, answers=rows
    )


def poll(*questions: Question, own: dict[int, set[int]] | None = None) -> Poll:
    return Poll(
        message_id=1,
        attach_id=2,
        vote_id=3,
        voters=0,
        questions=questions,
        is_finished=False,
        anonymous=False,
        allow_revote=False,
        is_voted=bool(own),
        can_vote=True,
        result_url="",
        own_answers={number: frozenset(answers) for number, answers in (own or {}).items()},
    )


@settings(max_examples=100, deadline=None)
@given(texts, st.data())
def test_every_answer_can_be_named_by_its_text(answers: list[str], data: st.DataObject) -> None:
    asked = poll(question(7, answers, multiple=True))
    chosen = data.draw(st.lists(st.sampled_from(range(len(answers))), min_size=1, unique=True))
    ballot = make_ballot(asked, [answers[index] for index in chosen])
    assert ballot == {"7": [700 + index for index in chosen]}


@settings(max_examples=100, deadline=None)
@given(texts, st.data())
def test_every_answer_can_be_named_by_its_id(answers: list[str], data: st.DataObject) -> None:
    answers = [f"text {answer}" for answer in answers]
    index = data.draw(st.sampled_from(range(len(answers))))
    asked = poll(question(7, answers))
    assert make_ballot(asked, 700 + index) == make_ballot(asked, str(700 + index)) == {"7": [700 + index]}


def test_of_two_answers_with_one_text_an_id_names_each() -> None:
    asked = poll(question(7, ["Same", "Same", "Other"]))
    assert make_ballot(asked, 701) == {"7": [701]}
    with pytest.raises(Bitrix24ValidationError, match="use an id: 700, 701"):
        make_ballot(asked, "Same")


def test_two_questions_with_one_text_are_named_by_id() -> None:
    asked = poll(question(7, ["Yes", "No"], text="Same?"), question(8, ["Yes", "No"], text="Same?"))
    assert make_ballot(asked, {7: "Yes", "8": "No"}) == {"7": [700], "8": [801]}
    with pytest.raises(Bitrix24ValidationError, match="several questions; use an id: 7, 8"):
        make_ballot(asked, {"Same?": "Yes"})


def test_an_answer_belongs_to_its_question() -> None:
    asked = poll(question(7, ["Yes", "No"]), question(8, ["Tea", "Water"]))
    with pytest.raises(Bitrix24ValidationError) as caught:
        make_ballot(asked, {7: "Tea"})
    assert caught.value.path == "answers[7][0]"


def test_a_question_may_be_left_out() -> None:
    asked = poll(question(7, ["Yes", "No"]), question(8, ["Tea", "Water"]))
    assert make_ballot(asked, {"Question 8?": ["Tea"]}) == {"8": [800]}


@pytest.mark.parametrize(
    ("own", "ballot", "same"),
    [
        ({7: {700}}, {"7": [700]}, True),
        ({7: {700, 701}}, {"7": [701, 700]}, True),
        ({7: {700}}, {"7": [701]}, False),
        ({7: {700, 701}}, {"7": [700]}, False),
        ({7: {700}}, {"7": [700, 701]}, False),
        ({7: {700}, 8: {800}}, {"7": [700]}, False),
        ({7: {700}}, {"7": [700], "8": [800]}, False),
        ({}, {"7": [700]}, False),
        ({}, {}, False),
    ],
)
def test_only_exactly_this_ballot_is_the_same_choice(
    own: dict[int, set[int]], ballot: dict[str, Any], same: bool
) -> None:
    asked = poll(question(7, ["Yes", "No"], multiple=True), own=own)
    assert same_choice(asked, ballot) is same

"""What the answers to a batch say of each poll: the innocent, the guilty, and those who were not heard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AccessDeniedError,
    Bitrix24AuthError,
    Bitrix24BatchError,
    Bitrix24NoAnswerError,
    Bitrix24OperatingLimitError,
    Bitrix24OverloadError,
    Bitrix24PollNotFoundError,
    Bitrix24RateLimitError,
    Bitrix24ScopeError,
    Bitrix24ServerError,
)
from airflow_provider_b24.polls.reference import PollReference, ReferenceKind
from airflow_provider_b24.triggers.poll_watcher.scheduler import Request
from airflow_provider_b24.triggers.poll_watcher.sorting import UNDECIDED, Reading, sort_answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_b24.exceptions import Bitrix24Error

FIRST, SECOND, THIRD, FOURTH = (PollReference(ReferenceKind.MESSAGE, number) for number in (1, 2, 3, 4))
NOBODYS_FAULT = [
    Bitrix24AuthError("x"),
    Bitrix24BatchError("x"),
    Bitrix24NoAnswerError("x"),
    Bitrix24OperatingLimitError("x", reset_at=5.0),
    Bitrix24OverloadError("x"),
    Bitrix24RateLimitError("x"),
    Bitrix24ScopeError("x"),
]
BROKEN = Bitrix24ServerError("x")


def build(attach: Mapping[str, Any], reference: PollReference) -> Any:
    """Stand in for the poll, which is decided from one vote on."""
    return f"poll {reference.value}" if int(attach["COUNTER"]) else None


def row(number: int, voters: Any = 0) -> dict[str, Any]:
    return {"entityId": number, "COUNTER": voters}


def sort(
    replies: dict[Any, Any],
    *,
    lists: list[list[PollReference]] | None = None,
    singles: list[PollReference] | None = None,
) -> Reading:
    return sort_answers(Request(lists or [], singles or []), replies, build)


def test_a_list_answers_for_each_of_its_polls_whatever_the_order() -> None:
    reading = sort({0: {"items": [row(2, 1), row(1)]}}, lists=[[FIRST, SECOND]])

    assert reading == Reading(answers={FIRST: None, SECOND: "poll 2"})  # type: ignore[dict-item]


def test_a_list_that_was_made_small_names_those_who_wait_on_by_their_numbers() -> None:
    reading = sort({0: {"items": [row(2, 1)], UNDECIDED: [1]}}, lists=[[FIRST, SECOND, THIRD]])

    assert reading == Reading(answers={FIRST: None, SECOND: "poll 2"}, suspects=[THIRD])  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "refused",
    [
        *([], {}, None, {"items": []}, {"items": [None]}, {"items": "x"}, Bitrix24PollNotFoundError("x")),
        *(Bitrix24AccessDeniedError("x"), Bitrix24PollNotFoundError("x")),
    ],
)
def test_a_refused_list_makes_suspects_of_its_polls_and_of_no_others(refused: Any) -> None:
    replies = {0: refused, 1: {"items": [row(3)]}}

    reading = sort(replies, lists=[[FIRST, SECOND], [THIRD]])

    assert reading == Reading(answers={THIRD: None}, suspects=[FIRST, SECOND])


def test_a_poll_that_a_list_leaves_out_is_the_suspect() -> None:
    assert sort({0: {"items": [row(1)]}}, lists=[[FIRST, SECOND]]).suspects == [SECOND]


@pytest.mark.parametrize("error", [Bitrix24PollNotFoundError("x"), Bitrix24AccessDeniedError("x")])
def test_a_poll_that_is_read_alone_and_refused_has_its_own_error(error: Bitrix24Error) -> None:
    reading = sort({FIRST: error, SECOND: {"attach": row(2, 1)}}, singles=[FIRST, SECOND])

    assert reading.answers == {FIRST: error, SECOND: "poll 2"}
    assert reading.trouble is None


@pytest.mark.parametrize("nothing", [[], {}, None, {"attach": []}, {"attach": None}])
def test_a_poll_that_is_read_alone_and_not_there_is_not_found(nothing: Any) -> None:
    (answer,) = sort({FIRST: nothing}, singles=[FIRST]).answers.values()

    assert isinstance(answer, Bitrix24PollNotFoundError)
    assert "message_id 1" in str(answer)


@pytest.mark.parametrize("error", NOBODYS_FAULT, ids=lambda error: type(error).__name__)
def test_what_is_nobodys_fault_leaves_polls_unread_and_makes_no_suspects(error: Bitrix24Error) -> None:
    replies = {0: error, 1: {"items": [row(3)]}, FOURTH: error}

    reading = sort(replies, lists=[[FIRST, SECOND], [THIRD]], singles=[FOURTH])

    assert reading == Reading(answers={THIRD: None}, unread=[FIRST, SECOND, FOURTH], trouble=error)


def test_a_list_that_breaks_the_portal_is_suspected_when_others_do_not() -> None:
    reading = sort({0: BROKEN, 1: {"items": [row(3)]}}, lists=[[FIRST, SECOND], [THIRD]])

    assert reading == Reading(answers={THIRD: None}, suspects=[FIRST, SECOND])


def test_a_poll_that_breaks_the_portal_is_broken_when_others_do_not() -> None:
    reading = sort({FIRST: BROKEN, SECOND: {"attach": row(2)}}, singles=[FIRST, SECOND])

    assert reading == Reading(answers={SECOND: None}, broken={FIRST: BROKEN})


def test_a_portal_that_breaks_over_everything_is_tried_with_one_list_alone() -> None:
    reading = sort({0: BROKEN, 1: BROKEN, FOURTH: BROKEN}, lists=[[FIRST], [SECOND, THIRD]], singles=[FOURTH])

    assert reading == Reading(suspects=[FIRST], unread=[SECOND, THIRD, FOURTH], trouble=BROKEN)


def test_what_is_no_poll_is_that_polls_own_error() -> None:
    reading = sort(
        {0: {"items": [row(1, "many"), row(2)]}, THIRD: {"attach": {}}},
        lists=[[FIRST, SECOND]],
        singles=[THIRD],
    )

    assert reading.answers[SECOND] is None
    assert isinstance(reading.answers[FIRST], Bitrix24ServerError)
    assert isinstance(reading.answers[THIRD], Bitrix24ServerError)

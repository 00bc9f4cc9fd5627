"""What the replies to a batch say of each poll that it asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import (
    Bitrix24AccessDeniedError,
    Bitrix24AuthError,
    Bitrix24BatchError,
    Bitrix24Error,
    Bitrix24NoAnswerError,
    Bitrix24OperatingLimitError,
    Bitrix24OverloadError,
    Bitrix24PollNotFoundError,
    Bitrix24RateLimitError,
    Bitrix24ScopeError,
    Bitrix24ServerError,
)
from airflow_provider_b24.polls.bulk import UNDECIDED, BatchOutcome, read_many, sort_replies
from airflow_provider_b24.polls.poll import Poll
from airflow_provider_b24.polls.reference import PollReference, ReferenceKind
from airflow_provider_b24.polls.request import GET, GET_MANY, PollRequest
from airflow_provider_b24.rest.batch import BatchResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FIRST, SECOND, THIRD, FOURTH = (PollReference(ReferenceKind.MESSAGE, number) for number in (1, 2, 3, 4))
PORTAL = "https://acme.bitrix24.com"
CONNECTION_WIDE = [
    Bitrix24AuthError("x"),
    Bitrix24BatchError("x"),
    Bitrix24NoAnswerError("x"),
    Bitrix24OperatingLimitError("x", reset_at=5.0),
    Bitrix24OverloadError("x"),
    Bitrix24RateLimitError("x"),
    Bitrix24ScopeError("x"),
]
BROKEN = Bitrix24ServerError("x")
QUESTIONS = {"7": {"ID": "7", "COUNTER": "0", "ANSWERS": {"8": {"ID": "8", "COUNTER": "0"}}}}


def row(number: int, voters: Any = 0, **changes: Any) -> dict[str, Any]:
    return {
        "entityId": number,
        "ID": 100 + number,
        "VOTE_ID": 200 + number,
        "COUNTER": voters,
        "QUESTIONS": QUESTIONS,
        **changes,
    }


def poll(reference: PollReference, voters: int = 0) -> Poll:
    return Poll.from_attach(row(int(reference.value), voters), reference=reference, portal=PORTAL)


def has_votes(attach: Mapping[str, Any], reference: PollReference) -> bool:
    return attach["COUNTER"] != 0


class Client:
    """A client whose batches are answered by a function."""

    portal = PORTAL
    conn_id = "the_connection"
    anonymous_value = None

    def __init__(self, answer: Callable[[Any, str, dict[str, Any]], Any] = lambda *_: None) -> None:
        self._answer = answer
        self.batches: list[list[str]] = []

    def refusal(self, kind: type[Bitrix24Error], method: str, text: str) -> Bitrix24Error:
        return kind(method=method, description=text, conn_id=self.conn_id)

    def call_batch(self, commands: dict[Any, tuple[str, dict[str, Any]]]) -> BatchResult:
        self.batches.append([method for method, _ in commands.values()])
        answers = {key: self._answer(key, *command) for key, command in commands.items()}
        result = BatchResult()
        for key, answer in answers.items():
            (result.errors if isinstance(answer, Bitrix24Error) else result.results)[key] = answer
        return result


def sort(
    replies: dict[Any, Any],
    *,
    lists: list[list[PollReference]] | None = None,
    singles: list[PollReference] | None = None,
    is_decidable: Any = has_votes,
) -> BatchOutcome:
    client: Any = Client()
    return sort_replies(client, PollRequest(lists or [], singles or []), replies, is_decidable=is_decidable)


def test_a_list_answers_for_each_of_its_polls_whatever_the_order() -> None:
    outcome = sort({0: {"items": [row(2, 1), row(1)]}}, lists=[[FIRST, SECOND]])

    assert outcome == BatchOutcome(answers={FIRST: None, SECOND: poll(SECOND, 1)})


def test_without_a_filter_every_poll_is_read_in_full() -> None:
    outcome = sort(
        {0: {"items": [row(1)]}, SECOND: {"attach": row(2)}},
        lists=[[FIRST]],
        singles=[SECOND],
        is_decidable=None,
    )

    assert outcome == BatchOutcome(answers={FIRST: poll(FIRST), SECOND: poll(SECOND)})


def test_a_pruned_list_names_undecided_polls_by_their_entity_ids() -> None:
    outcome = sort({0: {"items": [row(2, 1)], UNDECIDED: [1]}}, lists=[[FIRST, SECOND, THIRD]])

    assert outcome == BatchOutcome(answers={FIRST: None, SECOND: poll(SECOND, 1)}, suspects=[THIRD])


@pytest.mark.parametrize("rows", [{"1": row(1, 1)}, [row(1, 1)]])
def test_a_list_with_gaps_is_read_as_a_list(rows: Any) -> None:
    assert sort({0: {"items": rows}}, lists=[[FIRST]]).answers == {FIRST: poll(FIRST, 1)}


@pytest.mark.parametrize(
    "refused",
    [
        *([], {}, None, "x", ["x"], {"items": []}, {"items": [None]}, {"items": ["x"]}, {"items": "x"}),
        *(Bitrix24AccessDeniedError("x"), Bitrix24PollNotFoundError("x")),
    ],
    ids=repr,
)
def test_a_refused_list_makes_suspects_of_its_own_polls_only(refused: Any) -> None:
    replies = {0: refused, 1: {"items": [row(3)]}}

    outcome = sort(replies, lists=[[FIRST, SECOND], [THIRD]])

    assert outcome == BatchOutcome(answers={THIRD: None}, suspects=[FIRST, SECOND])


def test_a_poll_that_is_missing_in_its_list_is_a_suspect() -> None:
    assert sort({0: {"items": [row(1)]}}, lists=[[FIRST, SECOND]]).suspects == [SECOND]


@pytest.mark.parametrize("error", [Bitrix24PollNotFoundError("x"), Bitrix24AccessDeniedError("x")])
def test_a_poll_that_is_read_alone_and_refused_has_its_own_error(error: Bitrix24Error) -> None:
    outcome = sort({FIRST: error, SECOND: {"attach": row(2, 1)}}, singles=[FIRST, SECOND])

    assert outcome == BatchOutcome(answers={FIRST: error, SECOND: poll(SECOND, 1)})


@pytest.mark.parametrize("nothing", [[], {}, None, {"attach": []}, {"attach": None}])
def test_a_poll_that_is_read_alone_with_an_empty_reply_is_not_found(nothing: Any) -> None:
    (answer,) = sort({FIRST: nothing}, singles=[FIRST]).answers.values()

    assert isinstance(answer, Bitrix24PollNotFoundError)
    assert (answer.method, answer.conn_id) == (GET, "the_connection")
    assert "no poll for message_id 1" in str(answer)


@pytest.mark.parametrize("error", CONNECTION_WIDE, ids=lambda error: type(error).__name__)
def test_a_connection_wide_error_leaves_polls_unread_and_makes_no_suspects(error: Bitrix24Error) -> None:
    replies = {0: error, 1: {"items": [row(3)]}, FOURTH: error}

    outcome = sort(replies, lists=[[FIRST, SECOND], [THIRD]], singles=[FOURTH])

    unread = dict.fromkeys([FIRST, SECOND, FOURTH], error)
    assert outcome == BatchOutcome(answers={THIRD: None}, unread=unread, failure=error)


def test_a_list_that_breaks_the_portal_is_suspected_when_others_do_not() -> None:
    outcome = sort({0: BROKEN, 1: {"items": [row(3)]}}, lists=[[FIRST, SECOND], [THIRD]])

    assert outcome == BatchOutcome(answers={THIRD: None}, suspects=[FIRST, SECOND])


def test_a_poll_that_breaks_the_portal_is_broken_when_others_do_not() -> None:
    outcome = sort({FIRST: BROKEN, SECOND: {"attach": row(2)}}, singles=[FIRST, SECOND])

    assert outcome == BatchOutcome(answers={SECOND: None}, broken={FIRST: BROKEN})


def test_a_portal_that_breaks_over_every_poll_is_retried_with_one_list() -> None:
    outcome = sort({0: BROKEN, 1: BROKEN, FOURTH: BROKEN}, lists=[[FIRST], [SECOND, THIRD]], singles=[FOURTH])

    unread = dict.fromkeys([SECOND, THIRD, FOURTH], BROKEN)
    assert outcome == BatchOutcome(suspects=[FIRST], unread=unread, failure=BROKEN)


MALFORMED = [
    {"COUNTER": "many"},
    {"COUNTER": None},
    {"ID": None},
    {"QUESTIONS": None},
    {"QUESTIONS": "x"},
    {"QUESTIONS": ["x"]},
    {"isFinished": "perhaps"},
]


@pytest.mark.parametrize("changes", MALFORMED, ids=repr)
@pytest.mark.parametrize("is_decidable", [None, lambda attach, reference: True])
def test_a_malformed_row_is_its_own_polls_error(changes: dict[str, Any], is_decidable: Any) -> None:
    outcome = sort(
        {0: {"items": [row(1, 1, **changes), row(2, 1)]}, THIRD: {"attach": row(3, 1, **changes)}},
        lists=[[FIRST, SECOND]],
        singles=[THIRD],
        is_decidable=is_decidable,
    )

    first, third = outcome.answers.pop(FIRST), outcome.answers.pop(THIRD)
    assert outcome == BatchOutcome(answers={SECOND: poll(SECOND, 1)})
    assert isinstance(first, Bitrix24ServerError)
    assert isinstance(third, Bitrix24ServerError)
    assert (first.method, third.method) == (GET_MANY, GET)
    assert "the reply is not a poll for message_id 1" in str(first)


@pytest.mark.parametrize("attach", [["x"], "x", 5, {"ID": 1}])
def test_an_attach_that_is_not_a_poll_is_its_own_polls_error(attach: Any) -> None:
    replies = {FIRST: {"attach": attach}, SECOND: {"attach": row(2, 1)}}

    answers = sort(replies, singles=[FIRST, SECOND], is_decidable=None).answers

    assert isinstance(answers[FIRST], Bitrix24ServerError)
    assert answers[SECOND] == poll(SECOND, 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*row(1), "items", "attach", UNDECIDED]), inner, max_size=5)
    ),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(JSON, JSON)
def test_any_json_in_a_reply_leaves_each_poll_with_one_place_in_the_outcome(first: Any, second: Any) -> None:
    outcome = sort({0: first, THIRD: second}, lists=[[FIRST, SECOND]], singles=[THIRD], is_decidable=None)

    places = [*outcome.answers, *outcome.suspects, *outcome.broken, *outcome.unread]
    assert sorted(places, key=lambda reference: int(reference.value)) == [FIRST, SECOND, THIRD]


def get_many(client: Client, *references: PollReference) -> list[type]:
    typed: Any = client
    return [type(found) for found in read_many(typed, references)]


def test_read_many_reads_suspects_alone() -> None:
    client = Client(lambda key, method, params: [] if method == GET_MANY else {"attach": row(key.value)})

    assert get_many(client, FIRST, SECOND, FIRST) == [Poll, Poll, Poll]
    assert client.batches == [[GET_MANY], [GET, GET]]


def test_read_many_reads_the_lists_of_a_portal_that_broke_over_all_of_them_alone() -> None:
    client = Client(lambda key, method, params: BROKEN if method == GET_MANY else {"attach": row(key.value)})
    references = [PollReference(ReferenceKind.MESSAGE, number) for number in range(1, 61)]

    assert get_many(client, *references) == [Poll] * 60
    assert client.batches == [[GET_MANY] * 2, [GET] * 60]


def test_read_many_returns_the_error_of_a_portal_that_breaks_over_every_poll() -> None:
    assert get_many(Client(lambda *_: BROKEN), FIRST, SECOND) == [Bitrix24ServerError] * 2


def test_read_many_returns_a_connection_wide_error_for_each_poll_without_reading_it_alone() -> None:
    client = Client(lambda *_: Bitrix24AuthError("x"))

    assert get_many(client, FIRST, SECOND) == [Bitrix24AuthError] * 2
    assert len(client.batches) == 1


@pytest.mark.parametrize("items", [["x"], [{"entityId": 1}, "x"], "x", [row(1, "many"), row(2)]], ids=repr)
def test_read_many_gives_a_malformed_row_to_its_own_poll_as_a_typed_error(items: Any) -> None:
    def answer(key: Any, method: str, params: dict[str, Any]) -> Any:
        if method == GET_MANY:
            return {"items": items}
        return {"attach": ["x"] if key == FIRST else row(2)}

    assert get_many(Client(answer), FIRST, SECOND) == [Bitrix24ServerError, Poll]

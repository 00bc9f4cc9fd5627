"""The poll in a reply: there, missing, or malformed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24OutcomeUnknownError,
    Bitrix24PollNotFoundError,
    Bitrix24ServerError,
    Outcome,
)
from airflow_provider_b24.polls.api import PollsApi
from airflow_provider_b24.rest.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.client import Bitrix24Client

MALFORMED = ["x", ["x"], 5, {"attach": ["x"]}, {"attach": "x"}, {"attach": {"ID": 1}}]
EMPTY = [[], {}, None, {"attach": []}, {"attach": None}]


@pytest.fixture
def polls_of(client: Bitrix24Client) -> Callable[..., PollsApi]:
    """Polls of a portal that answers with this result, to one method or to all."""

    def make(result: Any, *methods: str) -> PollsApi:
        request = client.request

        def answer(method: str, *args: Any, **kwargs: Any) -> Response:
            wanted = not methods or method.rpartition(".")[2] in methods
            return Response(result) if wanted else request(method, *args, **kwargs)

        client.request = answer  # type: ignore[method-assign]
        return PollsApi(client, sleep=lambda _: None)

    return make


@pytest.mark.parametrize("action", ["get", "voters"])
@pytest.mark.parametrize("result", MALFORMED, ids=repr)
def test_a_malformed_reply_is_a_typed_error(
    polls_of: Callable[..., PollsApi], action: str, result: Any
) -> None:
    with pytest.raises(Bitrix24ServerError, match="the reply is not a poll") as caught:
        getattr(polls_of(result), action)(5)
    assert caught.value.conn_id == "the_connection"
    assert caught.value.method is not None


@pytest.mark.parametrize("action", ["get", "voters"])
@pytest.mark.parametrize("result", EMPTY, ids=repr)
def test_an_empty_reply_is_no_poll(polls_of: Callable[..., PollsApi], action: str, result: Any) -> None:
    with pytest.raises(Bitrix24PollNotFoundError, match="no poll for message_id 5") as caught:
        getattr(polls_of(result), action)(5)
    assert (caught.value.outcome, caught.value.conn_id) == (Outcome.REFUSED, "the_connection")


@pytest.mark.parametrize("result", MALFORMED, ids=repr)
def test_a_malformed_reply_to_a_vote_is_a_typed_error_of_unknown_outcome(
    polls_of: Callable[..., PollsApi], ask: Callable[..., int], result: Any
) -> None:
    message = ask()
    with pytest.raises(Bitrix24ServerError) as caught:
        polls_of(result, "vote").vote(message, answers="Yes")
    assert (caught.value.outcome, caught.value.method) == (Outcome.UNKNOWN, "vote.AttachedVote.vote")


@pytest.mark.parametrize("voted", ["x", {"yes": []}, {"301": "x"}, {"301": [5]}, {"301": [{"NAME": "Ann"}]}])
def test_a_malformed_list_of_voters_is_a_typed_error(
    client: Bitrix24Client, polls_of: Callable[..., PollsApi], voted: Any
) -> None:
    answers = {"301": {"ID": "301", "COUNTER": "1"}}
    questions = {"140": {"ID": "140", "COUNTER": "1", "ANSWERS": answers}}
    attach = {"ID": 91, "VOTE_ID": 77, "COUNTER": 1, "QUESTIONS": questions}

    with pytest.raises(Bitrix24ServerError, match="the reply is not a list of voters"):
        polls_of({"attach": attach, "voted": voted}).voters(5)


@pytest.mark.parametrize("result", [[], {}, None, "x", {"messageId": "x"}, {"voteId": 5}], ids=repr)
def test_a_reply_to_a_send_without_a_message_id_is_of_unknown_outcome(
    polls_of: Callable[..., PollsApi], chat: int, result: Any
) -> None:
    with pytest.raises(Bitrix24OutcomeUnknownError, match="template_id="):
        polls_of(result, "send").send(chat_id=chat, question="Deploy?", answers=["Yes", "No"])

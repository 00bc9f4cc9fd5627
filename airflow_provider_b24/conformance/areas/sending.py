"""How a poll is taken or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.conformance.answers import Answer, as_object, kind_of
from airflow_provider_b24.conformance.probe import probe
from airflow_provider_b24.conformance.trial import GET, SEND, UNKNOWN, entity
from airflow_provider_b24.conformance.unanswered import CouldNotTellError
from airflow_provider_b24.ids import positive_number

if TYPE_CHECKING:
    from airflow_provider_b24.conformance.trial import Trial

_REJECTED = "Bitrix24PollRejectedError; the provider checks most of it before it sends"
_CODES = "The codes 0, 400, 403 and an empty one give the same error; others give that of their code."


@probe(
    "send.result",
    "The reply to a poll",
    "messageId a number, voteId a number",
    depends="the poll's identity",
    otherwise="Digits as text are read too; without a message id the outcome is unknown.",
    writes=True,
)
def result(trial: Trial) -> str:
    """Send a poll and look at the types in the reply."""
    sent = as_object(trial.plain_poll().answer.result)
    return f"messageId {kind_of(sent.get('messageId'))}, voteId {kind_of(sent.get('voteId'))}"


@probe(
    "send.no_question", "A poll without a question", "400 0", depends=_REJECTED, otherwise=_CODES, writes=True
)
def no_question(trial: Trial) -> str:
    """Send a poll that asks nothing."""
    return _refused(trial, QUESTIONS=[])


@probe(
    "send.two_questions",
    "A poll with two questions",
    "400 0",
    depends=_REJECTED,
    otherwise=_CODES,
    writes=True,
)
def two_questions(trial: Trial) -> str:
    """Send a poll that asks two things."""
    row = {"QUESTION": trial.text("two questions"), "ANSWERS": [{"MESSAGE": "One"}, {"MESSAGE": "Two"}]}
    return _refused(trial, QUESTIONS=[row, row])


@probe(
    "send.few_answers", "A poll with one answer", "400 0", depends=_REJECTED, otherwise=_CODES, writes=True
)
def few_answers(trial: Trial) -> str:
    """Send a poll with one answer."""
    return _refused(trial, answers=("One",))


@probe(
    "send.many_answers",
    "A poll with eleven answers",
    "400 0",
    depends=_REJECTED,
    otherwise=_CODES,
    writes=True,
)
def many_answers(trial: Trial) -> str:
    """Send a poll with one answer too many."""
    return _refused(trial, answers=tuple(map(str, range(11))))


@probe(
    "send.language",
    "The language of error texts",
    "English",
    "another",
    depends="nothing: no text is ever compared",
    otherwise="Nothing changes.",
    writes=True,
)
def language(trial: Trial) -> str:
    """Look at the text of a refusal."""
    answer = trial.ask(SEND, trial.poll_params("the language", answers=("One",)))
    return "English" if answer.description.startswith("Minimum") else "another"


@probe(
    "send.no_data",
    "A poll without IM_MESSAGE_VOTE_DATA",
    "400 100",
    depends="Bitrix24ArgumentError",
    otherwise="Nothing changes: the provider sends it always.",
    writes=True,
)
def no_data(trial: Trial) -> str:
    """Send a poll without data."""
    return str(trial.ask(SEND, {"chatId": trial.chat_id}))


@probe(
    "send.unknown_chat",
    "A poll to a chat that does not exist",
    "400 CHAT_ID",
    depends="Bitrix24ChatNotFoundError",
    otherwise="The codes 0, 400 and 403 give Bitrix24PollRejectedError, others that of their code.",
    writes=True,
)
def unknown_chat(trial: Trial) -> str:
    """Send a poll to a chat that no portal has."""
    return str(trial.ask(SEND, trial.poll_params("an unknown chat", chat_id=UNKNOWN)))


@probe(
    "send.no_right",
    "A poll to a chat that the user is not in",
    "400 CANCELED",
    depends="Bitrix24ChatAccessError",
    otherwise="The codes 0, 400 and 403 give Bitrix24PollRejectedError, others that of their code.",
    writes=True,
)
def no_right(trial: Trial) -> str:
    """Send a poll to a chat that was left before."""
    chat_id, _ = _left_chat(trial)
    return _watched(trial, trial.ask(SEND, trial.poll_params("a chat that was left", chat_id=chat_id)))


@probe(
    "send.read_denied",
    "A poll in a chat that the user is not in",
    "400 ATTACH_READ_ACCESS_DENIED",
    depends="Bitrix24PollAccessError",
    otherwise="The code 0, as text or number, gives the same error.",
    writes=True,
)
def read_denied(trial: Trial) -> str:
    """Read the poll of a chat that was left before."""
    _, message_id = _left_chat(trial)
    return str(trial.ask(GET, entity(message_id)))


def _refused(trial: Trial, **changes: Any) -> str:
    return _watched(trial, trial.ask(SEND, trial.poll_params("a refusal", **changes)))


def _watched(trial: Trial, answer: Answer) -> str:
    """Return the answer in words; what it posted against expectation is removed in the end."""
    posted = positive_number(as_object(answer.result).get("messageId"))
    if posted is not None:
        trial.messages[posted] = None
    return str(answer)


def _left_chat(trial: Trial) -> tuple[int, int]:
    """Return a chat that the connection's user has left, and the poll in it."""
    found: tuple[int, int] = trial.once("left chat", lambda: _leave(trial))
    return found


def _leave(trial: Trial) -> tuple[int, int]:
    chat_id = trial.new_chat()
    message_id = trial.send("a chat that is left", chat_id=chat_id).message_id
    answer = trial.leave(chat_id)
    if answer.problem is not None:
        raise CouldNotTellError(f"a chat could not be left: {answer}")
    # Nobody is in the chat any more, and nobody may delete from it.
    trial.messages.pop(message_id, None)
    trial.own_chats.remove(chat_id)
    return chat_id, message_id

"""How a message is posted, repeated and deleted."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.chats.messages import NEWEST
from airflow_provider_b24.conformance.answers import as_items, as_object
from airflow_provider_b24.conformance.probe import probe
from airflow_provider_b24.conformance.trial import GET, UNKNOWN, entity
from airflow_provider_b24.conformance.unanswered import CouldNotTellError
from airflow_provider_b24.ids import positive_number

if TYPE_CHECKING:
    from airflow_provider_b24.conformance.trial import Trial

_ADD = "im.message.add"


@probe(
    "message.template_id",
    "A message sent twice with one TEMPLATE_ID",
    "the first message",
    depends="one message a run: questions, reminders, announcements",
    otherwise="The provider also looks for its message in the chat before and after it posts.",
    writes=True,
)
def template_id(trial: Trial) -> str:
    """Post a message again."""
    first, again = _message(trial), _post(trial, TEMPLATE_ID=_template_id(trial))
    return "the first message" if first == again else "another message"


@probe(
    "message.uuid",
    "uuid of a message that was sent with TEMPLATE_ID",
    "the TEMPLATE_ID",
    depends="how the provider finds its own message",
    otherwise="Without it, a message is known by its author and its text.",
    writes=True,
)
def message_uuid(trial: Trial) -> str:
    """Read the message and look at its uuid."""
    row = _read(trial, _message(trial))
    return "the TEMPLATE_ID" if row.get("uuid") == _template_id(trial) else "another value"


@probe(
    "message.reply",
    "REPLY_ID of a message that replies",
    "in params",
    depends="hook.chats.replies, comments on approvals",
    otherwise="Replies are not recognised, so none is reported.",
    writes=True,
)
def reply(trial: Trial) -> str:
    """Reply to a message and read the reply."""
    number = _message(trial)
    params = as_object(_read(trial, _post(trial, REPLY_ID=number)).get("params"))
    return "in params" if positive_number(params.get("REPLY_ID")) == number else "not in params"


@probe(
    "message.empty",
    "A message without text",
    "400 MESSAGE_EMPTY",
    depends="Bitrix24MessageError; the provider checks it before it sends",
    otherwise="Nothing changes: none is sent.",
    writes=True,
)
def empty(trial: Trial) -> str:
    """Post a message without text."""
    return str(trial.ask(_ADD, {"DIALOG_ID": trial.dialog, "MESSAGE": ""}))


@probe(
    "message.unknown_chat",
    "A message to a chat that does not exist",
    "400 CHAT_ID",
    depends="Bitrix24ChatNotFoundError",
    otherwise="Another code gives the error of that code.",
    writes=True,
)
def unknown_chat(trial: Trial) -> str:
    """Post to a chat that no portal has."""
    return str(trial.ask(_ADD, {"DIALOG_ID": f"chat{UNKNOWN}", "MESSAGE": trial.text("an unknown chat")}))


@probe(
    "message.delete_poll",
    "A poll whose message is deleted",
    "400 ATTACH_NOT_FOUND",
    depends="Bitrix24PollNotFoundError for its waiter alone",
    otherwise="A poll that stays readable is waited for until its deadline.",
    writes=True,
)
def delete_poll(trial: Trial) -> str:
    """Delete a poll's message and read the poll."""
    sent = trial.send("a message that is deleted")
    answer = trial.ask("im.message.delete", {"MESSAGE_ID": sent.message_id})
    if answer.problem is not None:
        raise CouldNotTellError(f"a message could not be deleted: {answer}")
    trial.messages.pop(sent.message_id, None)
    return str(trial.ask(GET, entity(sent.message_id)))


def _template_id(trial: Trial) -> str:
    return str(trial.once("message's template id", lambda: str(uuid.uuid4())))


def _message(trial: Trial) -> int:
    number: int = trial.once("message", lambda: _post(trial, TEMPLATE_ID=_template_id(trial)))
    return number


def _post(trial: Trial, **fields: Any) -> int:
    answer = trial.ask(_ADD, {"DIALOG_ID": trial.dialog, "MESSAGE": trial.text("a message"), **fields})
    number = positive_number(answer.result)
    if number is None:
        raise CouldNotTellError(f"a message could not be posted: {answer}")
    trial.messages[number] = None
    return number


def _read(trial: Trial, number: int) -> dict[str, Any]:
    answer = trial.ask("im.dialog.messages.get", {"DIALOG_ID": trial.dialog, "LIMIT": 50, "LAST_ID": NEWEST})
    for row in as_items(as_object(answer.result).get("messages")):
        if positive_number(as_object(row).get("id")) == number:
            return as_object(row)
    raise CouldNotTellError("a message is not among the newest 50 of its chat")

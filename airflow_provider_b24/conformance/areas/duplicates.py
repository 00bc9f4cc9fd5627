"""By what a portal recognises a poll or a message that is sent again."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING

from airflow_provider_b24.conformance.probe import probe

if TYPE_CHECKING:
    from airflow_provider_b24.conformance.trial import Sent, Trial

_SAME, _ANOTHER = "the first message", "another message"


@probe(
    "duplicate.same_id",
    "A poll sent twice with one templateId (lower-case UUID, version 4)",
    _SAME,
    depends="a poll is sent once, whatever becomes of replies, tries and workers",
    otherwise="Retries may post twice: set the retries of sending tasks to 0, and tell Bitrix24.",
    writes=True,
)
def same_id(trial: Trial) -> str:
    """Send a poll again."""
    first, second = _pair(trial)
    return _compared(first, second)


@probe(
    "duplicate.vote_id",
    "voteId of the second reply",
    "another than that of the first",
    depends="vote_id is read back after a repeated send",
    otherwise="Nothing changes: it is read back in any case.",
    writes=True,
)
def vote_id(trial: Trial) -> str:
    """Compare the vote ids of a poll that was sent again."""
    first, second = _pair(trial)
    return "that of the first" if first.vote_id == second.vote_id else "another than that of the first"


@probe(
    "duplicate.any_text",
    "A poll sent twice with one templateId that is no UUID of version 4",
    _ANOTHER,
    depends="other template ids are refused before anything is sent",
    otherwise="Nothing changes.",
    writes=True,
)
def any_text(trial: Trial) -> str:
    """Send a poll again, with an id of version 5 that belongs to this run."""
    return _twice(trial, str(uuid.uuid5(uuid.NAMESPACE_URL, trial.mark)))


@probe(
    "duplicate.upper_case",
    "A poll sent twice with one templateId in upper case",
    _ANOTHER,
    depends="other template ids are refused before anything is sent",
    otherwise="Nothing changes.",
    writes=True,
)
def upper_case(trial: Trial) -> str:
    """Send a poll again, with an id in upper case."""
    digest = hashlib.sha256(trial.mark.encode()).digest()
    return _twice(trial, str(uuid.UUID(bytes=digest[:16], version=4)).upper())


@probe(
    "duplicate.other_chat",
    "The templateId of a poll, used for another chat",
    _SAME,
    depends="template ids of the provider hold the chat's task, so none is used for two chats",
    otherwise="Nothing changes.",
    writes=True,
)
def other_chat(trial: Trial) -> str:
    """Send a poll into a chat that nobody else is in, with the id of a poll in the first chat."""
    first, _ = _pair(trial)
    template_id = trial.once("template id", lambda: str(uuid.uuid4()))
    second = trial.send("a repeat", chat_id=trial.new_chat(), template_id=template_id)
    return _compared(first, second)


def _pair(trial: Trial) -> tuple[Sent, Sent]:
    pair: tuple[Sent, Sent] = trial.once("pair", lambda: _send_twice(trial))
    return pair


def _send_twice(trial: Trial) -> tuple[Sent, Sent]:
    template_id = trial.once("template id", lambda: str(uuid.uuid4()))
    first, second = (trial.send("a repeat", template_id=template_id) for _ in range(2))
    return first, second


def _twice(trial: Trial, template_id: str) -> str:
    first, second = (trial.send("a repeat", template_id=template_id) for _ in range(2))
    return _compared(first, second)


def _compared(first: Sent, second: Sent) -> str:
    return _SAME if first.message_id == second.message_id else _ANOTHER

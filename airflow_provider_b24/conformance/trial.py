"""What the probes of one run share: the portal, the chat, and what was posted into it."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.conformance.answers import Answer, as_object
from airflow_provider_b24.conformance.unanswered import CouldNotTellError
from airflow_provider_b24.ids import positive_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_b24.conformance.recorder import RecordedPortal

#: An id that no portal has reached.
UNKNOWN = 2_000_000_000
SEND = "vote.Integration.Im.send"
GET = "vote.AttachedVote.get"
GET_MANY = "vote.AttachedVote.getMany"
VOTE = "vote.AttachedVote.vote"
MODULE, ENTITY = "im", "Bitrix\\Vote\\Attachment\\ImMessageConnector"


@dataclass(frozen=True)
class Sent:
    """A poll that was sent.

    :param message_id: its message.
    :param vote_id: the vote id that the reply named.
    :param answer: the reply.
    """

    message_id: int
    vote_id: int
    answer: Answer


@dataclass
class Trial:
    """One run.

    :param portal: answers the calls.
    :param chat_id: the chat to post into.
    :param account_id: the connection's user.
    :param scopes: what the connection may call.
    :param is_application: whether the connection is an OAuth application.
    :param anonymous_value: the ANONYMITY that the connection takes for anonymous.
    :param line_id: an open line, for the probes that need one.
    :param sleep: waits for seconds.
    """

    portal: RecordedPortal
    chat_id: int
    account_id: int
    scopes: frozenset[str]
    is_application: bool
    anonymous_value: int
    line_id: int | None = None
    sleep: Callable[[float], None] = time.sleep
    #: Begins every text of this run, so that a message whose reply was lost is found again.
    mark: str = field(default_factory=lambda: f"Airflow conformance check {secrets.token_hex(4)}")
    #: The messages, chats and connectors to remove in the end.
    messages: dict[int, None] = field(default_factory=dict)
    own_chats: list[int] = field(default_factory=list)
    connectors: list[str] = field(default_factory=list)
    _made: dict[str, Any] = field(default_factory=dict)

    def ask(self, method: str, params: Mapping[str, Any] | None = None, **options: Any) -> Answer:
        """Call a method and return the portal's answer, be it a refusal.

        :param method: the method.
        :param params: its parameters.
        :param options: as :meth:`RecordedPortal.ask` takes them.
        """
        return self.portal.ask(method, params, **options)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what several probes share, made by the first of them.

        :param name: its name.
        :param make: makes it.
        """
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def text(self, subject: str) -> str:
        """Return a text of this run.

        :param subject: what it is for.
        """
        return f"{self.mark}: {subject} (it is deleted at once)"

    @property
    def dialog(self) -> str:
        """How ``im.*`` methods name the chat."""
        return f"chat{self.chat_id}"

    def poll_params(self, subject: str, **changes: Any) -> dict[str, Any]:
        """Return the parameters that send a poll of two answers.

        :param subject: what the poll is for.
        :param changes: ``answers``, ``chat_id``, ``template_id``, and fields of ``IM_MESSAGE_VOTE_DATA``.
        """
        answers = changes.pop("answers", ("One", "Two"))
        question = {
            "QUESTION": self.text(subject),
            "FIELD_TYPE": 0,
            "ANSWERS": [{"MESSAGE": answer} for answer in answers],
        }
        params = {
            "chatId": changes.pop("chat_id", self.chat_id),
            # A reply that was lost must not leave a second poll.
            "templateId": changes.pop("template_id", None) or str(uuid.uuid4()),
        }
        return {**params, "IM_MESSAGE_VOTE_DATA": {"QUESTIONS": [question], **changes}}

    def send(self, subject: str, **changes: Any) -> Sent:
        """Send a poll of two answers.

        :param subject: what the poll is for.
        :param changes: as for :meth:`poll_params`.
        :raises CouldNotTellError: when the portal would not take it.
        """
        answer = self.ask(SEND, self.poll_params(subject, **changes))
        sent = as_object(answer.result)
        message_id, vote_id = positive_number(sent.get("messageId")), positive_number(sent.get("voteId"))
        if message_id is None or vote_id is None:
            raise CouldNotTellError(f"a poll could not be sent: {answer}")
        self.messages[message_id] = None
        return Sent(message_id, vote_id, answer)

    def plain_poll(self) -> Sent:
        """Return the public poll in which nobody votes.

        :raises CouldNotTellError: when the portal would not take it.
        """
        sent: Sent = self.once("plain poll", lambda: self.send("reading", ANONYMITY=1))
        return sent

    def attach(self, message_id: int) -> dict[str, Any]:
        """Return the ``attach`` of a poll.

        :param message_id: the poll's message.
        :raises CouldNotTellError: when the portal does not show it.
        """
        answer = self.ask(GET, entity(message_id))
        attach = answer.row("attach")
        if not attach:
            raise CouldNotTellError(f"a poll could not be read: {answer}")
        return attach

    def vote(self, message_id: int, *positions: int) -> Answer:
        """Vote in a poll.

        :param message_id: the poll's message.
        :param positions: which answers, from 0; none is a ballot with an answer that does not exist.
        """
        attach = self.attach(message_id)
        question, answers = ids_in(attach)
        chosen = [answers[position] for position in positions] or [str(UNKNOWN)]
        return self.ask(VOTE, {**entity(message_id), "ballot": {question: chosen}})

    def new_chat(self) -> int:
        """Open a chat in which the connection's user is alone.

        :raises CouldNotTellError: when the portal would not open it.
        """
        answer = self.ask("im.chat.add", {"TYPE": "CHAT", "TITLE": self.text("a chat that nobody else sees")})
        chat_id = positive_number(answer.result)
        if chat_id is None:
            raise CouldNotTellError(f"a chat could not be opened: {answer}")
        self.own_chats.append(chat_id)
        return chat_id

    def leave(self, chat_id: int) -> Answer:
        """Leave a chat.

        :param chat_id: the chat.
        """
        return self.ask("im.chat.leave", {"CHAT_ID": chat_id})


def entity(message_id: int, **more: Any) -> dict[str, Any]:
    """Return the parameters that name a poll by its message.

    :param message_id: the message.
    :param more: further parameters.
    """
    return {"moduleId": MODULE, "entityType": ENTITY, "entityId": message_id, **more}


def ids_in(attach: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the id of a poll's question, and those of its answers in the order of the chat.

    :param attach: the poll as the portal shows it.
    :raises CouldNotTellError: when it has none.
    """
    questions = as_object(attach.get("QUESTIONS"))
    for question, row in questions.items():
        answers = as_object(as_object(row).get("ANSWERS"))
        if answers:
            return question, sorted(answers, key=lambda key: (len(key), key))
    raise CouldNotTellError("a poll has no answers")


def counters_in(attach: dict[str, Any]) -> list[Any]:
    """Return the counters of a poll's answers, as they were written.

    :param attach: the poll as the portal shows it.
    """
    question, answers = ids_in(attach)
    rows = attach["QUESTIONS"][question]["ANSWERS"]
    return [as_object(rows[answer]).get("COUNTER") for answer in answers]


def chosen_in(attach: dict[str, Any]) -> list[str]:
    """Return the answers that the connection's user has chosen.

    :param attach: the poll as the portal shows it.
    """
    own = as_object(attach.get("userAnswerMap"))
    return [answer for row in own.values() for answer in as_object(row)]

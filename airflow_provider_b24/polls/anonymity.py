"""Which ANONYMITY hides who voted: a vote of our own shows it, before the first anonymous poll is sent.

Bitrix24's clients and its published source take 2 for anonymous and 1 for public; its documentation says that
1 is anonymous. Nothing that a portal returns before a vote tells which: it shows the number that it was sent.
So the connection's user opens a chat in which nobody else is, sends one poll of each kind, votes, and looks
whether the portal names the voter. The polls are deleted, and the chat is left. What was found is used, and
kept where all workers see it. A connection whose extra ``anonymous_value`` says the number is taken at its
word.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import (
    Bitrix24AnonymityError,
    Bitrix24AuthError,
    Bitrix24Error,
    Bitrix24MethodNotFoundError,
    Bitrix24ScopeError,
    Outcome,
)
from airflow_provider_b24.polls.anonymity_memory import AnonymityMemory
from airflow_provider_b24.polls.attach import poll_in_reply
from airflow_provider_b24.polls.draft import ANONYMOUS, PUBLIC
from airflow_provider_b24.polls.reference import PollReference, ReferenceKind
from airflow_provider_b24.polls.template_id import fresh_template_id
from airflow_provider_b24.polls.voters import read_poll_and_voters
from airflow_provider_b24.rest.php import as_dict, as_id, promised

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from airflow_provider_b24.rest.client import Bitrix24Client

log = logging.getLogger(__name__)

SEND = "vote.Integration.Im.send"
_GET, _VOTE, _STOP = "vote.AttachedVote.get", "vote.AttachedVote.vote", "vote.AttachedVote.stop"
_OPEN, _LEAVE, _DELETE = "im.chat.add", "im.chat.leave", "im.message.delete"
_TITLE = "Airflow: check of anonymous polls"


def anonymous_number(client: Bitrix24Client) -> int:
    """Return the ANONYMITY that the connection takes for anonymous.

    :param client: the connection's client.
    """
    return client.anonymous_value or ANONYMOUS


class AnonymityGuard:
    """Lets an anonymous poll pass only on a portal that keeps it anonymous.

    :param client: the connection's client.
    :param clock: returns Unix seconds.
    """

    def __init__(self, client: Bitrix24Client, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._is_checked = False
        self._memory = AnonymityMemory(client.portal, clock=clock)

    def is_anonymous(self, data: dict[str, Any]) -> bool:
        """Say whether a poll is meant to be anonymous.

        :param data: ``IM_MESSAGE_VOTE_DATA``.
        """
        return str(data.get("ANONYMITY")) == str(anonymous_number(self._client))

    def checked(self, data: dict[str, Any], *, is_raw: bool) -> dict[str, Any]:
        """Return an anonymous poll with the number that hides who voted; nobody sees anything of the check.

        :param data: ``IM_MESSAGE_VOTE_DATA`` of an anonymous poll.
        :param is_raw: whether the caller has written the number, so that it must be the right one.
        :raises Bitrix24AnonymityError: when the portal hides nobody, or not with the caller's number.
        :raises Bitrix24Error: when the portal can't be reached; nothing was sent.
        """
        given, number = anonymous_number(self._client), self.number()
        if is_raw and number != given:
            raise self._error(
                f"The portal hides who voted with ANONYMITY {number}, and not with {given}; "
                "the anonymous poll was not sent"
            )
        return {**data, "ANONYMITY": number}

    def number(self) -> int:
        """Return the number that hides who voted, which the first call looks for.

        :raises Bitrix24AnonymityError: when the portal hides nobody.
        """
        if not self._is_checked and self._client.anonymous_value is None:
            # What the connection's client sends and reads from now on is meant in this way.
            self._client.anonymous_value = self._memory.number(self._look)
        self._is_checked = True
        return anonymous_number(self._client)

    def withdraw(self, message_id: int) -> Bitrix24AnonymityError:
        """Delete a poll that came back as public, or else stop it, and return the error that says so.

        :param message_id: the poll's message.
        """
        what = "could be neither deleted nor stopped: stop it by hand"
        if self._tried(_DELETE, {"MESSAGE_ID": message_id}):
            what = "was deleted at once"
        elif self._tried(_STOP, PollReference(ReferenceKind.MESSAGE, message_id).params()):
            what = "was stopped at once, and could not be deleted"
        return self._error(f"The portal stored an anonymous poll as public; message {message_id} {what}")

    def _look(self) -> int | None:
        """Look what the portal does; return None when it does not show it."""
        try:
            hides = self._effects()
        except Bitrix24Error as error:
            if not _is_unanswerable(error):
                raise _nothing_sent(error) from None
            self._warn(f"{error.method}: {error.code}")
            return None
        if all(hides.values()):
            self._warn("it names no voter of a public poll either")
            return None
        for number, is_hidden in hides.items():
            if is_hidden:
                return number
        raise self._error(
            "The portal shows who voted with ANONYMITY 2 and 1; the anonymous poll was not sent"
        )

    def _warn(self, reason: str) -> None:
        log.warning(
            "Connection %r: whether this portal hides who votes in anonymous polls can't be checked (%s). "
            "They are sent with ANONYMITY %d, as Bitrix24's own clients send them. Run "
            "python -m airflow_provider_b24.conformance, and set the connection's extra anonymous_value",
            self._client.conn_id,
            reason,
            ANONYMOUS,
        )

    def _effects(self) -> dict[int, bool]:
        """Return for both numbers whether they hide who voted."""
        chat_id = self._client.call(_OPEN, {"TYPE": "CHAT", "TITLE": _TITLE}, repeatable=True)
        with promised("a chat's id", method=_OPEN, conn_id=self._client.conn_id):
            chat = as_id(chat_id)
        try:
            return {number: self._hides(chat, number) for number in PUBLIC}
        finally:
            self._tried(_LEAVE, {"CHAT_ID": chat})

    def _hides(self, chat_id: int, number: int) -> bool:
        reference = self._send(chat_id, number)
        try:
            return self._vote_and_look(reference)
        finally:
            self._tried(_DELETE, {"MESSAGE_ID": reference.value})

    def _send(self, chat_id: int, number: int) -> PollReference:
        question = {
            "QUESTION": f"Does ANONYMITY {number} hide who voted?",
            "FIELD_TYPE": 0,
            "ANSWERS": [{"MESSAGE": "Yes"}, {"MESSAGE": "No"}],
        }
        data = {"QUESTIONS": [question], "ANONYMITY": number, "OPTIONS": 0}
        params = {"chatId": chat_id, "IM_MESSAGE_VOTE_DATA": data, "templateId": fresh_template_id()}
        result = self._client.call(SEND, params)
        with promised("a message id", method=SEND, conn_id=self._client.conn_id):
            return PollReference(ReferenceKind.MESSAGE, as_id(as_dict(result).get("messageId")))

    def _vote_and_look(self, reference: PollReference) -> bool:
        result = self._client.call(_GET, reference.params())
        question = poll_in_reply(self._client, _GET, result, reference).questions[0]
        ballot = {str(question.id): [question.answers[0].id]}
        self._client.call(_VOTE, {**reference.params(), "ballot": ballot}, repeatable=True)
        poll, voters = read_poll_and_voters(self._client, reference)
        if not poll.voters:
            raise self._error("The portal did not count the vote that shows which polls are anonymous")
        return not any(voters.values())

    def _tried(self, method: str, params: dict[str, Any]) -> bool:
        with suppress(Bitrix24Error):
            self._client.call(method, params, repeatable=True)
            return True
        return False

    def _error(self, text: str) -> Bitrix24AnonymityError:
        return Bitrix24AnonymityError(text, outcome=Outcome.REFUSED, conn_id=self._client.conn_id)


def _is_unanswerable(error: Bitrix24Error) -> bool:
    """Say whether the portal refuses to show what it does, and would do so again."""
    if isinstance(error, Bitrix24AnonymityError):
        return False
    if isinstance(error, Bitrix24ScopeError | Bitrix24MethodNotFoundError):
        # Without the scope of polls, the poll itself fails in the same way, and says so better.
        return not str(error.method).lower().startswith("vote.")
    return error.outcome is Outcome.REFUSED and not isinstance(error, Bitrix24AuthError)


def _nothing_sent(error: Bitrix24Error) -> Bitrix24Error:
    if error.outcome is Outcome.UNKNOWN:
        # What is unknown concerns the check; the poll was not sent.
        error.outcome = Outcome.NOT_EXECUTED
    error.may_have_executed = False
    return error

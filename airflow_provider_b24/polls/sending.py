"""Sending a poll into a chat exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import (
    Bitrix24Error,
    Bitrix24PollError,
    Outcome,
)
from airflow_provider_b24.ids import parse_chat_id, positive_number
from airflow_provider_b24.polls.template_id import check_template_id, fresh_template_id
from airflow_provider_b24.rest.php import as_dict, as_id, promised

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.exceptions import Bitrix24OutcomeUnknownError
    from airflow_provider_b24.polls.anonymity import AnonymityGuard
    from airflow_provider_b24.polls.poll import Poll
    from airflow_provider_b24.rest.client import Bitrix24Client
    from airflow_provider_b24.rest.response import Response

#: Pauses in seconds while an earlier copy of the same poll is still in flight.
_IN_FLIGHT_BACKOFF = (1.0, 2.0, 4.0, 8.0, 15.0)
_STILL_IN_FLIGHT = (
    "Either an earlier copy of the poll is still in flight (the portal forgets a broken one after an hour), "
    "or the connection's user may not post polls in the chat."
)
_METHOD = "vote.Integration.Im.send"


class PollSending:
    """Sends polls so that a repeat finds the poll that exists instead of making another.

    :param client: the portal's client.
    :param read: reads what was sent back from the portal.
    :param guard: lets an anonymous poll pass only where it stays anonymous.
    :param sleep: waits for seconds.
    """

    def __init__(
        self,
        client: Bitrix24Client,
        *,
        read: Callable[[dict[str, int]], Poll],
        guard: AnonymityGuard,
        sleep: Callable[[float], None],
    ) -> None:
        self._client = client
        self._read = read
        self._guard = guard
        self._sleep = sleep

    def send(
        self,
        chat_id: int | str,
        data: dict[str, Any],
        template_id: str | None,
        may_have_sent: bool | None,
        *,
        is_raw: bool,
    ) -> dict[str, int]:
        """Send checked data and return ``{"message_id", "vote_id", "chat_id"}``.

        :param chat_id: the chat's number, or ``chatN``.
        :param data: ``IM_MESSAGE_VOTE_DATA``.
        :param template_id: the poll's own id; None takes a fresh one.
        :param may_have_sent: whether this template id may have been sent before; None: if it is given.
        :param is_raw: whether the caller has written the data, and with it the number of anonymous polls.
        :raises Bitrix24OutcomeUnknownError: when the poll may be in the chat and no template id was given.
        :raises Bitrix24AnonymityError: when it is anonymous, and would not be so on this portal.
        """
        chat = parse_chat_id(chat_id)
        known = check_template_id(template_id) if template_id else None
        repeated = known is not None if may_have_sent is None else may_have_sent
        template = known or fresh_template_id()
        if self._guard.is_anonymous(data):
            data = self._guard.checked(data, is_raw=is_raw)
        params = {"chatId": chat, "IM_MESSAGE_VOTE_DATA": data, "templateId": template}
        try:
            return self._send_once(params, repeated=repeated)
        except Bitrix24Error as error:
            if not _may_have_sent(error):
                raise
            if known is None:
                raise self._outcome_unknown(error, template) from error
            error.advice = f"{error.advice} {_advice(template)}".lstrip()
            raise

    def _send_once(self, params: dict[str, Any], *, repeated: bool) -> dict[str, int]:
        response, repeated = self._send_after_duplicate(params, repeated=repeated)
        message_id = self._message_id(response)
        # A repeated send names the first message but a vote that is attached to nothing.
        vote_id = None if repeated else positive_number(as_dict(response.result).get("voteId"))
        sent = {"message_id": message_id, "chat_id": params["chatId"]}
        if self._guard.is_anonymous(params["IM_MESSAGE_VOTE_DATA"]):
            return {**sent, "vote_id": self._read_anonymous(sent).vote_id}
        return {**sent, "vote_id": vote_id or self._read_back(sent).vote_id}

    def _read_anonymous(self, sent: dict[str, int]) -> Poll:
        """Return an anonymous poll, or withdraw it at once if the portal stored it as a public one."""
        poll = self._read_back(sent)
        if not poll.anonymous:
            raise self._guard.withdraw(sent["message_id"])
        return poll

    def _read_back(self, sent: dict[str, int]) -> Poll:
        try:
            return self._read(sent)
        except Bitrix24Error as error:
            # The poll is in the chat, whatever becomes of reading it.
            error.may_have_executed = True
            raise

    def _send_after_duplicate(self, params: dict[str, Any], *, repeated: bool) -> tuple[Response, bool]:
        """Send; while an earlier copy may be in flight, a refusal is a reason to wait and retry.

        :returns: the response, and whether the poll may have been sent before.
        """
        pauses = list(_IN_FLIGHT_BACKOFF)
        in_doubt = False
        while True:
            try:
                response = self._client.request(_METHOD, params)
            except Bitrix24PollError as error:
                in_doubt = in_doubt or error.may_have_executed
                repeated = repeated or in_doubt
                if not repeated:
                    raise
                if not pauses:
                    error.outcome, error.advice = Outcome.UNKNOWN, _STILL_IN_FLIGHT
                    error.may_have_executed = True
                    raise
                self._sleep(pauses.pop(0))
            except Bitrix24Error as error:
                # A send that was not executed says nothing of an earlier one with the same template id.
                in_doubt = in_doubt or (repeated and error.outcome is not Outcome.NOT_EXECUTED)
                error.may_have_executed = error.may_have_executed or in_doubt
                raise
            else:
                return response, repeated or response.may_have_executed

    def _message_id(self, response: Response) -> int:
        with promised("a message id and a vote id", method=_METHOD, conn_id=self._client.conn_id):
            return as_id(as_dict(response.result).get("messageId"))

    def _outcome_unknown(self, error: Bitrix24Error, template_id: str) -> Bitrix24OutcomeUnknownError:
        """Return the error for a poll that a repeat would duplicate, since it takes another template id."""
        reason = f"{_STILL_IN_FLIGHT} " if error.advice == _STILL_IN_FLIGHT else ""
        return self._client.outcome_unknown(
            _METHOD,
            error.description or "",
            code=error.code,
            status=error.status,
            attempts=error.attempts,
            may_have_executed=True,
            advice=f"{reason}Look whether the poll is in the chat. {_advice(template_id)}",
        )


def _advice(template_id: str) -> str:
    return f"A send with template_id={template_id!r} returns the poll if it exists."


def _may_have_sent(error: Bitrix24Error) -> bool:
    return error.may_have_executed or error.outcome is Outcome.UNKNOWN

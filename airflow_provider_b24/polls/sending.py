"""A poll on its way into a chat, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import (
    Bitrix24Error,
    Bitrix24OutcomeUnknownError,
    Bitrix24PollError,
    Bitrix24ServerError,
    Outcome,
)
from airflow_provider_b24.ids import parse_chat_id
from airflow_provider_b24.polls.template_id import check_template_id, fresh_template_id

if TYPE_CHECKING:
    from airflow_provider_b24.rest.client import Bitrix24Client
    from airflow_provider_b24.rest.response import Response

#: Pauses in seconds while the portal is still busy with an earlier copy of the same poll.
_TWIN_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
_STILL_BUSY = (
    "Either an earlier copy of the poll is still under way (the portal forgets a broken one after an hour), "
    "or the connection's user may not post polls in the chat."
)
_METHOD = "vote.Integration.Im.send"


class PollSending:
    """Sends polls so that a repeat finds the poll that exists instead of making another.

    :param read_vote_id: reads the vote id of what was sent back from the portal.
    """

    def __init__(
        self,
        client: Bitrix24Client,
        *,
        read_vote_id: Callable[[dict[str, int]], int],
        sleep: Callable[[float], None],
    ) -> None:
        self._client = client
        self._read_vote_id = read_vote_id
        self._sleep = sleep

    def send(
        self, chat_id: int | str, data: dict[str, Any], template_id: str | None, may_have_sent: bool | None
    ) -> dict[str, int]:
        """Send checked data and return ``{"message_id", "vote_id", "chat_id"}``."""
        chat = parse_chat_id(chat_id)
        known = check_template_id(template_id) if template_id else None
        repeated = known is not None if may_have_sent is None else may_have_sent
        template = known or fresh_template_id()
        params = {"chatId": chat, "IM_MESSAGE_VOTE_DATA": data, "templateId": template}
        try:
            return self._send_once(params, repeated=repeated)
        except Bitrix24Error as error:
            if known is None and (error.outcome is Outcome.UNKNOWN or error.may_have_executed):
                raise _perhaps_sent(error, template) from error
            raise

    def _send_once(self, params: dict[str, Any], *, repeated: bool) -> dict[str, int]:
        answer, repeated = self._send_past_twin(params, repeated=repeated)
        sent = self._sent(answer, params["chatId"])
        if repeated:
            try:
                # A repeated send names the first message but a vote that hangs on nothing.
                sent["vote_id"] = self._read_vote_id(sent)
            except Bitrix24Error as error:
                # The poll is sent; only its vote id is not known.
                error.may_have_executed = True
                raise
        return sent

    def _send_past_twin(self, params: dict[str, Any], *, repeated: bool) -> tuple[Response, bool]:
        """Send; while an earlier copy may still be under way, take a refusal for a reason to wait.

        :returns: the answer, and whether the poll may have been sent before.
        """
        pauses = list(_TWIN_PAUSES)
        while True:
            try:
                answer = self._client.request(_METHOD, params)
            except Bitrix24PollError as error:
                repeated = repeated or (error.attempts or 1) > 1
                if not repeated:
                    raise
                if not pauses:
                    error.outcome, error.advice = Outcome.UNKNOWN, _STILL_BUSY
                    raise
                self._sleep(pauses.pop(0))
            except Bitrix24Error as error:
                # The earlier copy may be under way, whatever became of this one.
                error.may_have_executed |= len(pauses) < len(_TWIN_PAUSES)
                raise
            else:
                return answer, repeated or answer.attempts > 1

    def _sent(self, answer: Response, chat: int) -> dict[str, int]:
        result = answer.result
        if not isinstance(result, Mapping) or not result.get("messageId"):
            raise Bitrix24ServerError(
                method=_METHOD,
                description="the reply has no messageId",
                outcome=Outcome.UNKNOWN,
                conn_id=self._client.conn_id,
            )
        vote_id = int(result.get("voteId") or 0)
        return {"message_id": int(result["messageId"]), "vote_id": vote_id, "chat_id": chat}


def _perhaps_sent(error: Bitrix24Error, template_id: str) -> Bitrix24OutcomeUnknownError:
    """Return the error for a poll that a repeat would double, since a repeat takes another template id."""
    return Bitrix24OutcomeUnknownError(
        method=_METHOD,
        code=error.code,
        description=error.description,
        status=error.status,
        attempts=error.attempts,
        outcome=Outcome.UNKNOWN,
        conn_id=error.conn_id,
        advice=f"Look whether the poll is in the chat, or send it with template_id={template_id!r}: "
        "the portal then returns the poll that exists.",
    )

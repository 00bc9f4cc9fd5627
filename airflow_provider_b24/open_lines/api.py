"""Open lines of one portal: connector messages and CRM chats."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24Error, Outcome
from airflow_provider_b24.open_lines.conversations import ConversationsApi
from airflow_provider_b24.open_lines.crm import entity_params, send_to_chat
from airflow_provider_b24.open_lines.messages import check_target, prepare_deletions, prepare_messages
from airflow_provider_b24.open_lines.report import (
    Delivery,
    DeliveryReport,
    DeliveryStatus,
    read_deliveries,
)
from airflow_provider_b24.utils.frames import hide_frames

if TYPE_CHECKING:
    from airflow_provider_b24.rest.client import Bitrix24Client

log = logging.getLogger(__name__)

#: Messages in one request: the portal may wait six seconds for each one's lock, and a request has sixty.
MAX_REQUEST_MESSAGES = 10
#: Requests in a row without a response, after which no more are sent.
_MAX_CONSECUTIVE_FAILURES = 2


@hide_frames
class OpenLinesApi(ConversationsApi):
    """The ``imconnector.*`` messages and ``imopenlines.crm.*`` methods of one portal.

    ``imconnector.*`` refuses webhooks: the connection must be an OAuth application, the one that
    registered the connector.
    """

    def __init__(self, client: Bitrix24Client, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._clock = clock

    def send(
        self, *, connector: str, line: int | str, messages: Iterable[Mapping[str, Any]]
    ) -> DeliveryReport:
        """Push messages from outside into an open line, and report on each.

        Method: ``imconnector.send.messages``
        (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-send-messages.html).

        The portal does not recognise repeated messages, so a request whose reply is lost is not retried:
        its messages are reported as *unknown*. After two lost replies in a row the rest is not sent.

        :param connector: the id under which the connector is registered.
        :param line: the open line's number.
        :param messages: ``{"user": …, "message": …, "chat": …}`` each, as the page shows them.
        :raises Bitrix24ValidationError: when a message is not usable; nothing is sent.
        :raises Bitrix24AuthTypeError: when the connection is a webhook.
        :raises Bitrix24Error: when the portal refuses the first request as a whole.
        """
        prepared = prepare_messages(_listed(messages), now=self._clock())
        target = check_target(connector, line)
        return self._push("imconnector.send.messages", target, prepared, needs_session=True)

    def update(
        self, *, connector: str, line: int | str, messages: Iterable[Mapping[str, Any]]
    ) -> DeliveryReport:
        """Change messages that were pushed before, found by their ids (``imconnector.update.messages``).

        The portal reports success for ids that it doesn't know, too.

        :param connector: the id under which the connector is registered.
        :param line: the open line's number.
        :param messages: as they were sent, with their new text or files.
        :raises Bitrix24ValidationError: when a message is not usable; nothing is sent.
        """
        prepared = prepare_messages(_listed(messages), now=self._clock())
        return self._push("imconnector.update.messages", check_target(connector, line), prepared)

    def delete(
        self, *, connector: str, line: int | str, messages: Iterable[Mapping[str, Any]]
    ) -> DeliveryReport:
        """Delete messages that were pushed before (``imconnector.delete.messages``).

        :param connector: the id under which the connector is registered.
        :param line: the open line's number.
        :param messages: the ids of user, message and chat; other keys are ignored.
        :raises Bitrix24ValidationError: when a message is not usable; nothing is sent.
        """
        prepared = prepare_deletions(_listed(messages))
        return self._push("imconnector.delete.messages", check_target(connector, line), prepared)

    def send_to_crm_chat(
        self,
        *,
        entity_type: str,
        entity_id: int | str,
        user_id: int | str,
        message: str,
        chat_id: int | str | None = None,
    ) -> dict[str, int]:
        """Post a message to the open-line chat of a CRM item (``imopenlines.crm.message.add``).

        :param entity_type: ``lead``, ``deal``, ``company`` or ``contact``.
        :param entity_id: the item's id.
        :param user_id: who says it: an employee or a bot who is a member of the chat.
        :param message: the text.
        :param chat_id: the chat; None looks it up (``imopenlines.crm.chat.get``).
        :returns: ``{"message_id", "chat_id"}``.
        :raises Bitrix24CrmChatError: when no conversation is tied to the item.
        """
        entity = entity_params(entity_type, entity_id)
        return send_to_chat(self._client, entity, user_id=user_id, chat_id=chat_id, message=message)

    def _push(
        self,
        method: str,
        target: dict[str, Any],
        messages: list[dict[str, Any]],
        *,
        needs_session: bool = False,
    ) -> DeliveryReport:
        report = DeliveryReport()
        consecutive_failures = 0
        while len(report.items) < len(messages):
            rest = messages[len(report.items) :]
            if consecutive_failures == _MAX_CONSECUTIVE_FAILURES:
                reason = "not sent, because earlier requests had no response"
                report.items += _same_status(rest, DeliveryStatus.REJECTED, reason)
                break
            chunk = rest[:MAX_REQUEST_MESSAGES]
            try:
                result = self._client.call(method, {**target, "MESSAGES": chunk})
            except Bitrix24Error as error:
                consecutive_failures += 1
                report.items += _after_failure(error, chunk=chunk, rest=rest, is_first=not report.items)
            else:
                consecutive_failures = 0
                report.items += read_deliveries(chunk, result, needs_session=needs_session)
        log.info("%s: %s", method, report)
        return report


def _after_failure(
    error: Bitrix24Error, *, chunk: list[dict[str, Any]], rest: list[dict[str, Any]], is_first: bool
) -> list[Delivery]:
    """Return what a failed request means for its messages, and for those after it."""
    reason = ": ".join(part for part in (error.code, error.description or error.message) if part)
    if error.outcome is Outcome.UNKNOWN:
        log.warning("%d messages may or may not be delivered: %s", len(chunk), error)
        return _same_status(chunk, DeliveryStatus.UNKNOWN, reason)
    if is_first:
        raise error
    # What is delivered must be reported, so the rest is too instead of raising.
    log.warning("%d messages are not delivered: %s", len(rest), error)
    return _same_status(rest, DeliveryStatus.REJECTED, reason, error.advice)


def _same_status(messages: list[dict[str, Any]], status: DeliveryStatus, *reasons: str) -> list[Delivery]:
    errors = tuple(filter(None, reasons))
    return [Delivery(str(message["message"]["id"]), status, errors) for message in messages]


def _listed(messages: Any) -> Any:
    return (
        list(messages)
        if isinstance(messages, Iterable) and not isinstance(messages, str | Mapping)
        else messages
    )

"""Open lines of one portal: connector messages and CRM chats."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24Error, Outcome
from airflow_provider_b24.field_values import as_choice
from airflow_provider_b24.open_lines.conversations import ConversationsApi
from airflow_provider_b24.open_lines.crm import CrmMemory, entity_params, send_to_chat
from airflow_provider_b24.open_lines.messages import check_target, prepare_deletions, prepare_messages
from airflow_provider_b24.open_lines.pushing.journal import NoJournal
from airflow_provider_b24.open_lines.pushing.push import (
    MAX_REQUEST_MESSAGES,
    NO_RESPONSE,
    SEND,
    Push,
    PushOptions,
)
from airflow_provider_b24.open_lines.pushing.source import ListSource
from airflow_provider_b24.open_lines.report import (
    Delivery,
    DeliveryReport,
    DeliveryStatus,
    PushSummary,
    read_deliveries,
)
from airflow_provider_b24.utils.frames import hide_frames

if TYPE_CHECKING:
    from airflow_provider_b24.open_lines.pushing.journal import Journal
    from airflow_provider_b24.open_lines.pushing.outgoing import OutgoingMessage
    from airflow_provider_b24.open_lines.pushing.source import Source
    from airflow_provider_b24.rest.client import Bitrix24Client

log = logging.getLogger(__name__)

IF_INVALID = ("report", "fail")
REDELIVERY = ("at_most_once", "at_least_once")
#: Requests in a row without a response, after which no more are sent.
_MAX_CONSECUTIVE_FAILURES = 2


@dataclass(frozen=True)
class PushResult:
    """The end of a push.

    :param summary: the counts, and as many deliveries as fit into an XCom.
    :param error: why not all messages were sent; None when they were.
    """

    summary: PushSummary
    error: Bitrix24Error | None


@hide_frames
class OpenLinesApi(ConversationsApi):
    """The ``imconnector.*`` messages and ``imopenlines.crm.*`` methods of one portal.

    ``imconnector.*`` refuses webhooks: the connection must be an OAuth application, the one that
    registered the connector.
    """

    def __init__(
        self,
        client: Bitrix24Client,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep

    def send(
        self,
        *,
        connector: str,
        line: int | str,
        messages: Iterable[Mapping[str, Any]],
        if_invalid: str = "fail",
        redelivery: str = "at_most_once",
    ) -> DeliveryReport:
        """Push messages from outside into an open line, and report on each.

        Method: ``imconnector.send.messages``
        (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-send-messages.html).

        The portal does not recognise repeated messages. After a lost reply their conversations are read, and
        what did not arrive is sent again; what the portal does not show is reported as *unknown*. After two
        such requests in a row the rest is not sent.

        :param connector: the id under which the connector is registered.
        :param line: the open line's number.
        :param messages: ``{"user": …, "message": …, "chat": …}`` each, as the page shows them.
        :param if_invalid: ``fail`` before anything is sent when a message breaks a rule, or ``report`` it and
            send the others.
        :param redelivery: ``at_most_once`` leaves a message *unknown* when the portal does not show whether
            it arrived, ``at_least_once`` sends it again.
        :raises Bitrix24ValidationError: when a message is not usable and ``if_invalid`` is ``fail``.
        :raises Bitrix24AuthTypeError: when the connection is a webhook.
        :raises Bitrix24Error: when the portal refuses the first request as a whole.
        """
        report = DeliveryReport()
        self.push(
            connector=connector,
            line=line,
            source=ListSource(messages),
            take=lambda message: report.items.append(message.result),
            options=PushOptions(
                as_choice(if_invalid, "if_invalid", IF_INVALID),
                as_choice(redelivery, "redelivery", REDELIVERY),
            ),
        )
        return report

    def push(
        self,
        *,
        connector: str,
        line: int | str,
        source: Source,
        take: Callable[[OutgoingMessage], None],
        options: PushOptions,
        journal: Journal | None = None,
    ) -> PushResult:
        """Push the messages of a source of any size, and hand on what became of each.

        :param connector: the id under which the connector is registered.
        :param line: the open line's number.
        :param source: the messages.
        :param take: called with what became of each message, in their order.
        :param options: how the push behaves.
        :param journal: what it notes for another try; None: there is none.
        :returns: the counts, and why not all messages were sent.
        :raises Bitrix24Error: when nothing was sent at all.
        """
        push = Push(
            self._client,
            check_target(connector, line),
            source,
            journal=journal or NoJournal(),
            take=take,
            options=options,
            clock=self._clock,
            sleep=self._sleep,
        )
        error = push.run()
        log.info("%s: %s", SEND, push.summary)
        return PushResult(push.summary, error)

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
        return self._change("imconnector.update.messages", check_target(connector, line), prepared)

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
        return self._change("imconnector.delete.messages", check_target(connector, line), prepared)

    def send_to_crm_chat(
        self,
        *,
        entity_type: str,
        entity_id: int | str,
        user_id: int | str,
        message: str,
        chat_id: int | str | None = None,
        memory: CrmMemory | None = None,
    ) -> dict[str, int]:
        """Post a message to the open-line chat of a CRM item (``imopenlines.crm.message.add``).

        After a lost reply the chat is read, where the connection's user is a member of it.

        :param entity_type: ``lead``, ``deal``, ``company`` or ``contact``.
        :param entity_id: the item's id.
        :param user_id: who says it: an employee or a bot who is a member of the chat.
        :param message: the text.
        :param chat_id: the chat; None looks it up (``imopenlines.crm.chat.get``).
        :param memory: what an earlier try remembers; None: there was none.
        :returns: ``{"message_id", "chat_id"}``.
        :raises Bitrix24CrmChatError: when no conversation is tied to the item.
        """
        entity = entity_params(entity_type, entity_id)
        return send_to_chat(
            self._client,
            entity,
            user_id=user_id,
            chat_id=chat_id,
            message=message,
            memory=memory or CrmMemory(sleep=self._sleep),
        )

    def _change(self, method: str, target: dict[str, Any], messages: list[dict[str, Any]]) -> DeliveryReport:
        report = DeliveryReport()
        consecutive_failures = 0
        while len(report.items) < len(messages):
            rest = messages[len(report.items) :]
            if consecutive_failures == _MAX_CONSECUTIVE_FAILURES:
                report.items += _same_status(rest, DeliveryStatus.REJECTED, NO_RESPONSE)
                break
            chunk = rest[:MAX_REQUEST_MESSAGES]
            try:
                result = self._client.call(method, {**target, "MESSAGES": chunk})
            except Bitrix24Error as error:
                consecutive_failures += 1
                report.items += _after_failure(error, chunk=chunk, rest=rest, is_first=not report.items)
            else:
                consecutive_failures = 0
                report.items += read_deliveries(chunk, result, needs_session=False)
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

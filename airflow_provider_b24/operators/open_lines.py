"""Push messages into open lines and into the chats of CRM items."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_b24.ids import parse_chat_id, parse_id
from airflow_provider_b24.operators.base import Bitrix24BaseOperator, keep_result
from airflow_provider_b24.operators.connectors import (
    Bitrix24GetSessionHistoryOperator,
    Bitrix24MarkDeliveredOperator,
    Bitrix24MarkReadOperator,
    Bitrix24SetUpConnectorOperator,
)
from airflow_provider_b24.rendered import as_choice, as_text, as_texts, check_literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_b24.open_lines.report import DeliveryReport
    from airflow_provider_b24.rendered import Templated

__all__ = [
    "Bitrix24DeleteConnectorMessagesOperator",
    "Bitrix24GetSessionHistoryOperator",
    "Bitrix24MarkDeliveredOperator",
    "Bitrix24MarkReadOperator",
    "Bitrix24SendConnectorMessagesOperator",
    "Bitrix24SendCrmChatMessageOperator",
    "Bitrix24SetUpConnectorOperator",
    "Bitrix24UpdateConnectorMessagesOperator",
]

_IF_UNDELIVERED = ("fail", "report")


class _ConnectorMessagesOperator(Bitrix24BaseOperator):
    """An operator on the messages of one connector on one open line."""

    template_fields: Sequence[str] = (
        "bitrix24_conn_id",
        "connector",
        "line",
        "messages",
        "if_undelivered",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json"}

    def __init__(
        self,
        *,
        connector: Templated[str],
        line: Templated[int],
        messages: Templated[Sequence[Mapping[str, Any] | XComArg]],
        if_undelivered: Templated[str] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connector: Any = connector
        self.line: Any = line
        self.messages: Any = messages
        self.if_undelivered: Any = if_undelivered
        check_literal(line, parse_id, "line")
        check_literal(if_undelivered, as_choice, "if_undelivered", _IF_UNDELIVERED)

    def execute(self, context: Context) -> dict[str, Any]:
        """Call the open line and return the report."""
        if_undelivered = as_choice(self.if_undelivered, "if_undelivered", _IF_UNDELIVERED)
        target = {"connector": as_text(self.connector), "line": self.line}
        # A date is a number of its own.
        report = self._deliver(**target, messages=as_texts(self.messages, but=("date",)))
        for item in report.items:
            if item.errors:
                self.log.warning("Message %s: %s: %s", item.message_id, item.status, "; ".join(item.errors))
        if if_undelivered == "fail" and report.accepted < len(report.items):
            self._fail(context, report)
        return report.to_dict()

    @abstractmethod
    def _deliver(self, **arguments: Any) -> DeliveryReport:
        """Send, change or delete the messages."""

    def _fail(self, context: Context, report: DeliveryReport) -> None:
        from airflow_provider_b24.exceptions import Bitrix24DeliveryError

        keep_result(context, report.to_dict())
        raise Bitrix24DeliveryError(
            f"Not all messages are delivered: {report}; the report is in XCom",
            report=report.to_dict(),
            conn_id=self.bitrix24_conn_id,
        )


class Bitrix24SendConnectorMessagesOperator(_ConnectorMessagesOperator):
    """Push messages from an outside system into an open line, with a report on each.

    The connection must be an OAuth application, the one that registered the connector. The portal
    does not recognise repeated messages: a lost reply is reported as *unknown* and not sent again,
    and undelivered messages fail the task without a retry, which would double the delivered ones.

    Method: ``imconnector.send.messages``
    (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-send-messages.html).

    :param connector: the id under which the connector is registered (templated).
    :param line: the open line's number (templated).
    :param messages: ``{"user": …, "message": …, "chat": …}`` each, as the method's page shows them
        (templated).
    :param if_undelivered: ``fail`` the task when a message is not accepted, or ``report`` it only
        (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: ``{"accepted": int, "rejected": int, "unknown": int, "items": [{"message_id", "status",
        "errors", "chat_id", "session_id"}]}``; it is in XCom also when the task fails.
    :raises Bitrix24ValidationError: when a message is not usable; nothing is sent.
    :raises Bitrix24DeliveryError: when not all are accepted.
    """

    def _deliver(self, **arguments: Any) -> DeliveryReport:
        return self.hook.open_lines.send(**arguments)


class Bitrix24UpdateConnectorMessagesOperator(_ConnectorMessagesOperator):
    """Change messages that were pushed before, found by their ids.

    Method: ``imconnector.update.messages``
    (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-update-messages.html).
    The portal reports success for ids that it doesn't know, too.

    :param connector: the id under which the connector is registered (templated).
    :param line: the open line's number (templated).
    :param messages: as they were sent, with their new text or files (templated).
    :param if_undelivered: ``fail`` the task when a change is not accepted, or ``report`` it only
        (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the report, as the send operator gives it.
    """

    def _deliver(self, **arguments: Any) -> DeliveryReport:
        return self.hook.open_lines.update(**arguments)


class Bitrix24DeleteConnectorMessagesOperator(_ConnectorMessagesOperator):
    """Delete messages that were pushed before, found by their ids.

    Method: ``imconnector.delete.messages``
    (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-delete-messages.html).

    :param connector: the id under which the connector is registered (templated).
    :param line: the open line's number (templated).
    :param messages: the ids of user, message and chat are enough (templated).
    :param if_undelivered: ``fail`` the task when a deletion is not accepted, or ``report`` it only
        (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the report, as the send operator gives it.
    """

    def _deliver(self, **arguments: Any) -> DeliveryReport:
        return self.hook.open_lines.delete(**arguments)


class Bitrix24SendCrmChatMessageOperator(Bitrix24BaseOperator):
    """Post a message to the open-line chat of a lead, deal, company or contact.

    A lost reply fails the task without a retry: the portal would post the message twice.

    Methods: ``imopenlines.crm.message.add`` and, without a chat, ``imopenlines.crm.chat.get``
    (https://apidocs.bitrix24.com/api-reference/imopenlines/openlines/messages/imopenlines-crm-message-add.html).

    :param entity_type: ``lead``, ``deal``, ``company`` or ``contact`` (templated).
    :param entity_id: the item's id (templated).
    :param user_id: who says it: an employee or a bot who is a member of the chat (templated).
    :param message: the text (templated).
    :param chat_id: the chat; None takes the item's newest active chat, or else its last (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: ``{"message_id": int, "chat_id": int}``.
    :raises Bitrix24CrmChatError: when no conversation is tied to the item.
    """

    template_fields: Sequence[str] = (
        "bitrix24_conn_id",
        "entity_type",
        "entity_id",
        "user_id",
        "message",
        "chat_id",
    )

    def __init__(
        self,
        *,
        entity_type: Templated[str],
        entity_id: Templated[int],
        user_id: Templated[int],
        message: Templated[str],
        chat_id: Templated[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"multiple_outputs": True, **kwargs})
        self.entity_type: Any = entity_type
        self.entity_id: Any = entity_id
        self.user_id: Any = user_id
        self.message: Any = message
        self.chat_id: Any = chat_id
        check_literal(entity_id, parse_id, "entity_id")
        check_literal(user_id, parse_id, "user_id")
        if chat_id is not None:
            check_literal(chat_id, parse_chat_id)

    def execute(self, context: Context) -> dict[str, int]:  # noqa: ARG002
        """Post the message and return where it is."""
        return self.hook.open_lines.send_to_crm_chat(
            entity_type=self.entity_type,
            entity_id=self.entity_id,
            user_id=self.user_id,
            message=as_text(self.message),
            chat_id=self.chat_id,
        )

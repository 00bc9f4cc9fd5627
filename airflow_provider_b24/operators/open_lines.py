"""Push messages into open lines and into the chats of CRM items."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.operators.base import Bitrix24BaseOperator, keep_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.open_lines.report import DeliveryReport

_IF_UNDELIVERED = ("fail", "report")


class _ConnectorMessagesOperator(Bitrix24BaseOperator):
    """An operator on the messages of one connector on one open line."""

    template_fields: Sequence[str] = ("bitrix24_conn_id", "connector", "line", "messages")

    def __init__(
        self,
        *,
        connector: str,
        line: int | str,
        messages: Any,
        if_undelivered: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if if_undelivered not in _IF_UNDELIVERED:
            raise ValueError(
                f"if_undelivered must be one of {', '.join(_IF_UNDELIVERED)}, not {if_undelivered!r}"
            )
        self.connector = connector
        self.line = line
        self.messages = messages
        self.if_undelivered = if_undelivered

    def execute(self, context: Context) -> dict[str, Any]:
        """Call the open line and return the report."""
        report = self._deliver()
        for item in report.items:
            if item.errors:
                self.log.warning("Message %s: %s: %s", item.message_id, item.status, "; ".join(item.errors))
        if self.if_undelivered == "fail" and report.accepted < len(report.items):
            self._fail(context, report)
        return report.to_dict()

    @abstractmethod
    def _deliver(self) -> DeliveryReport:
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
    :param if_undelivered: ``fail`` the task when a message is not accepted, or ``report`` it only.
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: ``{"accepted": int, "rejected": int, "unknown": int, "items": [{"message_id", "status",
        "errors", "chat_id", "session_id"}]}``; it is in XCom also when the task fails.
    :raises Bitrix24ValidationError: when a message is not usable; nothing is sent.
    :raises Bitrix24DeliveryError: when not all are accepted.
    """

    def _deliver(self) -> DeliveryReport:
        return self.hook.open_lines.send(connector=self.connector, line=self.line, messages=self.messages)


class Bitrix24UpdateConnectorMessagesOperator(_ConnectorMessagesOperator):
    """Change messages that were pushed before, found by their ids.

    Method: ``imconnector.update.messages``
    (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-update-messages.html).
    The portal reports success for ids that it doesn't know, too.

    :param connector: the id under which the connector is registered (templated).
    :param line: the open line's number (templated).
    :param messages: as they were sent, with their new text or files (templated).
    :param if_undelivered: ``fail`` the task when a change is not accepted, or ``report`` it only.
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the report, as the send operator gives it.
    """

    def _deliver(self) -> DeliveryReport:
        return self.hook.open_lines.update(connector=self.connector, line=self.line, messages=self.messages)


class Bitrix24DeleteConnectorMessagesOperator(_ConnectorMessagesOperator):
    """Delete messages that were pushed before, found by their ids.

    Method: ``imconnector.delete.messages``
    (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-delete-messages.html).

    :param connector: the id under which the connector is registered (templated).
    :param line: the open line's number (templated).
    :param messages: the ids of user, message and chat are enough (templated).
    :param if_undelivered: ``fail`` the task when a deletion is not accepted, or ``report`` it only.
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the report, as the send operator gives it.
    """

    def _deliver(self) -> DeliveryReport:
        return self.hook.open_lines.delete(connector=self.connector, line=self.line, messages=self.messages)


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
        entity_type: str,
        entity_id: int | str,
        user_id: int | str,
        message: str,
        chat_id: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.entity_type = entity_type
        self.entity_id = entity_id
        self.user_id = user_id
        self.message = message
        self.chat_id = chat_id

    def execute(self, context: Context) -> dict[str, int]:  # noqa: ARG002
        """Post the message and return where it is."""
        return self.hook.open_lines.send_to_crm_chat(
            entity_type=self.entity_type,
            entity_id=self.entity_id,
            user_id=self.user_id,
            message=self.message,
            chat_id=self.chat_id,
        )

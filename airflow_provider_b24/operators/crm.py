"""Write into the open-line chats of CRM items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.field_values import check_text, optional
from airflow_provider_b24.ids import parse_chat_id, parse_id
from airflow_provider_b24.operators.base import Bitrix24BaseOperator
from airflow_provider_b24.operators.idempotency import is_doubtful
from airflow_provider_b24.operators.message_memory import MessageMemory
from airflow_provider_b24.operators.task_memory import began_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.field_values import Check, Templated


class Bitrix24SendCrmChatMessageOperator(Bitrix24BaseOperator):
    """Post a message to the open-line chat of a lead, deal, company or contact.

    A retry does not post the message twice: after a lost reply, and after a crash, the chat is read. The
    connection's user must be a member of the chat for that; otherwise the task fails without a retry.

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
    field_checks: ClassVar[Mapping[str, Check]] = {
        **Bitrix24BaseOperator.field_checks,
        "entity_type": check_text,
        "entity_id": parse_id,
        "user_id": parse_id,
        "message": check_text,
        "chat_id": optional(parse_chat_id),
    }
    text_fields = Bitrix24BaseOperator.text_fields | {"entity_type", "message"}

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

    def execute(self, context: Context) -> dict[str, int]:
        """Post the message and return where it is."""
        from airflow_provider_b24.open_lines.crm import CrmMemory

        target = {name: value for name, value in self.check_fields().items() if name != "bitrix24_conn_id"}
        memory = MessageMemory(context, self.hook.settings.portal, *target.values())
        if memory.result is not None:
            return dict(memory.result)
        crm = CrmMemory(
            chat_id=memory.fields.get("chat_id"),
            since=memory.fields.get("since"),
            not_before=None if memory.is_kept else began_at(context),
            may_have_posted=memory.may_have_posted,
            save=lambda found: memory.begin(chat_id=found.chat_id, since=found.since),
        )
        may_have_posted = memory.may_have_posted
        try:
            sent = self.hook.open_lines.send_to_crm_chat(**target, memory=crm)
        except Bitrix24Error as error:
            if not may_have_posted and not is_doubtful(error):
                memory.forget()
            raise
        memory.end(sent)
        return sent

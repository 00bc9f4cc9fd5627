"""Post to chats."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_b24.exceptions import Bitrix24Error
from airflow_provider_b24.operators.base import Bitrix24BaseOperator
from airflow_provider_b24.operators.idempotency import is_doubtful, task_template_id
from airflow_provider_b24.operators.message_memory import MessageMemory
from airflow_provider_b24.operators.task_memory import began_at
from airflow_provider_b24.utils.message_fields import MESSAGE_CHECKS, check_addressee

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.field_values import Check, Templated


class Bitrix24SendMessageOperator(Bitrix24BaseOperator):
    """Post a message to a chat, or to one person.

    A retry does not post the message twice: after a lost reply, and after a crash, the chat is read.

    Method: ``im.message.add``
    (https://apidocs.bitrix24.com/api-reference/chats/messages/im-message-add.html).

    :param message: the text; BB codes are allowed (templated).
    :param chat_id: the chat's number, or ``chatN`` (templated).
    :param user_id: the person's user id; give one of the two (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the message's id.
    :raises Bitrix24OutcomeUnknownError: when it is unknown whether the message was posted.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id", "message", "chat_id", "user_id")
    field_checks: ClassVar[Mapping[str, Check]] = {**Bitrix24BaseOperator.field_checks, **MESSAGE_CHECKS}
    text_fields = Bitrix24BaseOperator.text_fields | {"message"}

    def __init__(
        self,
        *,
        message: Templated[str],
        chat_id: Templated[int] | None = None,
        user_id: Templated[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.message: Any = message
        self.chat_id: Any = chat_id
        self.user_id: Any = user_id

    def check_together(self, values: Mapping[str, Any]) -> None:
        """Refuse a message without one addressee.

        :param values: the fields that are known by now.
        """
        check_addressee(values)

    def execute(self, context: Context) -> int:
        """Post the message and return its id."""
        fields = self.check_fields()
        target = {name: fields[name] for name in MESSAGE_CHECKS}
        if context.get("ti") is None:
            return self.hook.chats.send(**target)
        from airflow_provider_b24.chats.api import dialog_id

        portal = self.hook.settings.portal
        dialog = dialog_id(chat_id=fields["chat_id"], user_id=fields["user_id"])
        memory = MessageMemory(context, portal, *target.values())
        if (posted := memory.result) is not None:
            return int(posted)
        template_id = memory.fields.get("template_id") or task_template_id(
            context["ti"], portal=portal, dialog=dialog
        )
        may_have_posted = memory.may_have_posted
        # Before it is posted: the process may be killed at any time after.
        at = memory.fields.get("at") or (began_at(context) if may_have_posted else None)
        memory.begin(template_id=template_id, at=at or time.time())
        try:
            message_id = self.hook.chats.send_once(
                **target,
                template_id=template_id,
                may_have_posted=may_have_posted,
                not_before=memory.fields.get("at") if memory.is_kept else began_at(context),
            )
        except Bitrix24Error as error:
            if not may_have_posted and not is_doubtful(error):
                memory.forget()
            raise
        memory.end(message_id)
        return message_id

"""Post to chats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.operators.base import Bitrix24BaseOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context


class Bitrix24SendMessageOperator(Bitrix24BaseOperator):
    """Post a message to a chat, or to one person.

    A lost reply fails the task without a retry: the portal would post the message twice.

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

    def __init__(
        self,
        *,
        message: str,
        chat_id: int | str | None = None,
        user_id: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.message = message
        self.chat_id = chat_id
        self.user_id = user_id

    def execute(self, context: Context) -> int:  # noqa: ARG002
        """Post the message and return its id."""
        return self.hook.chats.send(message=self.message, chat_id=self.chat_id, user_id=self.user_id)

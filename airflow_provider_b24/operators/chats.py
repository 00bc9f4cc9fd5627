"""Post to chats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.ids import parse_chat_id, parse_id
from airflow_provider_b24.operators.base import Bitrix24BaseOperator
from airflow_provider_b24.rendered import as_text, check_literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.rendered import Templated


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
        message: Templated[str],
        chat_id: Templated[int] | None = None,
        user_id: Templated[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.message: Any = message
        self.chat_id: Any = chat_id
        self.user_id: Any = user_id
        if chat_id is not None:
            check_literal(chat_id, parse_chat_id)
        if user_id is not None:
            check_literal(user_id, parse_id, "user_id")

    def execute(self, context: Context) -> int:  # noqa: ARG002
        """Post the message and return its id."""
        return self.hook.chats.send(message=as_text(self.message), chat_id=self.chat_id, user_id=self.user_id)

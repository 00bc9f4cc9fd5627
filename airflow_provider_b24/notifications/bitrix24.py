"""Tell a chat or a person what happened to a task, a DAG run or a deadline."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseNotifier

from airflow_provider_b24.field_values import check_text
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.utils.checked_fields import CheckedFieldsMixin
from airflow_provider_b24.utils.message_fields import MESSAGE_CHECKS, check_addressee
from airflow_provider_b24.utils.native_texts import NativeTextsMixin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_b24.field_values import Check

log = logging.getLogger(__name__)


class Bitrix24Notifier(CheckedFieldsMixin, NativeTextsMixin, BaseNotifier):
    """Post a message to a chat, or to one person, from a callback of a task or DAG.

    It works in ``on_failure_callback`` and its siblings, as one of the ``notifiers`` of Airflow's
    human-in-the-loop operators, and by its class in the ``SyncCallback`` or ``AsyncCallback`` of a
    deadline alert. A message that can't be posted is a warning in the log and fails nothing.

    Method: ``im.message.add``
    (https://apidocs.bitrix24.com/api-reference/chats/messages/im-message-add.html).

    :param message: the text; BB codes are allowed (templated).
    :param chat_id: the chat's number, or ``chatN`` (templated).
    :param user_id: the person's user id; give one of the two (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :param context: what the templates may use; Airflow passes it to asynchronous callbacks.
    :raises Bitrix24ValidationError: when a literal is not usable, and when neither a chat nor a person is
        given, or both.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id", "message", "chat_id", "user_id")
    field_checks: ClassVar[Mapping[str, Check]] = {"bitrix24_conn_id": check_text, **MESSAGE_CHECKS}
    text_fields = frozenset({"bitrix24_conn_id", "message"})

    def __init__(
        self,
        *,
        message: str,
        chat_id: int | str | None = None,
        user_id: int | str | None = None,
        bitrix24_conn_id: str = Bitrix24Hook.default_conn_name,
        context: Context | None = None,
    ) -> None:
        # Before Airflow 3.1 the base class takes no context.
        super().__init__()
        self.context: Context = context or {}
        self.message = message
        self.chat_id = chat_id
        self.user_id = user_id
        self.bitrix24_conn_id = bitrix24_conn_id

    def check_together(self, values: Mapping[str, Any]) -> None:
        """Refuse a message without one addressee.

        :param values: the fields that are known by now.
        """
        check_addressee(values)

    def get_template_env(self, dag: Any = None) -> Any:
        """Return the environment of the templates.

        :param dag: the DAG; ``dags test`` passes a stored one to a DAG's callback, which has no environment.
        """
        return super().get_template_env(dag if hasattr(dag, "get_template_env") else None)

    def notify(self, context: Context) -> None:  # noqa: ARG002
        """Post the message; log a warning when that fails.

        :param context: Airflow's context, not used.
        """
        try:
            fields = self.check_fields()
            chats = Bitrix24Hook(fields.pop("bitrix24_conn_id")).chats
            posted = chats.send(**fields)
        except Exception as error:  # noqa: BLE001
            # The task that a person waits for must not fail because nobody could be told of it.
            log.warning("The notification was not posted: %s: %s", type(error).__name__, error)
        else:
            log.info("The notification is message %d", posted)

    async def async_notify(self, context: Context) -> None:
        """Post the message from a thread, so that the triggerer goes on meanwhile.

        :param context: Airflow's context, not used.
        """
        from airflow_provider_b24.triggers.poll_watcher.threads import run_in_daemon_thread

        await run_in_daemon_thread(self.notify, context)

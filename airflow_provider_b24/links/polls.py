"""From a task that sends or awaits a poll to the poll's results, and to its message in the chat.

The task stores the addresses in XCom, so that showing a link calls no portal and needs no secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

POLL_URL_KEY = "bitrix24_poll_url"
CHAT_URL_KEY = "bitrix24_chat_url"


class Bitrix24PollResultsLink(BaseOperatorLink):
    """The portal's page with the results of the poll."""

    name = "Poll results"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002
        """Return the address, empty until the task knows it.

        :param operator: the task, not used.
        :param ti_key: the task instance.
        """
        return _stored(POLL_URL_KEY, ti_key)


class Bitrix24ChatLink(BaseOperatorLink):
    """The poll's message in the chat."""

    name = "Bitrix24 chat"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002
        """Return the address, empty until the task knows it.

        :param operator: the task, not used.
        :param ti_key: the task instance.
        """
        return _stored(CHAT_URL_KEY, ti_key)


#: For ``operator_extra_links``.
POLL_LINKS = (Bitrix24PollResultsLink(), Bitrix24ChatLink())


def chat_url(portal: str, *, chat_id: int, message_id: int) -> str:
    """Return the address of a message in the portal's web messenger.

    :param portal: the portal's address.
    :param chat_id: the chat's number.
    :param message_id: the message.
    """
    return f"{portal}/online/?IM_DIALOG=chat{chat_id}&IM_MESSAGE={message_id}"


def push_links(context: Context, *, poll_url: str = "", chat_url: str = "") -> None:
    """Store the addresses for the links of a task.

    :param context: Airflow's context.
    :param poll_url: the page with the results; empty when it is not known.
    :param chat_url: the message in the chat; empty when it is not known.
    """
    task_instance: Any = context.get("ti")
    for key, url in ((POLL_URL_KEY, poll_url), (CHAT_URL_KEY, chat_url)):
        if url and task_instance is not None:
            task_instance.xcom_push(key=key, value=url)


def _stored(key: str, ti_key: Any) -> str:
    from airflow.providers.common.compat.sdk import XCom

    return str(XCom.get_value(key=key, ti_key=ti_key) or "")

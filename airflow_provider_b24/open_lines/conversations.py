"""Conversations of open lines: what was said, who got it, and the CRM items they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24OpenLineError, Bitrix24ValidationError
from airflow_provider_b24.open_lines.crm import entity_params, read_chats, read_last_chat_id
from airflow_provider_b24.open_lines.dialog import dialog_params, read_dialog, read_history
from airflow_provider_b24.open_lines.lines import find_line, read_lines
from airflow_provider_b24.open_lines.messages import check_target
from airflow_provider_b24.open_lines.receipts import DELIVERY, READING, prepare_receipts, send_receipts
from airflow_provider_b24.open_lines.registration import check_name
from airflow_provider_b24.rest import php
from airflow_provider_b24.utils.frames import hide_frames
from airflow_provider_b24.utils.lazy import cached_property

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_provider_b24.open_lines.connectors import ConnectorsApi
    from airflow_provider_b24.rest.client import Bitrix24Client

_DIALOG, _HISTORY = "imopenlines.dialog.get", "imopenlines.session.history.get"
_RENAME = "imconnector.chat.name.set"


@hide_frames
class ConversationsApi:
    """The lines of a portal and their conversations, apart from sending messages."""

    _client: Bitrix24Client
    _clock: Callable[[], float]

    @cached_property
    def connectors(self) -> ConnectorsApi:
        """Connectors: their status, and how to set them up."""
        from airflow_provider_b24.open_lines.connectors import ConnectorsApi

        return ConnectorsApi(self._client)

    def lines(self) -> list[dict[str, Any]]:
        """Return all open lines, ``{"id", "name", "active"}`` each.

        Method: ``imopenlines.config.list.get``
        (https://apidocs.bitrix24.com/api-reference/imopenlines/openlines/imopenlines-config-list-get.html).
        """
        return [line.to_dict() for line in read_lines(self._client)]

    def find_line(self, line: int | str) -> dict[str, Any]:
        """Return the open line with a number or an exact name, ``{"id", "name", "active"}``.

        :param line: the number, as int or digits, or the name.
        :raises Bitrix24LineNotFoundError: when there is none, or several have the name; it lists them.
        """
        return find_line(self._client, line).to_dict()

    def mark_delivered(
        self, *, connector: str, line: int | str, messages: Iterable[Mapping[str, Any]]
    ) -> int:
        """Tell Bitrix24 that operators' messages have arrived in the external system.

        Bitrix24 shows them as delivered, and as read too. It can be told twice.

        Method: ``imconnector.send.status.delivery``
        (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-send-status-delivery.html).

        :param connector: the id under which the connector is registered.
        :param line: the open line's number.
        :param messages: ``{"im": {"chat_id", "message_id"}, "message": {"id": [external ids], "date"},
            "chat": {"id"}}`` each: ``im`` and ``chat`` as the event ``ONIMCONNECTORMESSAGEADD`` has them,
            ``message.id`` the id, or the ids, in the external system. ``date``: Unix seconds or a datetime;
            the default is now. Other keys are left out.
        :returns: how many messages there were.
        :raises Bitrix24ValidationError: when a message is not usable; nothing is sent.
        """
        return self._receipts(DELIVERY, connector, line, messages)

    def mark_read(self, *, connector: str, line: int | str, messages: Iterable[Mapping[str, Any]]) -> int:
        """Tell Bitrix24 that operators' messages were read in the external system.

        Today's Bitrix24 takes this and shows nothing of it; :meth:`mark_delivered` marks as read.

        Method: ``imconnector.send.status.reading``
        (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-send-status-reading.html).

        :param connector: the id under which the connector is registered.
        :param line: the open line's number.
        :param messages: as :meth:`mark_delivered` takes them.
        :returns: how many messages there were.
        :raises Bitrix24ValidationError: when a message is not usable; nothing is sent.
        """
        return self._receipts(READING, connector, line, messages)

    def rename_chat(
        self,
        *,
        connector: str,
        line: int | str,
        chat_id: int | str,
        name: str,
        user_id: int | str | None = None,
    ) -> None:
        """Rename a conversation by its ids in the external system.

        Method: ``imconnector.chat.name.set``
        (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-chat-name-set.html).

        :param connector: the id under which the connector is registered.
        :param line: the open line's number.
        :param chat_id: the chat's id in the external system.
        :param name: the new name.
        :param user_id: the user's id in the external system; needed unless the connector has ``chat_group``.
        :raises Bitrix24OpenLineError: when there is no such conversation.
        """
        params = {
            **check_target(connector, line),
            "CHAT_ID": _external_id(chat_id, "chat_id"),
            "NAME": check_name(name, "name"),
        }
        if user_id is not None:
            params["USER_ID"] = _external_id(user_id, "user_id")
        result = self._client.call(_RENAME, params)
        with php.promised("a success or not", method=_RENAME, conn_id=self._client.conn_id):
            is_success = php.as_bool(php.as_row(result).get("SUCCESS"))
        if not is_success:
            raise self._client.refusal(Bitrix24OpenLineError, _RENAME, "the chat was not renamed")

    def crm_chats(
        self, *, entity_type: str, entity_id: int | str, active_only: bool = True
    ) -> list[dict[str, Any]]:
        """Return the open-line chats of a CRM item, ``{"chat_id", "connector", "connector_name"}`` each.

        Method: ``imopenlines.crm.chat.get``
        (https://apidocs.bitrix24.com/api-reference/imopenlines/openlines/chats/imopenlines-crm-chat-get.html).

        :param entity_type: ``lead``, ``deal``, ``company`` or ``contact``.
        :param entity_id: the item's id.
        :param active_only: leave ended conversations out.
        :returns: an empty list when no conversation is tied to the item.
        :raises Bitrix24AccessDeniedError: when the connection's user may not see the item.
        """
        return read_chats(self._client, entity_params(entity_type, entity_id), active_only=active_only)

    def last_crm_chat_id(self, *, entity_type: str, entity_id: int | str) -> int:
        """Return the chat that was tied to a CRM item last.

        Method: ``imopenlines.crm.chat.getLastId``
        (https://apidocs.bitrix24.com/api-reference/imopenlines/openlines/chats/imopenlines-crm-chat-get-last-id.html).

        :param entity_type: ``lead``, ``deal``, ``company`` or ``contact``.
        :param entity_id: the item's id.
        :raises Bitrix24CrmChatError: when there is none, or the connection's user may not see the item.
        """
        return read_last_chat_id(self._client, entity_params(entity_type, entity_id))

    def dialog(
        self,
        *,
        chat_id: int | str | None = None,
        session_id: int | str | None = None,
        user_code: str | None = None,
    ) -> dict[str, Any]:
        """Return a conversation: its chat, its place, its session and its CRM item.

        Method: ``imopenlines.dialog.get``
        (https://apidocs.bitrix24.com/api-reference/imopenlines/openlines/sessions/imopenlines-dialog-get.html).

        :param chat_id: the chat's number, or ``chatN``; give one of the three.
        :param session_id: the session.
        :param user_code: ``connector|line|external chat|user``, where user is the number in Bitrix24.
        :returns: ``{"chat_id", "name", "connector", "line", "external_chat_id", "user_id", "session_id",
            "crm": {"type", "id"} or None}``; ``user_id`` is None in a group chat.
        :raises Bitrix24AccessDeniedError: when there is none, or the connection's user may not see it.
        """
        params = dialog_params(chat_id=chat_id, session_id=session_id, user_code=user_code)
        result = self._client.call(_DIALOG, params)
        with php.promised("a conversation", method=_DIALOG, conn_id=self._client.conn_id):
            return read_dialog(result)

    def history(
        self, *, session_id: int | str | None = None, chat_id: int | str | None = None
    ) -> dict[str, Any]:
        """Return what was said in a session of an open line.

        Method: ``imopenlines.session.history.get``
        (https://apidocs.bitrix24.com/api-reference/imopenlines/openlines/sessions/imopenlines-session-history-get.html).

        :param session_id: the session, as a delivery report or :meth:`dialog` names it.
        :param chat_id: the chat's number, or ``chatN``: its last session. Give one of the two.
        :returns: ``{"session_id", "chat_id", "messages": [{"id", "author_id", "date", "text", "external_ids",
            "file_ids"}], "users": [{"id", "name", "is_external"}],
            "files": [{"id", "name", "size", "url"}]}``, the oldest message first. ``author_id`` 0 is the
            portal itself.
        :raises Bitrix24OpenLineError: when the chat has no session.
        :raises Bitrix24AccessDeniedError: when the connection's user may not see the session.
        """
        result = self._client.call(_HISTORY, dialog_params(chat_id=chat_id, session_id=session_id))
        with php.promised("a history", method=_HISTORY, conn_id=self._client.conn_id):
            return read_history(result)

    def _receipts(self, method: str, connector: str, line: int | str, messages: Any) -> int:
        receipts = prepare_receipts(messages, now=self._clock())
        return send_receipts(self._client, method, check_target(connector, line), receipts)


def _external_id(value: Any, path: str) -> str:
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if text in ("", "0"):
        raise Bitrix24ValidationError(path, f"must be an id of the external system, not {value!r}")
    return text

"""Set connectors up, and tell Bitrix24 what became of operators' messages."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.field_values import (
    as_items,
    as_mapping,
    as_path,
    as_switch,
    as_texts,
    check_text,
    literal,
    one_of,
    optional,
)
from airflow_provider_b24.ids import parse_chat_id, parse_connector_id, parse_id, parse_line
from airflow_provider_b24.operators.base import Bitrix24BaseOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_b24.field_values import Check, Templated


def _switches(value: Any, path: str) -> dict[Any, bool]:
    return {key: as_switch(item, f"{path}.{key}") for key, item in as_mapping(value, path).items()}


def _texts_by_name(value: Any, path: str) -> Any:
    return as_texts(as_mapping(value, path))


def _icon(value: Any, path: str) -> Any:
    """Return an icon; the portal's limits are checked when it is read."""
    given = literal(value)
    return given if isinstance(given, Mapping) else as_path(given, path)


def _receipts(value: Any, path: str) -> Any:
    # A date is a number of its own, and so are the ids of Bitrix24's messages.
    return as_texts(as_items(value, path), but=("date", "chat_id", "message_id"))


class Bitrix24SetUpConnectorOperator(Bitrix24BaseOperator):
    """Bring a connector to a wanted state on an open line, and change nothing that is as wanted.

    The task can run before each push: when everything is there, it only reads. Every step can be taken twice,
    so a retry finishes what an earlier try began. The connection must be an OAuth application.

    Bitrix24 shows the name and the status of a connector, but neither icon nor handler nor data. So a digest
    of what was sent last is kept on the portal (``user.option.set``); what somebody else changes there is not
    seen, and ``force`` sends it again.

    Methods: ``imconnector.register``, ``unregister``, ``activate``, ``connector.data.set``, ``status`` and
    ``list`` (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/index.html).

    :param connector: the connector's id: letters a-z, digits, ``_`` and ``-``. Give it a prefix of your own:
        an application that registers the id of another one takes its connector over (templated).
    :param line: the open line's number or exact name; it may be left out for ``absent`` (templated).
    :param state: ``present``: registered, and active on the line; ``inactive``: off on the line, which erases
        the data there; ``absent``: removed from all lines (templated).
    :param name: what people see in Bitrix24; needed for ``present`` (templated).
    :param handler_url: the page that Bitrix24 opens as the connector's settings; needed for ``present``
        (templated).
    :param icon: the path of an SVG or PNG file on the worker, a Data URI, or a mapping with ``image`` (one of
        these), ``color``, ``size`` and ``position`` as CSS takes them; None: the provider's icon (templated).
    :param icon_disabled: the same for a connector that is off; None: the icon on grey (templated).
    :param chat_group: all users of an external chat share one conversation; else each user has one
        (templated).
    :param options: ``del_external_messages``, ``edit_internal_messages``, ``del_internal_messages``,
        ``newsletter``, ``need_system_messages`` and ``need_signature``; all are True by default (templated).
    :param data: what the line's widget shows: ``id``, ``url``, ``url_im`` and ``name``. Values that are left
        out stay as they are; of id and name there is a default (templated).
    :param force: send registration and data although nothing seems to differ (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: ``{"connector", "line", "line_name", "state", "found": {"registered", "name", "active",
        "configured", "error"}, "changed": [steps], "status": as "found"}``.
    :raises Bitrix24ValidationError: when a parameter is not usable; nothing is sent.
    :raises Bitrix24LineNotFoundError: when there is no such line, or several have the name.
    :raises Bitrix24ConnectorError: when the portal refuses, or the state is not reached.
    """

    template_fields: Sequence[str] = (
        "bitrix24_conn_id",
        "connector",
        "line",
        "state",
        "name",
        "handler_url",
        "icon",
        "icon_disabled",
        "chat_group",
        "options",
        "data",
        "force",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"options": "json", "data": "json"}
    field_checks: ClassVar[Mapping[str, Check]] = {
        **Bitrix24BaseOperator.field_checks,
        "connector": parse_connector_id,
        "line": optional(parse_line),
        "state": one_of("present", "inactive", "absent"),
        "name": optional(check_text),
        "handler_url": optional(check_text),
        "icon": optional(_icon),
        "icon_disabled": optional(_icon),
        "chat_group": as_switch,
        "options": optional(_switches),
        "data": optional(_texts_by_name),
        "force": as_switch,
    }
    text_fields = Bitrix24BaseOperator.text_fields | {"connector", "name", "handler_url", "data"}

    def __init__(
        self,
        *,
        connector: Templated[str],
        line: Templated[int] | None = None,
        state: Templated[str] = "present",
        name: Templated[str] | None = None,
        handler_url: Templated[str] | None = None,
        icon: Templated[Mapping[str, str]] | None = None,
        icon_disabled: Templated[Mapping[str, str]] | None = None,
        chat_group: Templated[bool] = False,
        options: Templated[Mapping[str, bool]] | None = None,
        data: Templated[Mapping[str, str]] | None = None,
        force: Templated[bool] = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"multiple_outputs": True, **kwargs})
        self.connector: Any = connector
        self.line: Any = line
        self.state: Any = state
        self.name: Any = name
        self.handler_url: Any = handler_url
        self.icon: Any = icon
        self.icon_disabled: Any = icon_disabled
        self.chat_group: Any = chat_group
        self.options: Any = options
        self.data: Any = data
        self.force: Any = force

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Set the connector up and return what was found and done."""
        fields = self.check_fields()
        del fields["bitrix24_conn_id"]
        return self.hook.open_lines.connectors.set_up(**fields)


class _ReceiptsOperator(Bitrix24BaseOperator):
    """An operator that says what became of operators' messages."""

    template_fields: Sequence[str] = ("bitrix24_conn_id", "connector", "line", "messages")
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json"}
    field_checks: ClassVar[Mapping[str, Check]] = {
        **Bitrix24BaseOperator.field_checks,
        "connector": check_text,
        "line": parse_id,
        "messages": _receipts,
    }
    text_fields = Bitrix24BaseOperator.text_fields | {"connector", "messages"}

    def __init__(
        self,
        *,
        connector: Templated[str],
        line: Templated[int],
        messages: Templated[Sequence[Mapping[str, Any] | XComArg]],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connector: Any = connector
        self.line: Any = line
        self.messages: Any = messages

    def execute(self, context: Context) -> int:  # noqa: ARG002
        """Tell Bitrix24 and return how many messages there were."""
        fields = self.check_fields()
        del fields["bitrix24_conn_id"]
        return self._confirm(**fields)

    @abstractmethod
    def _confirm(self, **arguments: Any) -> int:
        """Send the receipts."""


class Bitrix24MarkDeliveredOperator(_ReceiptsOperator):
    """Tell Bitrix24 that operators' messages have arrived in the external system.

    Bitrix24 shows them as delivered, and as read too. It can be told twice, so the task may be retried.

    Method: ``imconnector.send.status.delivery``
    (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-send-status-delivery.html).

    :param connector: the id under which the connector is registered (templated).
    :param line: the open line's number (templated).
    :param messages: ``{"im": {"chat_id", "message_id"}, "message": {"id": [external ids], "date"},
        "chat": {"id"}}`` each: ``im`` and ``chat`` as the event ``ONIMCONNECTORMESSAGEADD`` has them. Other
        keys are left out (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: how many messages there were.
    :raises Bitrix24ValidationError: when a message is not usable; nothing is sent.
    """

    def _confirm(self, **arguments: Any) -> int:
        return self.hook.open_lines.mark_delivered(**arguments)


class Bitrix24MarkReadOperator(_ReceiptsOperator):
    """Tell Bitrix24 that operators' messages were read in the external system.

    Today's Bitrix24 takes this and shows nothing of it; ``Bitrix24MarkDeliveredOperator`` marks as read.

    Method: ``imconnector.send.status.reading``
    (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-send-status-reading.html).

    :param connector: the id under which the connector is registered (templated).
    :param line: the open line's number (templated).
    :param messages: the same as for ``Bitrix24MarkDeliveredOperator`` (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: how many messages there were.
    :raises Bitrix24ValidationError: when a message is not usable; nothing is sent.
    """

    def _confirm(self, **arguments: Any) -> int:
        return self.hook.open_lines.mark_read(**arguments)


class Bitrix24GetSessionHistoryOperator(Bitrix24BaseOperator):
    """Read what was said in a session of an open line.

    Method: ``imopenlines.session.history.get``
    (https://apidocs.bitrix24.com/api-reference/imopenlines/openlines/sessions/imopenlines-session-history-get.html).

    :param session_id: the session, as a delivery report names it (templated).
    :param chat_id: the chat's number, or ``chatN``: its last session. Give one of the two (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: ``{"session_id", "chat_id", "messages": [{"id", "author_id", "date", "text", "external_ids",
        "file_ids"}], "users": [{"id", "name", "is_external"}], "files": [{"id", "name", "size", "url"}]}``,
        the oldest message first.
    :raises Bitrix24OpenLineError: when the chat has no session.
    :raises Bitrix24AccessDeniedError: when the connection's user may not see the session.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id", "session_id", "chat_id")
    field_checks: ClassVar[Mapping[str, Check]] = {
        **Bitrix24BaseOperator.field_checks,
        "session_id": optional(parse_id),
        "chat_id": optional(parse_chat_id),
    }

    def __init__(
        self,
        *,
        session_id: Templated[int] | None = None,
        chat_id: Templated[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"multiple_outputs": True, **kwargs})
        self.session_id: Any = session_id
        self.chat_id: Any = chat_id

    def check_together(self, values: Mapping[str, Any]) -> None:
        """Refuse a session that is not named in one way.

        :param values: the fields that are known by now.
        """
        if {"session_id", "chat_id"} <= set(values):
            _check_one_of(values["session_id"], values["chat_id"])

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Read the session and return it."""
        fields = self.check_fields()
        return self.hook.open_lines.history(session_id=fields["session_id"], chat_id=fields["chat_id"])


def _check_one_of(session_id: Any, chat_id: Any) -> None:
    if (session_id is None) == (chat_id is None):
        raise Bitrix24ValidationError("chat_id", "give exactly one of chat_id and session_id")

"""Connectors of one portal: listed, looked at, and brought to a wanted state."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.exceptions import Bitrix24LineNotFoundError
from airflow_provider_b24.ids import parse_connector_id, parse_line
from airflow_provider_b24.open_lines.connector_set_up import LIST, STATUS, ConnectorSetUp, read_names
from airflow_provider_b24.open_lines.connector_status import ConnectorStatus, read_status
from airflow_provider_b24.open_lines.lines import find_line
from airflow_provider_b24.open_lines.registration import check_flag
from airflow_provider_b24.open_lines.wanted_connector import ConnectorState, wanted_connector
from airflow_provider_b24.rest import php
from airflow_provider_b24.utils.frames import hide_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from airflow_provider_b24.open_lines.lines import Line
    from airflow_provider_b24.open_lines.wanted_connector import WantedConnector
    from airflow_provider_b24.rest.client import Bitrix24Client


@hide_frames
class ConnectorsApi:
    """The ``imconnector.*`` methods that set connectors up.

    They refuse webhooks: the connection must be an OAuth application, whose user may change connectors.

    :param sleep: waits between two reads of a status that is not saved yet.
    """

    def __init__(self, client: Bitrix24Client, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep

    def list(self) -> dict[str, str]:
        """Return the names of all connectors of the portal by id (``imconnector.list``)."""
        return read_names(self._client, self._client.call(LIST))

    def status(self, *, connector: str, line: int | str) -> ConnectorStatus:
        """Return how a connector does on a line.

        Method: ``imconnector.status``
        (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-status.html).

        :param connector: the id under which it is registered.
        :param line: the line's number, which is not looked up, or its name.
        :raises Bitrix24LineNotFoundError: when no line has the name, or several have it.
        """
        place = self._place(connector, line)
        result = self._client.call(STATUS, place)
        with php.promised("a connector's status", method=STATUS, conn_id=self._client.conn_id):
            return read_status(result)

    def set_error(self, *, connector: str, line: int | str) -> None:
        """Flag a connector as broken on a line (``imconnector.set.error``).

        Bitrix24 then shows an error in the line's settings and takes no messages, until the connector is
        set up again.

        :param connector: the id under which it is registered.
        :param line: the line's number or name.
        """
        self._client.call("imconnector.set.error", self._place(connector, line))

    def set_up(
        self,
        *,
        connector: str,
        line: int | str | None = None,
        state: str = ConnectorState.PRESENT,
        name: str | None = None,
        handler_url: str | None = None,
        icon: str | Path | Mapping[str, str] | None = None,
        icon_disabled: str | Path | Mapping[str, str] | None = None,
        chat_group: bool = False,
        options: Mapping[str, bool] | None = None,
        data: Mapping[str, str] | None = None,
        force: bool = False,
    ) -> dict[str, Any]:
        """Bring a connector to a wanted state, and change nothing that is as wanted.

        Methods: ``imconnector.register``, ``activate``, ``connector.data.set``, ``status``, ``list`` and
        ``unregister`` (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/index.html).

        Bitrix24 shows neither the icon nor the handler nor the data of a connector. A digest of what was
        sent last is kept on the portal, in the settings of the application's user; a change that somebody
        else makes is not seen. ``force=True`` sends registration and data in any case.

        :param connector: the connector's id: letters a-z, digits, ``_`` and ``-``. Give it a prefix of your
            own: an application that registers the id of another one takes its connector over.
        :param line: the open line's number, or its exact name; it may be left out for ``absent``.
        :param state: ``present``: registered, and active on the line; ``inactive``: off on the line, which
            erases the data there; ``absent``: removed from all lines.
        :param name: what people see in Bitrix24; needed for ``present``.
        :param handler_url: the page that Bitrix24 opens as the connector's settings; needed for ``present``.
        :param icon: the path of an SVG or PNG file, a Data URI, or a mapping with ``image`` (one of these),
            ``color``, ``size`` and ``position`` as CSS takes them; None: an icon of the provider.
        :param icon_disabled: the same for a connector that is off; None: the icon on grey.
        :param chat_group: all users of an external chat share one conversation; else each user has one.
        :param options: ``del_external_messages``, ``edit_internal_messages``, ``del_internal_messages``,
            ``newsletter``, ``need_system_messages`` and ``need_signature``; all are True by default.
        :param data: what the line's widget shows: ``id``, ``url``, ``url_im`` and ``name``. Values that are
            left out stay as they are; of id and name there is a default.
        :param force: send registration and data although nothing seems to differ.
        :returns: ``{"connector", "line", "line_name", "state", "found": {"registered", "name", "active",
            "configured", "error"}, "changed": [steps], "status": as "found"}``.
        :raises Bitrix24ValidationError: when an argument is not usable; nothing is sent.
        :raises Bitrix24LineNotFoundError: when there is no such line, or several have the name.
        :raises Bitrix24ConnectorError: when the portal refuses, or the state is not reached.
        :raises Bitrix24AuthTypeError: when the connection is a webhook.
        :raises Bitrix24AccessDeniedError: when the user may not change connectors.
        """
        wanted = wanted_connector(
            connector=connector,
            line=line,
            state=state,
            data=data,
            name=name,
            handler_url=handler_url,
            icon=icon,
            icon_disabled=icon_disabled,
            chat_group=chat_group,
            options=options,
        )
        again = check_flag(force, "force")
        found = self._line_of(wanted)
        return ConnectorSetUp(self._client, wanted, found, force=again, sleep=self._sleep).run()

    def _line_of(self, wanted: WantedConnector) -> Line | None:
        if wanted.line is None:
            return None
        try:
            return find_line(self._client, wanted.line)
        except Bitrix24LineNotFoundError:
            # A connector that is to be removed is removed from all lines, whether this one is left or not.
            if wanted.state is ConnectorState.ABSENT:
                return None
            raise

    def _place(self, connector: str, line: int | str) -> dict[str, Any]:
        named, place = parse_connector_id(connector), parse_line(line)
        number = place if isinstance(place, int) else find_line(self._client, place).id
        return {"CONNECTOR": named, "LINE": number}

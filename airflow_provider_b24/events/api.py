"""Subscriptions to a portal's events, and the queue of those that wait to be fetched."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.events.names import parse_auth_connector, parse_event_name
from airflow_provider_b24.events.queued_event import Reservation, read_events
from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24ValidationError
from airflow_provider_b24.ids import parse_id
from airflow_provider_b24.rest import php
from airflow_provider_b24.utils.frames import hide_frames

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_b24.events.queued_event import QueuedEvent
    from airflow_provider_b24.rest.client import Bitrix24Client

log = logging.getLogger(__name__)

_BOUND, _GET, _LIST = "event.get", "event.offline.get", "event.offline.list"
_FEATURE = "rest_offline_extended"


@hide_frames
class EventsApi:
    """The ``event.*`` methods of one portal.

    They refuse webhooks: the connection must be an OAuth application, whose user is an administrator.
    """

    def __init__(self, client: Bitrix24Client) -> None:
        self._client = client

    def bind(self, *, event: str, handler: str | None = None, auth_connector: str | None = None) -> bool:
        """Subscribe the application to an event (``event.bind``).

        Page: https://apidocs.bitrix24.com/api-reference/events/event-bind.html

        :param event: the event's name, in any case.
        :param handler: the address that Bitrix24 calls; None lets events wait in the queue, from which
            ``Bitrix24OfflineEventTrigger`` reads them.
        :param auth_connector: a queue of its own for events that wait: each subscription with another key
            has another queue, which only calls with the same key see.
        :returns: False when the application is subscribed already.
        :raises Bitrix24AccessDeniedError: when the user is no administrator.
        :raises Bitrix24NotFoundError: when there is no such event, or the application lacks its scope.
        """
        desired = _desired(event, handler, auth_connector)
        if self._is_bound(desired):
            return False
        try:
            self._client.call("event.bind", _subscription(desired), repeatable=False)
        except Bitrix24Error:
            # A lost reply, or another process that was faster.
            if not self._is_bound(desired):
                raise
        return True

    def unbind(self, *, event: str, handler: str | None = None, auth_connector: str | None = None) -> int:
        """End a subscription (``event.unbind``), and return how many there were.

        Page: https://apidocs.bitrix24.com/api-reference/events/event-unbind.html

        Events that are in the queue stay there.

        :param event: the event's name, in any case.
        :param handler: the address; None ends the offline subscription.
        :param auth_connector: the key with which the application was subscribed.
        """
        desired = _desired(event, handler, auth_connector)
        result = self._client.call("event.unbind", _subscription(desired))
        with php.promised("a count", method="event.unbind", conn_id=self._client.conn_id):
            return php.as_count(php.as_row(result).get("count"))

    def bound(self) -> list[dict[str, Any]]:
        """Return the application's subscriptions (``event.get``).

        Page: https://apidocs.bitrix24.com/api-reference/events/event-get.html

        :returns: ``{"event", "handler", "offline", "auth_connector"}`` each; an offline one has the handler
            None, and the others have no key.
        """
        rows = self._client.call(_BOUND)
        with php.promised("a list of subscriptions", method=_BOUND, conn_id=self._client.conn_id):
            return [_bound(row) for row in php.as_rows(rows)]

    def can_reserve(self) -> bool:
        """Say whether the portal's plan lets an application reserve events (``feature.get``).

        Page: https://apidocs.bitrix24.com/api-reference/common/system/feature-get.html
        """
        result = self._client.call("feature.get", {"CODE": _FEATURE})
        with php.promised("a feature", method="feature.get", conn_id=self._client.conn_id):
            return php.as_bool(php.as_row(result).get("value"))

    def reserve(
        self,
        *,
        event: str | None = None,
        limit: int = 50,
        process_id: str | None = None,
        auth_connector: str | None = None,
    ) -> Reservation:
        """Take the oldest events of the queue for this reader alone (``event.offline.get``).

        Page: https://apidocs.bitrix24.com/api-reference/events/event-offline-get.html

        They stay in the queue until :meth:`clear` removes them, and are hidden from other calls. When the
        reply is lost, :meth:`reserved` finds them. The portal drops what is reserved for a month.

        :param event: only events of this name.
        :param limit: events at most.
        :param process_id: return what is left of this reservation, and reserve nothing.
        :param auth_connector: the key of the queue; None is the queue without one.
        :raises Bitrix24PlanError: when the portal's plan does not let applications reserve events.
        :raises Bitrix24OutcomeUnknownError: when the reply is lost.
        """
        params: dict[str, Any] = {"clear": 0, "limit": parse_id(limit, "limit"), "order": {"ID": "ASC"}}
        params |= _queue(auth_connector)
        if event is not None:
            params["filter"] = {"=EVENT_NAME": parse_event_name(event)}
        if process_id is not None:
            params["process_id"] = _process_id(process_id)
        result = self._client.call(_GET, params, repeatable=process_id is not None)
        with php.promised("a reservation", method=_GET, conn_id=self._client.conn_id):
            row = php.as_row(result)
            rows, reservation = php.as_list(row.get("events")), row.get("process_id")
            if not isinstance(reservation, str) or (rows and not reservation):
                raise ValueError("it has no process_id")
            return Reservation(reservation, read_events(rows, process_id=reservation))

    def reserved(self, *, auth_connector: str | None = None) -> list[QueuedEvent]:
        """Return all reserved events, those of other readers too (``event.offline.list``).

        Page: https://apidocs.bitrix24.com/api-reference/events/event-offline-list.html

        :param auth_connector: the key of the queue; None is the queue without one.
        """
        params = {"filter": {">PROCESS_ID": "", "ERROR": 0}, "order": {"ID": "ASC"}, **_queue(auth_connector)}
        with php.promised("a list of events", method=_LIST, conn_id=self._client.conn_id):
            events = read_events(list(self._client.iterate(_LIST, params)))
        return [event for event in events if event.process_id]

    def clear(
        self, *, process_id: str, ids: Iterable[int] | None = None, auth_connector: str | None = None
    ) -> None:
        """Remove reserved events from the queue for good (``event.offline.clear``).

        Page: https://apidocs.bitrix24.com/api-reference/events/event-offline-clear.html

        :param process_id: the reservation.
        :param ids: the ids of the events; None removes all of the reservation.
        :param auth_connector: the key of the queue; None is the queue without one.
        """
        params: dict[str, Any] = {"process_id": _process_id(process_id), **_queue(auth_connector)}
        if ids is not None:
            numbers = [parse_id(number, "ids") for number in ids]
            if not numbers:
                return
            params["id"] = numbers
        self._client.call("event.offline.clear", params)

    def mark_failed(
        self, *, process_id: str, message_ids: Iterable[str], auth_connector: str | None = None
    ) -> None:
        """Mark reserved events as failed (``event.offline.error``); no reader gets them any more.

        Page: https://apidocs.bitrix24.com/api-reference/events/event-offline-error.html

        With a wrong ``process_id`` the portal deletes the events.

        :param process_id: their reservation.
        :param message_ids: the ``message_id`` of each.
        :param auth_connector: the key of the queue; None is the queue without one.
        """
        params = {"process_id": _process_id(process_id), "message_id": list(message_ids)}
        params |= _queue(auth_connector)
        self._client.call("event.offline.error", params)

    def _is_bound(self, desired: dict[str, Any]) -> bool:
        return desired in self.bound()


def _desired(event: str, handler: str | None, auth_connector: str | None) -> dict[str, Any]:
    """Return a subscription as :meth:`EventsApi.bound` shows it."""
    key = parse_auth_connector(auth_connector)
    if handler is not None and key is not None:
        rule = "is the key of a queue: leave it out for a handler, which Bitrix24 calls at once"
        raise Bitrix24ValidationError("auth_connector", rule)
    offline = handler is None
    return {"event": parse_event_name(event), "handler": handler, "offline": offline, "auth_connector": key}


def _subscription(desired: dict[str, Any]) -> dict[str, Any]:
    handler, key = desired["handler"], desired["auth_connector"]
    where = {"handler": handler} if handler is not None else {"event_type": "offline", **_queue(key)}
    return {"event": desired["event"], **where}


def _queue(auth_connector: str | None) -> dict[str, str]:
    """Return the parameter that names a queue of offline events."""
    key = parse_auth_connector(auth_connector)
    return {} if key is None else {"auth_connector": key}


def _bound(row: dict[str, Any]) -> dict[str, Any]:
    offline = php.as_bool(row.get("offline"))
    handler = None if offline else str(row.get("handler") or "")
    key = str(row.get("connector_id") or "") or None if offline else None
    name = str(row.get("event") or "").upper()
    return {"event": name, "handler": handler, "offline": offline, "auth_connector": key}


def _process_id(value: Any) -> str:
    """Return a reservation's id; an empty one would name the events that are not reserved."""
    if not isinstance(value, str) or not value.strip():
        raise Bitrix24ValidationError("process_id", "must be the id of a reservation")
    return value

"""Start DAGs from a portal's events."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_b24.compat import BaseEventTrigger, has_asset_watchers, has_shared_streams
from airflow_provider_b24.exceptions import Bitrix24ConfigurationError, Bitrix24ValidationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Sequence

    from airflow.triggers.shared_stream import SharedStreamProducer

    from airflow_provider_b24.triggers.event_queue.delivery import Delivery

_REPLY = "ONIMCONNECTORMESSAGEADD"


class Bitrix24OfflineEventTrigger(BaseEventTrigger):
    """Turn the offline events of an application into asset events; for an ``AssetWatcher``.

    Methods: ``event.offline.get``, ``event.offline.clear``, ``event.offline.list``
    (https://apidocs.bitrix24.com/api-reference/events/offline-events.html).

    Each message of an operator is one asset event, whose payload is ``{"id", "event", "portal",
    "received_at", "redelivered", "connector", "line", "im": {"chat_id", "message_id"}, "chat": {"id"},
    "text", "author", "user_id", "files", "data"}``; other events have ``data`` as the portal sends it. An
    event can come twice: ``redelivered`` says that it may have, and ``id`` is the same.

    Events are reserved, handed on and then cleared: on Airflow 3.3 after Airflow has stored them, on older
    versions some seconds after it took them. All watchers of one connection in a triggerer share one
    reader. Needs Airflow 3.0, an OAuth application whose user is an administrator, the subscription
    ``hook.events.bind(event=...)``, and a plan with the feature ``rest_offline_extended``.

    :param bitrix24_conn_id: the Airflow connection; not templated, as nothing of a watcher is.
    :param events: names of events.
    :param poll_interval: seconds between two reads of the queue.
    :param auth_connector: the key of the queue, as ``hook.events.bind`` was given it; None is the queue
        without one.
    :raises Bitrix24ValidationError: when a name or the interval is not usable.
    :raises Bitrix24ConfigurationError: on Airflow 2, which has no asset watchers.
    """

    def __init__(
        self,
        *,
        bitrix24_conn_id: str = "bitrix24_default",
        events: Sequence[str] = (_REPLY,),
        poll_interval: float = 10,
        auth_connector: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if not has_asset_watchers():
            raise Bitrix24ConfigurationError(
                "Asset watchers need Airflow 3.0 or later",
                advice="On Airflow 2, read the events in a scheduled task: hook.events.reserve and .clear.",
            )
        self.bitrix24_conn_id = bitrix24_conn_id
        self.events = _names(events)
        self.poll_interval = _interval(poll_interval)
        self.auth_connector = _queue_key(auth_connector)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments; none of them is a secret."""
        # Without a key as before: a triggerer of an older version starts the watcher too.
        queue = {} if self.auth_connector is None else {"auth_connector": self.auth_connector}
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "bitrix24_conn_id": self.bitrix24_conn_id,
            "events": self.events,
            "poll_interval": self.poll_interval,
            **queue,
        }

    def shared_stream_key(self) -> Hashable | None:
        """Let all watchers of one queue share one reader."""
        key = ("bitrix24_offline_events", self.bitrix24_conn_id, self.auth_connector)
        return key if has_shared_streams() else None

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """Return what reads the queue and clears it after Airflow has stored the events."""
        from airflow_provider_b24.triggers.event_queue.options import read_options
        from airflow_provider_b24.triggers.event_queue.producer import QueueProducer
        from airflow_provider_b24.triggers.event_queue.reader import QueueReader

        key = kwargs.get("auth_connector")
        return QueueProducer(QueueReader(kwargs["bitrix24_conn_id"], read_options(), auth_connector=key))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Yield this watcher's part of what the connection's reader hands on."""
        async for event in self._hand_on(shared_stream):
            yield event

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield this watcher's events, where Airflow has no shared streams."""
        from airflow_provider_b24.triggers.event_queue.fanout import fanout_of

        deliveries = fanout_of(self.bitrix24_conn_id, self.auth_connector).deliveries()
        async with aclosing(deliveries), aclosing(self._hand_on(deliveries)) as events:
            async for event in events:
                yield event

    async def _hand_on(self, deliveries: AsyncIterator[Delivery]) -> AsyncGenerator[TriggerEvent]:
        from airflow_provider_b24.triggers.event_queue.bursts import Burst, with_silences
        from airflow_provider_b24.triggers.event_queue.interests import interests_of
        from airflow_provider_b24.triggers.event_queue.options import read_options

        now = asyncio.get_running_loop().time
        burst = Burst(read_options())
        stream = with_silences(deliveries, lambda: burst.silence(now()))
        async with aclosing(stream):
            interests = interests_of(self.bitrix24_conn_id, self.auth_connector)
            with interests.watching(self.events, self.poll_interval):
                async for delivery in stream:
                    if delivery is None:
                        yield TriggerEvent(burst.repeat(now()))
                        continue
                    if delivery.event.name not in self.events:
                        continue
                    for payload in delivery.payloads():
                        yield TriggerEvent(payload)
                        burst.handed_on(payload, now())
                    # Not before: a watcher that ends among an event's messages has not taken the event.
                    delivery.taken = True


def _names(events: Any) -> list[str]:
    """Return names in one order, so that equal watchers are one watcher to Airflow."""
    from airflow_provider_b24.events.names import parse_event_name

    if isinstance(events, str) or not events:
        raise Bitrix24ValidationError("events", f"must be a list of events' names, not {events!r}")
    return sorted({parse_event_name(name, f"events[{number}]") for number, name in enumerate(events)})


def _queue_key(value: Any) -> str | None:
    from airflow_provider_b24.events.names import parse_auth_connector

    return parse_auth_connector(value)


def _interval(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < float("inf"):
        raise Bitrix24ValidationError("poll_interval", f"must be seconds above 0, not {value!r}")
    return float(value)

"""An event on its way to Airflow."""

from __future__ import annotations

from airflow_provider_b24.events.queued_event import QueuedEvent
from airflow_provider_b24.rest.decoding import is_encodable
from airflow_provider_b24.triggers.event_queue.delivery import Delivery
from tests.support.replies import REPLY


def test_what_airflow_can_not_encode_is_replaced() -> None:
    row = {"message": {"text": "half \ud83d a pair"}, "chat": {"id": 2**70}}
    event = QueuedEvent(7, REPLY, {"MESSAGES": [row]}, None, "", "")

    (payload,) = Delivery(event, "acme.bitrix24.com").payloads()

    assert payload["text"] == "half \ufffd a pair"
    assert is_encodable(payload)


def test_keys_that_airflow_reserves_get_another_name() -> None:
    from airflow.sdk.serde import serialize

    data = {
        "__classname__": "os.system",
        "a": [{"__type": "dict", "__var": {"_var": 1, "__var": 2}}],
        "_b": 3,
    }
    (payload,) = Delivery(QueuedEvent(7, "ONTASKADD", data, None, "", ""), "acme.bitrix24.com").payloads()

    assert payload["data"] == {
        "_classname__": "os.system",
        "a": [{"_type": "dict", "_var": {"_var": 1, "_var_": 2}}],
        "_b": 3,
    }
    assert serialize(payload) == payload

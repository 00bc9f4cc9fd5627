"""What a DAG author writes into an AssetWatcher."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from airflow.sdk import Asset, AssetWatcher
from airflow.triggers.base import BaseEventTrigger

from airflow_provider_b24 import compat
from airflow_provider_b24.exceptions import Bitrix24ConfigurationError, Bitrix24ValidationError
from airflow_provider_b24.triggers import events
from airflow_provider_b24.triggers.events import Bitrix24OfflineEventTrigger
from tests.support.replies import REPLY


def test_it_is_a_trigger_for_asset_watchers() -> None:
    trigger = Bitrix24OfflineEventTrigger(bitrix24_conn_id="bitrix24_app")
    assert isinstance(trigger, BaseEventTrigger)
    Asset("replies", watchers=[AssetWatcher(name="bitrix24", trigger=trigger)])


def test_serialize_restores_the_same_trigger() -> None:
    trigger = Bitrix24OfflineEventTrigger(
        bitrix24_conn_id="bitrix24_app", events=["onCrmDealUpdate", REPLY], poll_interval=3
    )
    path, kwargs = trigger.serialize()
    assert path == "airflow_provider_b24.triggers.events.Bitrix24OfflineEventTrigger"
    assert kwargs == {
        "bitrix24_conn_id": "bitrix24_app",
        "events": ["ONCRMDEALUPDATE", REPLY],
        "poll_interval": 3.0,
    }
    restored = Bitrix24OfflineEventTrigger(**json.loads(json.dumps(kwargs)))
    assert restored.serialize() == (path, kwargs)


def test_equal_watchers_are_one_to_airflow() -> None:
    first, second = (
        Bitrix24OfflineEventTrigger(events=names).serialize()
        for names in ([REPLY, "ONCRMDEALADD"], ["oncrmdealadd", REPLY, REPLY])
    )
    assert BaseEventTrigger.hash(*first) == BaseEventTrigger.hash(*second)


def test_watchers_of_one_connection_share_a_stream_and_others_do_not() -> None:
    keys = [
        Bitrix24OfflineEventTrigger(bitrix24_conn_id=conn_id, poll_interval=interval).shared_stream_key()
        for conn_id, interval in (("a", 5), ("a", 10), ("b", 5))
    ]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"events": []}, "events: must be a list"),
        ({"events": REPLY}, "events: must be a list"),
        ({"events": ["x"]}, r"events\[0\]: must be an event's name"),
        ({"poll_interval": 0}, "poll_interval: must be seconds above 0"),
        ({"poll_interval": "5"}, "poll_interval"),
        ({"poll_interval": float("nan")}, "poll_interval"),
        ({"poll_interval": True}, "poll_interval"),
    ],
)
def test_bad_input_is_refused_where_the_dag_is_written(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(Bitrix24ValidationError, match=message):
        Bitrix24OfflineEventTrigger(**arguments)


def test_before_airflow_3_3_a_watcher_runs_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "has_shared_streams", lambda: False)
    assert Bitrix24OfflineEventTrigger().shared_stream_key() is None


def test_on_airflow_2_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "has_asset_watchers", lambda: False)
    with pytest.raises(Bitrix24ConfigurationError, match=r"need Airflow 3\.0 or later"):
        Bitrix24OfflineEventTrigger()


def test_this_airflow_has_what_the_trigger_needs() -> None:
    assert compat.has_asset_watchers()
    assert compat.has_shared_streams()


def test_importing_it_loads_neither_requests_nor_the_client() -> None:
    code = (
        "import airflow.triggers.base, sys; before = set(sys.modules); "
        "import airflow_provider_b24.triggers.events; "
        "new = set(sys.modules) - before; "
        "print([name for name in new if name.startswith(('requests', 'airflow_provider_b24.rest'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr

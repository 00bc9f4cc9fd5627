"""Assets of a portal: their URIs, and the DAGs that they start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from airflow.sdk import DAG, Asset

from airflow_provider_b24.assets.bitrix24 import connector_asset, create_asset, poll_asset, sanitize_uri
from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.operators.open_lines import Bitrix24SendConnectorMessagesOperator
from airflow_provider_b24.sensors.polls import Bitrix24PollSensor
from tests.support.snippets import run_snippets

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator import Emulator


@pytest.mark.parametrize("portal", ["acme.bitrix24.com", "https://ACME.bitrix24.com/", "ACME.bitrix24.com"])
def test_an_asset_has_one_uri_however_the_portal_is_written(portal: str) -> None:
    assert connector_asset(portal=portal, line="12", connector="shop").uri == (
        "bitrix24://acme.bitrix24.com/open_lines/12/shop"
    )


def test_a_name_is_escaped() -> None:
    assert poll_asset(portal="a.b", name="a/b c?").uri == "bitrix24://a.b/polls/a%2Fb%20c%3F"


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("bitrix24://Acme.bitrix24.com/polls/x/", "bitrix24://acme.bitrix24.com/polls/x"),
        ("bitrix24://u@a.b/open_lines/1/s?q=1#f", "bitrix24://a.b/open_lines/1/s"),
        ("bitrix24://a.b/polls/a%20b", "bitrix24://a.b/polls/a%20b"),
    ],
)
def test_airflow_knows_the_scheme_and_normalizes_the_uri(given: str, normal: str) -> None:
    assert sanitize_uri(urlsplit(given)).geturl() == normal
    assert sanitize_uri(urlsplit(normal)).geturl() == normal
    assert Asset(given).uri == normal
    assert create_asset(uri=given).uri == normal


@pytest.mark.parametrize(
    "uri",
    [
        "bitrix24://a.b",
        "bitrix24:///polls/x",
        "bitrix24://a.b/polls",
        "bitrix24://a.b/open_lines/x/shop",
        "bitrix24://a.b/open_lines/1",
        "bitrix24://a.b/deals/1",
    ],
)
def test_a_uri_that_names_nothing_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="must be bitrix24://HOST"):
        sanitize_uri(urlsplit(uri))


@pytest.mark.parametrize(
    "change", [{"portal": ""}, {"portal": "a@b"}, {"portal": "a/b"}, {"line": 0}, {"connector": " "}]
)
def test_what_is_no_asset_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Bitrix24ValidationError):
        connector_asset(**{"portal": "a.b", "line": 1, "connector": "shop", **change})


def events_of(asset: Asset) -> list[Any]:
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = select(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        return list(session.scalars(rows.where(AssetModel.uri == asset.uri)))


def waiting_dags(asset: Asset) -> list[str]:
    """The DAGs for which the scheduler makes a run, because all of their assets have an event."""
    from airflow.models.asset import AssetDagRunQueue, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = select(AssetDagRunQueue.target_dag_id).join(
            AssetModel, AssetModel.id == AssetDagRunQueue.asset_id
        )
        return list(session.scalars(rows.where(AssetModel.uri == asset.uri)))


def test_a_push_stores_an_event_with_its_counts_and_starts_other_dags(
    portal: Emulator, application: str, run_dag: Callable[..., Any]
) -> None:
    line = next(iter(portal.lines)).id
    portal.lines.install_connector("shop", line)
    asset = connector_asset(portal=portal.url, line=line, connector="shop")
    sync(DAG("after_push", schedule=[asset]))
    with DAG("push_asset", schedule=None) as dag:
        Bitrix24SendConnectorMessagesOperator(
            task_id="push",
            bitrix24_conn_id=application,
            connector="shop",
            line=line,
            messages=[{"user": {"id": "u"}, "message": {"id": "1", "text": "Hi"}, "chat": {"id": "c"}}],
            outlets=[asset],
        )
    assert run_dag(dag).state == "success"
    (event,) = events_of(asset)
    assert event.extra == {"accepted": 1, "rejected": 0, "unknown": 0, "report_path": None}
    assert waiting_dags(asset) == ["after_push"]


def test_a_decided_poll_stores_an_event(portal: Emulator, run_dag: Callable[..., Any]) -> None:
    chat = portal.add_chat("Team")
    asset = poll_asset(portal=portal.url, name="release")
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

    sent = Bitrix24Hook().polls.send(chat_id=chat, question="Deploy?", answers=["Yes", "No"])
    portal.vote(sent["message_id"], user_id=2, answers=["Yes"])
    with DAG("poll_asset", schedule=None) as dag:
        Bitrix24PollSensor(
            task_id="wait", poll=sent["message_id"], rule="first_vote", poke_interval=0.1, outlets=[asset]
        )
    assert run_dag(dag).state == "success"
    assert len(events_of(asset)) == 1


def sync(dag: DAG) -> None:
    """Tell Airflow of a DAG that waits for an asset."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    from airflow_provider_b24.emulator.dag_runs import _store

    _store(dag)
    with create_session() as session:
        session.get(DagModel, dag.dag_id).is_paused = False


def test_the_page_s_snippets_run() -> None:
    left = run_snippets("assets.md")
    assert left["pushed"].uri == "bitrix24://acme.bitrix24.com/open_lines/12/shop"

"""The Test button of Airflow's web UI: its request, sent to Airflow's own API server."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.testclient import TestClient

    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2].joinpath("docs", "connection.md").read_text(encoding="utf-8")
CONN_ID = "bitrix24_button"


@pytest.fixture
def api(airflow_database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Airflow's API server in this process, with an administrator logged in."""
    from airflow.api_fastapi.app import create_app, purge_cached_app
    from starlette.testclient import TestClient

    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", secrets.token_hex(64))
    purge_cached_app()
    with TestClient(create_app(apps="core")) as client:
        token = client.get("/auth/token").json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client
        client.delete(f"/api/v2/connections/{CONN_ID}")
    purge_cached_app()


def stored(api: TestClient, portal: Emulator, port: int | None) -> dict[str, Any]:
    """Store a connection with a password alone, as the form does, and return how Airflow lists it."""
    form = {"connection_id": CONN_ID, "conn_type": "bitrix24", "password": portal.webhook_url}
    reply = api.post("/api/v2/connections", json=form | ({} if port is None else {"port": port}))
    assert reply.status_code == 201, reply.text
    return dict(api.get(f"/api/v2/connections/{CONN_ID}").json())


def button(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the button of a row sends: empty texts for null, and Number(null), which is 0."""
    texts = {name: row[name] or "" for name in ("description", "host", "login", "password", "schema")}
    names = {name: row[name] for name in ("connection_id", "conn_type")}
    return {**names, **texts, "extra": row["extra"] or "{}", "port": row["port"] or 0}


def test_a_password_and_the_port_443_can_be_tested(api: TestClient, portal: Emulator) -> None:
    reply = api.post("/api/v2/connections/test", json=button(stored(api, portal, 443)))

    assert reply.status_code == 200, reply.text
    assert reply.json()["status"], reply.text
    assert f"Portal {portal.url}" in reply.json()["message"]


def test_without_a_port_airflow_refuses_as_the_page_says(api: TestClient, portal: Emulator) -> None:
    """When this fails, this Airflow has the fix: the paragraph and the form's hint can go."""
    reply = api.post("/api/v2/connections/test", json=button(stored(api, portal, None)))

    assert reply.status_code == 400
    assert "says *Bad Request* for every stored connection\nwithout a port" in PAGE
    assert "Fill in the **Port**, `443`" in PAGE


def test_the_form_offers_the_port_and_says_which(api: TestClient) -> None:
    (form,) = [
        row for row in api.get("/ui/connections/hook_meta").json() if row["connection_type"] == "bitrix24"
    ]
    port = form["standard_fields"]["port"]

    assert not port["hidden"]
    assert "443" in port["placeholder"]

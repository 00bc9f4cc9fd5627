"""The page on connections, run, and held to the code."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_b24 import exceptions
from airflow_provider_b24.hooks import connection as code
from airflow_provider_b24.hooks.connection import read_connection
from airflow_provider_b24.rest.oauth_server import _SECOND_ZONES
from airflow_provider_b24.rest.rate_limit import PLANS
from tests.support.snippets import claimed_blocks, run_snippets

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.slow

PAGE = pathlib.Path(__file__).parents[2].joinpath("docs", "connection.md").read_text(encoding="utf-8")
SHELL = claimed_blocks("connection.md", "sh")
VARIABLES = dict(re.findall(r"^export AIRFLOW_CONN_(\w+)='(.*)'$", PAGE, re.MULTILINE))


def settings_of(value: str) -> Any:
    is_json = value.startswith("{")
    connection = Connection.from_json(value, "page") if is_json else Connection(conn_id="page", uri=value)
    fields = {name: getattr(connection, name) for name in ("host", "login", "password", "port")}
    return read_connection(conn_id="page", extra=connection.extra_dejson, **fields)


@pytest.mark.parametrize("name", ["BITRIX24_DEFAULT", "BITRIX24_BIG", "BITRIX24_URI", "BITRIX24_URL"])
def test_all_webhook_examples_give_the_same_settings(name: str) -> None:
    settings = settings_of(VARIABLES[name])

    assert settings.portal == "https://acme.bitrix24.com"
    assert (settings.user, settings.secret.reveal()) == ("1", "abc123abc123abcd")
    assert settings.plan == PLANS["enterprise" if "enterprise" in VARIABLES[name] else "standard"]


def test_the_application_example_gives_an_application() -> None:
    settings = settings_of(VARIABLES["BITRIX24_APP"])

    assert settings.is_application
    assert settings.refresh_token.reveal() == "refresh-token"


def test_every_connection_on_the_page_is_tested() -> None:
    known = {"BITRIX24_DEFAULT", "BITRIX24_BIG", "BITRIX24_URI", "BITRIX24_URL", "BITRIX24_APP"}

    assert set(VARIABLES) == known
    assert len(SHELL) == 3


def test_the_commands_of_the_page_add_and_test_a_connection(portal: Emulator, tmp_path: pathlib.Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    env |= {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    env["PATH"] = f"{pathlib.Path(sys.executable).parent}:{env['PATH']}"
    page_url = "https://acme.bitrix24.com/rest/1/abc123abc123abcd/"
    add, test = (block.replace(page_url, portal.webhook_url) for block in SHELL[1:])
    script = f"airflow db migrate >/dev/null\n{add}{test}"

    done = subprocess.run(["bash", "-euc", script], env=env, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    assert f"Portal {portal.url}" in done.stdout


@pytest.mark.usefixtures("application", "airflow_database")
def test_the_snippets_test_the_default_connection_and_keep_the_application_authorised(
    portal: Emulator,
) -> None:
    left = run_snippets("connection.md")

    assert left["works"], left["message"]
    assert left["done"]["refreshed"] is True


def test_every_message_on_the_page_exists_in_the_code() -> None:
    source = pathlib.Path(code.__file__).read_text(encoding="utf-8")
    section = PAGE.split("## When it does not work")[1].split("What the portal itself")[0]
    messages = re.findall(r"`((?:host|login|password|extra\.\w+) [^`]+)`", section)

    assert len(messages) == 15
    for message in messages:
        field, _, rule = message.partition(" ")
        assert f'"{field}"' in source, message
        assert rule in source, message


def test_every_error_on_the_page_exists() -> None:
    assert [name for name in re.findall(r"Bitrix24\w+Error", PAGE) if not hasattr(exceptions, name)] == []


def test_plans_zones_and_timeouts_on_the_page_equal_the_code() -> None:
    zones = re.search(r"zones ([^`]+), and `", " ".join(PAGE.split()))

    assert all(f"`{plan}`" in PAGE for plan in PLANS)
    assert zones is not None
    assert set(re.findall(r"\b[a-z]{2}\b", zones[1].replace(" and ", " "))) == set(_SECOND_ZONES)
    assert f"| {code._READ_SECONDS:.0f} |" in PAGE
    assert f"connecting ({code._CONNECT_SECONDS:.0f} of them for one address)" in PAGE

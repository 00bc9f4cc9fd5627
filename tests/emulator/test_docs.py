"""The page on the emulator is held to its options, its control routes and its fixtures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from airflow_provider_b24.emulator import pytest_plugin
from airflow_provider_b24.emulator.__main__ import parser
from airflow_provider_b24.emulator.http.control import ControlApi

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from .conftest import Caller

PAGE = Path(__file__).parents[2].joinpath("docs", "emulator.md").read_text(encoding="utf-8")
ROUTES = re.findall(r"^\| `(GET|POST|DELETE) (/emulator/\w+)` \| (?:`(\{.*\})`)? *\|", PAGE, re.MULTILINE)


def test_every_control_route_is_on_the_page_and_no_other(portal: Emulator) -> None:
    table = ControlApi(portal, portal.faults, portal.requests).routes()
    real = {(verb, route.path) for route in table for verb in route.methods or () if verb != "HEAD"}

    assert {(verb, path) for verb, path, _ in ROUTES} == real
    assert len(ROUTES) == len(real)


@pytest.mark.parametrize(("verb", "path", "body"), ROUTES)
def test_each_request_on_the_page_is_answered(
    caller: Caller, portal: Emulator, verb: str, path: str, body: str
) -> None:
    # The page speaks of the first poll and of the first conversation of a fresh portal.
    caller.send()
    portal.lines.add_crm_chat("deal", 288)

    reply = requests.request(verb, portal.url + path, json=json.loads(body or "{}"), timeout=5)

    assert reply.status_code == 200, reply.text


def test_every_option_is_on_the_page_and_no_other() -> None:
    real = {name for action in parser()._actions for name in action.option_strings if name.startswith("--")}

    assert set(re.findall(r"`(--[\w-]+)", PAGE)) == real - {"--help"}


def test_every_fixture_is_on_the_page() -> None:
    fixtures = {name for name in vars(pytest_plugin) if name.startswith("bitrix24_")}

    assert fixtures - {"bitrix24_airflow_database"} == set(
        re.findall(r"`(bitrix24_\w+)(?:\([^`]*\))?`:", PAGE)
    )

"""Open lines, found by number and by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24LineNotFoundError, Bitrix24ServerError
from airflow_provider_b24.open_lines.api import OpenLinesApi
from tests.support.clients import client_of

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

LIST = "imopenlines.config.list.get"


@pytest.fixture(params=["webhook", "oauth"])
def lines(request: pytest.FixtureRequest, portal: Emulator) -> OpenLinesApi:
    """The portal's open lines, over a webhook and over an application."""
    return OpenLinesApi(client_of(portal, auth=request.param))


def test_lines_have_numbers_names_and_switches(portal: Emulator, lines: OpenLinesApi) -> None:
    night = portal.lines.add("Night shift", active=False)
    assert lines.lines() == [
        {"id": 12, "name": "Support", "active": True},
        {"id": night, "name": "Night shift", "active": False},
    ]


def test_all_pages_of_lines_are_read(portal: Emulator, lines: OpenLinesApi) -> None:
    for number in range(410):
        portal.lines.add(f"Line {number}")
    assert len({line["id"] for line in lines.lines()}) == 411
    assert portal.requests.count(LIST) == 3


def test_a_portal_that_ignores_offsets_is_not_read_for_ever(
    lines: OpenLinesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = [{"ID": str(number), "LINE_NAME": "x", "ACTIVE": "Y"} for number in range(1, 201)]
    monkeypatch.setattr(lines._client, "call", lambda *_, **__: page)
    assert len(lines.lines()) == 200


@pytest.mark.parametrize("line", [12, "12", " 12 ", "Support", " Support "])
def test_a_line_is_found_by_number_and_by_name(lines: OpenLinesApi, line: Any) -> None:
    assert lines.find_line(line) == {"id": 12, "name": "Support", "active": True}


def test_digits_are_a_number_and_no_name(portal: Emulator, lines: OpenLinesApi) -> None:
    portal.lines.add("12")
    assert lines.find_line("12")["name"] == "Support"


@pytest.mark.parametrize("line", ["support", "Sup", "Sales", 99, "99"])
def test_a_line_that_is_not_there_is_an_error_that_lists_the_lines(
    portal: Emulator, lines: OpenLinesApi, line: Any
) -> None:
    night = portal.lines.add("Night shift", active=False)
    with pytest.raises(Bitrix24LineNotFoundError) as caught:
        lines.find_line(line)
    assert f"the portal has 12 ('Support'), {night} ('Night shift', switched off)" in str(caught.value)
    assert "Name the line by its number" in str(caught.value)


def test_a_name_that_several_lines_have_is_an_error_that_lists_these(
    portal: Emulator, lines: OpenLinesApi
) -> None:
    other = portal.lines.add("Support", active=False)
    portal.lines.add("Sales")
    with pytest.raises(Bitrix24LineNotFoundError) as caught:
        lines.find_line("Support")
    text = f"2 open lines have the name 'Support': 12 ('Support'), {other} ('Support', switched off)"
    assert text in str(caught.value)
    assert "Sales" not in str(caught.value)


def test_an_error_does_not_list_hundreds_of_lines(portal: Emulator, lines: OpenLinesApi) -> None:
    for number in range(30):
        portal.lines.add(f"Line {number}")
    with pytest.raises(Bitrix24LineNotFoundError, match="and 11 more"):
        lines.find_line("Sales")


@pytest.mark.parametrize("result", [None, "x", [[]], [{"ID": "x"}], [{"LINE_NAME": "a"}], True])
def test_a_reply_that_is_no_list_of_lines_is_an_error(
    lines: OpenLinesApi, monkeypatch: pytest.MonkeyPatch, result: Any
) -> None:
    monkeypatch.setattr(lines._client, "call", lambda *_, **__: result)
    if result is None:
        assert lines.lines() == []
    else:
        with pytest.raises(Bitrix24ServerError, match="not a list of open lines"):
            lines.lines()

"""imopenlines.config.*: the open lines themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ...conftest import Caller


def test_listed_lines_have_strings_for_all_values(caller: Caller, portal: Emulator) -> None:
    off = portal.lines.add("Night shift", active=False)
    assert caller.result("imopenlines.config.list.get") == [
        {"ID": "12", "ACTIVE": "Y", "LINE_NAME": "Support"},
        {"ID": str(off), "ACTIVE": "N", "LINE_NAME": "Night shift"},
    ]


def test_the_list_of_lines_obeys_filter_order_and_select(caller: Caller, portal: Emulator) -> None:
    ids = [portal.lines.add(name) for name in ("B", "A")]
    found = caller.result(
        "imopenlines.config.list.get",
        {
            "PARAMS": {"select": ["LINE_NAME"], "filter": {"ID": ids}, "order": {"LINE_NAME": "asc"}},
            "OPTIONS": {"QUEUE": "Y"},
        },
    )
    assert [item["LINE_NAME"] for item in found] == ["A", "B"]
    assert [set(item) for item in found] == [{"LINE_NAME", "QUEUE"}] * 2
    newest = caller.result("imopenlines.config.list.get", {"PARAMS": {"order": {"ID": "DESC"}}})
    assert [item["ID"] for item in newest] == [str(ids[1]), str(ids[0]), "12"]


def test_config_get_returns_the_operators_unless_with_queue_is_n(caller: Caller) -> None:
    found = caller.result("imopenlines.config.get", {"CONFIG_ID": 12})
    assert (found["LINE_NAME"], found["QUEUE"]) == ("Support", ["1", "2", "3", "4", "5", "6"])
    assert "QUEUE" not in caller.result("imopenlines.config.get", {"CONFIG_ID": 12, "WITH_QUEUE": "N"})
    assert caller.result("imopenlines.config.get", {"CONFIG_ID": 99}) is False
    assert caller.error("imopenlines.config.get") == (400, "CONFIG_ID_EMPTY")
    assert caller.error("imopenlines.config.get", {"config_id": 12}) == (400, "CONFIG_ID_EMPTY")


LIST = "imopenlines.config.list.get"


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ({}, 50),
        ({"limit": 2}, 2),
        ({"limit": 500}, 200),
        ({"limit": 200, "offset": 200}, 11),
        ({"limit": 0}, 50),
    ],
)
def test_lines_are_listed_a_page_at_a_time(
    caller: Caller, portal: Emulator, page: dict[str, int], names: int
) -> None:
    for number in range(210):
        portal.lines.add(f"Line {number}")
    found = caller.result(LIST, {"PARAMS": page})
    assert len(found) == names
    assert found[0]["ID"] == str(12 + page.get("offset", 0))


@pytest.mark.parametrize(
    "params",
    [
        {"FILTER": {"ID": 12}},
        {"select": "ID"},
        {"order": "ID"},
        {"filter": "ID"},
        {"limit": -1},
        {"limit": "many"},
        {"offset": -1},
        {"select": ["NAME"]},
        {"order": {"NAME": "asc"}},
        {"filter": {"NAME": "Support"}},
    ],
)
def test_a_list_of_lines_that_is_asked_for_in_another_format_is_refused(
    caller: Caller, params: dict[str, Any]
) -> None:
    assert caller.error(LIST, {"PARAMS": params}) == (400, "INVALID_FORMAT")

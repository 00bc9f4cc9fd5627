"""Connectors are brought to a wanted state, and what is as wanted is not changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24AccessDeniedError,
    Bitrix24AuthTypeError,
    Bitrix24ConnectorError,
    Bitrix24LineNotFoundError,
    Bitrix24ValidationError,
)
from airflow_provider_b24.open_lines.connectors import ConnectorsApi
from tests.support.clients import client_of

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.emulator.state.open_lines.connectors import Connector

SHOP = {"connector": "shop", "name": "Shop", "handler_url": "https://shop.example/bitrix24"}
WRITES = {
    "imconnector.register",
    "imconnector.unregister",
    "imconnector.activate",
    "imconnector.connector.data.set",
    "user.option.set",
}


class Shop:
    """The shop's connector on the portal's first line."""

    def __init__(self, portal: Emulator) -> None:
        self.portal = portal
        self.line = next(iter(portal.lines)).id
        self.sleeps: list[float] = []
        self.api = ConnectorsApi(client_of(portal, auth="oauth"), sleep=self.sleeps.append)

    def set_up(self, **changes: Any) -> dict[str, Any]:
        return self.api.set_up(**{**SHOP, "line": self.line, **changes})

    def changes(self, **changes: Any) -> list[str]:
        """What a set-up did, as it says, which is all that it did."""
        before = len(self.portal.requests)
        changed: list[str] = self.set_up(**changes)["changed"]
        sent = [request.method for request in list(self.portal.requests)[before:]]
        assert bool(changed) == bool(WRITES & set(sent))
        return changed

    @property
    def connector(self) -> Connector:
        found = self.portal.lines.connectors.get("shop")
        assert found is not None
        return found

    @property
    def data(self) -> dict[str, Any]:
        return self.portal.lines.connectors.status("shop", self.line).data


@pytest.fixture
def shop(portal: Emulator) -> Shop:
    return Shop(portal)


# ---- present ----


def test_a_connector_is_registered_activated_and_described(shop: Shop) -> None:
    found = shop.set_up(line="Support")
    off = {"registered": False, "name": None, "active": False, "configured": False, "error": False}
    assert found == {
        "connector": "shop",
        "line": shop.line,
        "line_name": "Support",
        "state": "present",
        "found": off,
        "changed": ["register", "activate", "set_data"],
        "status": {"registered": True, "name": "Shop", "active": True, "configured": True, "error": False},
    }
    assert shop.connector.options["PLACEMENT_HANDLER"] == SHOP["handler_url"]
    assert shop.connector.options["ICON"]["DATA_IMAGE"].startswith("data:image/svg+xml,")
    assert shop.connector.options["ICON_DISABLED"]["COLOR"] == "#99adb3"
    assert shop.data == {"id": f"shop_line{shop.line}", "name": "Shop"}


def test_a_connector_that_is_as_wanted_is_only_read(shop: Shop) -> None:
    shop.set_up()
    before = len(shop.portal.requests)
    assert shop.changes() == []
    assert [request.method for request in list(shop.portal.requests)[before:]] == [
        "imopenlines.config.list.get",
        "batch",
    ]


def test_another_process_sees_that_nothing_differs(shop: Shop, portal: Emulator) -> None:
    shop.set_up()
    assert Shop(portal).changes() == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": "The shop"}, ["register", "set_data"]),
        ({"name": "The shop", "data": {"name": "Shop"}}, ["register"]),
        ({"handler_url": "https://shop.example/other"}, ["register"]),
        ({"icon": "data:image/svg+xml,%3Csvg/%3E"}, ["register"]),
        ({"icon_disabled": {"color": "#000"}}, ["register"]),
        ({"chat_group": True}, ["register"]),
        ({"options": {"newsletter": False}}, ["register"]),
        ({"options": {"newsletter": True}}, []),
        ({"data": {"url": "https://shop.example"}}, ["set_data"]),
        ({"force": True}, ["register", "set_data"]),
        ({"connector": "SHOP", "line": "Support"}, []),
    ],
)
def test_only_what_differs_is_changed_and_only_once(
    shop: Shop, change: dict[str, Any], expected: list[str]
) -> None:
    shop.set_up()
    assert shop.changes(**change) == expected
    change.pop("force", None)
    assert shop.changes(**change) == []


def test_an_option_that_is_no_longer_named_has_its_default_again(shop: Shop) -> None:
    shop.set_up(options={"newsletter": False}, chat_group=True)
    assert (shop.connector.options["NEWSLETTER"], shop.connector.chat_group) == (False, True)
    shop.set_up()
    assert (shop.connector.options["NEWSLETTER"], shop.connector.chat_group) == (True, False)


def test_a_connector_that_somebody_switched_off_gets_its_data_again(shop: Shop) -> None:
    shop.set_up(data={"url": "https://shop.example"})
    shop.portal.lines.connectors.deactivate("shop", shop.line)
    assert shop.changes(data={"url": "https://shop.example"}) == ["activate", "set_data"]
    assert shop.data["url"] == "https://shop.example"


def test_a_connector_with_an_error_is_activated_again_and_keeps_its_data(shop: Shop) -> None:
    shop.set_up()
    shop.api.set_error(connector="shop", line="Support")
    assert shop.api.status(connector="shop", line=shop.line).to_dict() == {
        "active": False,
        "configured": True,
        "error": True,
    }
    found = shop.set_up()
    assert (found["found"]["error"], found["changed"]) == (True, ["activate"])
    assert found["status"]["active"] is True
    assert shop.data["name"] == "Shop"
    assert shop.changes() == []


def test_a_connector_that_was_registered_by_other_means_is_registered_once_more(shop: Shop) -> None:
    shop.portal.lines.install_connector("shop", shop.line, name="Shop")
    assert shop.changes() == ["register", "set_data"]
    assert shop.changes() == []


def test_a_second_line_needs_no_second_registration(shop: Shop) -> None:
    shop.set_up()
    other = shop.portal.lines.add("Sales")
    assert shop.changes(line="Sales") == ["activate", "set_data"]
    assert shop.portal.lines.connectors.status("shop", other).data["id"] == f"shop_line{other}"


def test_icons_come_from_files(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "icon.svg"
    file.write_text("<svg/>")
    shop.set_up(icon=file)
    assert shop.connector.options["ICON"]["DATA_IMAGE"] == "data:image/svg+xml,%3Csvg%2F%3E"
    file.write_text("<svg id='2'/>")
    assert shop.changes(icon=str(file)) == ["register"]


# ---- failures ----


@pytest.mark.parametrize("nested", [False, True])
def test_a_refused_registration_is_an_error_in_both_forms(shop: Shop, nested: bool) -> None:
    shop.portal.quirks.nested_register_errors = nested
    shop.portal.lines.connectors.refuse("shop")
    with pytest.raises(Bitrix24ConnectorError) as caught:
        shop.set_up()
    assert caught.value.code == "APPLICATION_REGISTRATION_ERROR"
    assert caught.value.method == "imconnector.register"
    assert caught.value.status == 200
    assert shop.api.status(connector="shop", line=shop.line).active is False


@pytest.mark.parametrize("result", ["false", '{"result": false}', '""'])
@pytest.mark.parametrize("method", ["register", "activate", "connector.data.set"])
def test_a_step_that_the_portal_does_not_do_is_an_error(shop: Shop, method: str, result: str) -> None:
    body = f'{{"result": {result}}}'
    shop.portal.faults.add("reply", method=f"imconnector.{method}", body=body, executed=False)
    with pytest.raises(Bitrix24ConnectorError, match="refused the step"):
        shop.set_up()


@pytest.mark.parametrize(
    "method", ["register", "activate", "connector.data.set", "user.option.set", "batch", "list.get"]
)
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "status_502", "html"])
def test_a_lost_reply_is_retried_because_each_step_is_idempotent(shop: Shop, method: str, kind: str) -> None:
    shop.portal.faults.add(kind, method=f"*{method}")
    assert shop.set_up()["changed"] == ["register", "activate", "set_data"]
    assert shop.changes() == []


@pytest.mark.parametrize("step", ["register", "activate", "connector.data.set"])
@pytest.mark.parametrize("executed", [False, True])
def test_a_set_up_that_broke_is_finished_by_the_next_one(shop: Shop, step: str, executed: bool) -> None:
    shop.set_up(data={"url": "https://shop.example/old"})
    shop.portal.lines.connectors.deactivate("shop", shop.line)
    wanted = {"name": "New", "data": {"url": "https://shop.example/new"}}
    body = '{"error": "ERROR_CORE", "error_description": "Internal error"}'
    fault = {"body": body, "status": 400, "executed": executed}
    shop.portal.faults.add("reply", method=f"imconnector.{step}", times=1, **fault)
    with pytest.raises(Exception, match="ERROR_CORE"):
        shop.set_up(**wanted)
    # Back to the old state, as if the DAG was reverted: no digest says that it is there already.
    shop.set_up(data={"url": "https://shop.example/old"})
    assert shop.connector.name == "Shop"
    assert shop.data["url"] == "https://shop.example/old"
    shop.set_up(**wanted)
    assert (shop.connector.name, shop.data["url"]) == ("New", "https://shop.example/new")
    assert shop.changes(**wanted) == []


def test_a_status_that_is_saved_late_is_read_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    connectors = shop.portal.lines.connectors
    activate, calls = connectors.activate, []
    monkeypatch.setattr(connectors, "activate", lambda *place: calls.append(place))

    def wake(seconds: float) -> None:
        shop.sleeps.append(seconds)
        if len(shop.sleeps) == 2:
            activate(*calls[0])

    shop.api = ConnectorsApi(client_of(shop.portal, auth="oauth"), sleep=wake)
    assert shop.set_up()["status"]["active"] is True
    assert len(shop.sleeps) == 2


def test_a_connector_that_does_not_become_active_is_an_error(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.portal.lines.connectors, "activate", lambda *_: None)
    with pytest.raises(Bitrix24ConnectorError, match="connector 'shop' is still not present"):
        shop.set_up()
    assert len(shop.sleeps) == 3


def test_a_portal_that_keeps_no_settings_gets_the_registration_each_time(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    body = '{"error": "AccessException", "error_description": "Application context required"}'
    fault = {"body": body, "status": 400, "executed": False}
    shop.portal.faults.add("reply", method="user.option.set", times=None, **fault)
    assert shop.set_up()["status"]["active"] is True
    assert "does not keep what the connector was set up with" in caplog.text
    assert shop.set_up()["changed"] == ["register", "set_data"]


def test_a_line_that_is_not_there_is_an_error_before_anything_is_registered(shop: Shop) -> None:
    with pytest.raises(Bitrix24LineNotFoundError):
        shop.set_up(line="Sales")
    assert shop.portal.lines.connectors.get("shop") is None


def test_a_webhook_is_refused(portal: Emulator) -> None:
    api = ConnectorsApi(client_of(portal))
    with pytest.raises(Bitrix24AuthTypeError):
        api.set_up(**SHOP, line="Support")
    with pytest.raises(Bitrix24AuthTypeError):
        api.list()


def test_a_user_who_may_not_change_connectors_is_denied(shop: Shop) -> None:
    user = shop.portal.portal.people.get(1)
    assert user is not None
    user.admin = False
    with pytest.raises(Bitrix24AccessDeniedError):
        shop.set_up()


@pytest.mark.parametrize("kind", ["register", "status"])
def test_a_name_is_looked_up_and_a_number_is_not(shop: Shop, kind: str) -> None:
    shop.set_up()
    before = shop.portal.requests.count("imopenlines.config.list.get")
    shop.api.status(connector="shop", line=str(shop.line))
    assert shop.portal.requests.count("imopenlines.config.list.get") == before
    shop.api.status(connector="shop", line="Support")
    assert shop.portal.requests.count("imopenlines.config.list.get") == before + 1


# ---- inactive and absent ----


def test_an_inactive_connector_stays_registered(shop: Shop) -> None:
    shop.set_up()
    found = shop.set_up(state="inactive")
    assert (found["changed"], found["status"]["registered"], found["status"]["active"]) == (
        ["deactivate"],
        True,
        False,
    )
    assert shop.changes(state="inactive") == []
    assert shop.changes() == ["activate", "set_data"]


def test_an_absent_connector_is_off_everywhere_and_may_come_back(shop: Shop) -> None:
    sales = shop.portal.lines.add("Sales")
    shop.set_up()
    shop.set_up(line=sales)
    found = shop.set_up(state="absent")
    assert found["changed"] == ["deactivate", "unregister"]
    assert found["status"]["registered"] is False
    assert shop.portal.lines.connectors.status("shop", sales).active is False
    assert shop.changes(state="absent") == []
    assert shop.changes() == ["register", "activate", "set_data"]
    assert shop.changes(line=sales) == ["activate", "set_data"]


def test_a_connector_is_removed_without_a_line(shop: Shop) -> None:
    shop.set_up()
    found = shop.api.set_up(connector="shop", state="absent")
    assert (found["line"], found["changed"]) == (None, ["unregister"])
    assert found["status"] == {
        "registered": False,
        "name": None,
        "active": None,
        "configured": None,
        "error": None,
    }


def test_a_line_that_is_gone_is_no_obstacle_to_a_removal(shop: Shop) -> None:
    shop.set_up()
    assert shop.set_up(state="absent", line="Deleted line")["changed"] == ["unregister"]


def test_a_refused_removal_is_an_error(shop: Shop) -> None:
    shop.set_up()
    shop.portal.lines.connectors.refuse("shop")
    with pytest.raises(Bitrix24ConnectorError) as caught:
        shop.set_up(state="absent")
    assert caught.value.code == "APPLICATION_UNREGISTRATION_ERROR"


def test_connectors_are_listed(shop: Shop) -> None:
    shop.set_up()
    assert shop.api.list() == {"livechat": "Live chat", "shop": "Shop"}


# ---- bad input ----


@pytest.mark.parametrize(
    ("change", "path", "rule"),
    [
        (
            {"connector": "my.shop"},
            "connector",
            "must be an id of letters a-z, digits, '_' and '-', not 'my.shop'",
        ),
        ({"connector": "a|b"}, "connector", "must be an id of letters a-z, digits, '_' and '-', not 'a|b'"),
        ({"connector": " "}, "connector", "must be an id of letters a-z, digits, '_' and '-', not ' '"),
        ({"connector": None}, "connector", "must be an id of letters a-z, digits, '_' and '-', not None"),
        ({"line": None}, "line", "must be an open line's number or name, not None"),
        ({"line": 0}, "line", "must be an open line's number or name, not 0"),
        ({"line": "0"}, "line", "must be an open line's number or name, not '0'"),
        ({"line": " "}, "line", "must be an open line's number or name, not ' '"),
        ({"line": None, "state": "inactive"}, "line", "must be an open line's number or name, not None"),
        ({"state": "gone"}, "state", "must be one of present, inactive, absent, not 'gone'"),
        ({"state": None}, "state", "must be one of present, inactive, absent, not None"),
        ({"name": None}, "name", "must be text, and neither blank nor '0'"),
        ({"name": "0"}, "name", "must be text, and neither blank nor '0'"),
        ({"handler_url": None}, "handler_url", "must be a link that starts with https:// or http://"),
        (
            {"handler_url": "shop.example"},
            "handler_url",
            "must be a link that starts with https:// or http://",
        ),
        ({"handler_url": "https://[x"}, "handler_url", "must be a link that starts with https:// or http://"),
        ({"icon": "/no/icon.svg"}, "icon", "can't be read: No such file or directory: '/no/icon.svg'"),
        ({"icon_disabled": 5}, "icon_disabled", "must be the path of an SVG or PNG file, or a Data URI"),
        ({"chat_group": "N"}, "chat_group", "must be True or False"),
        ({"force": "false"}, "force", "must be True or False"),
        ({"options": {"newsletter": "N"}}, "options.newsletter", "must be True or False"),
        (
            {"options": {"news": True}},
            "options",
            "has no key 'news'; it knows del_external_messages, edit_internal_messages, "
            "del_internal_messages, newsletter, need_system_messages, need_signature",
        ),
        (
            {"options": ["newsletter"]},
            "options",
            "must be a mapping of del_external_messages, "
            "edit_internal_messages, del_internal_messages, newsletter, need_system_messages, need_signature",
        ),
        ({"data": {"title": "x"}}, "data", "has no key 'title'; it knows id, url, url_im, name"),
        ({"data": "x"}, "data", "must be a mapping of id, url, url_im, name"),
        ({"data": {"name": ""}}, "data.name", "must be text; the portal ignores an empty value and '0'"),
        ({"data": {"id": 7}}, "data.id", "must be text; the portal ignores an empty value and '0'"),
        ({"data": {"url": "shop"}}, "data.url", "must be a link that starts with https:// or http://"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    shop: Shop, change: dict[str, Any], path: str, rule: str
) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        shop.set_up(**change)
    assert (caught.value.path, caught.value.rule) == (path, rule)
    assert shop.portal.requests.count() == 0

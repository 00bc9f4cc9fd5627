"""imconnector.*: who may call, and how a connector is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .shop import Shop, row

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ...conftest import Caller

METHODS = (
    "register",
    "unregister",
    "list",
    "activate",
    "status",
    "connector.data.set",
    "send.messages",
    "update.messages",
    "delete.messages",
    "send.status.delivery",
    "send.status.reading",
    "set.error",
    "chat.name.set",
)
REGISTRATION = {
    "ID": "Shop",
    "NAME": "The shop",
    "ICON": {"DATA_IMAGE": "data:image/svg+xml,x"},
    "PLACEMENT_HANDLER": "https://shop.example/settings",
}


@pytest.fixture
def shop(caller: Caller) -> Shop:
    shop = Shop(caller)
    caller.portal.lines.install_connector("shop", shop.line)
    return shop


# ---- who may call ----


@pytest.mark.parametrize("method", METHODS)
def test_a_webhook_is_refused_before_parameters_are_checked(caller: Caller, method: str) -> None:
    reply = caller.post(f"imconnector.{method}")
    assert (reply.status_code, reply.json()["error"]) == (403, "WRONG_AUTH_TYPE")
    assert reply.json()["error_description"].endswith("Application context required")


# ---- registration ----


def test_a_connector_is_registered_in_lower_case_and_can_be_registered_again(
    caller: Caller, portal: Emulator
) -> None:
    assert caller.result("imconnector.register", REGISTRATION, oauth=True) == {"result": True}
    again = {**REGISTRATION, "name": "Renamed"}
    del again["NAME"]
    assert caller.result("imconnector.register", again, oauth=True) == {"result": True}
    assert caller.result("imconnector.list", oauth=True) == {"livechat": "Live chat", "shop": "Renamed"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"ID": "a.b"}, "APPLICATION_REGISTRATION_ERROR_POINT"),
        ({"ID": ""}, "CONNECTOR_ID_REQUIRED"),
        ({"NAME": None}, "NAME_REQUIRED"),
        ({"NAME": 5}, "NAME_REQUIRED"),
        ({"ICON": {"COLOR": "#fff"}}, "ICON_REQUIRED"),
        ({"ICON": "x"}, "ICON_REQUIRED"),
        ({"PLACEMENT_HANDLER": ""}, "NO_PLACEMENT_HANDLER"),
    ],
)
def test_a_bad_registration_fails_with_http_200(caller: Caller, change: dict[str, Any], error: str) -> None:
    reply = caller.post("imconnector.register", {**REGISTRATION, **change}, oauth=True)
    body = reply.json()
    assert (reply.status_code, body["result"], body["error"]) == (200, False, error)
    assert body["error_description"]
    assert "time" not in body


def test_the_nested_register_errors_quirk_nests_the_error_as_documented(
    caller: Caller, portal: Emulator
) -> None:
    portal.quirks.nested_register_errors = True
    body = caller.post("imconnector.register", {}, oauth=True).json()
    assert (body["result"]["result"], body["result"]["error"]) == (False, "CONNECTOR_ID_REQUIRED")


def owned_by_another_application(portal: Emulator) -> None:
    portal.lines.install_connector("shop", 12)
    connector = portal.lines.connectors.get("shop")
    assert connector is not None
    connector.client_id = "local.another"


def test_a_connector_of_another_application_is_taken_over_by_registering_it(
    caller: Caller, portal: Emulator
) -> None:
    owned_by_another_application(portal)
    assert caller.result("imconnector.register", REGISTRATION, oauth=True) == {"result": True}
    connector = portal.lines.connectors.get("shop")
    assert connector is not None
    assert connector.client_id == portal.application.client_id


def test_a_connector_of_another_application_is_switched_off_and_not_removed_by_unregistering_it(
    caller: Caller, portal: Emulator
) -> None:
    owned_by_another_application(portal)
    assert caller.result("imconnector.unregister", {"ID": "shop"}, oauth=True) == {"result": True}
    assert portal.lines.connectors.get("shop") is not None
    assert portal.lines.connectors.status("shop", 12).active is False


def test_an_unknown_connector_is_unregistered_with_success(caller: Caller) -> None:
    assert caller.result("imconnector.unregister", {"ID": "nothing"}, oauth=True) == {"result": True}


def test_a_registration_without_an_id_to_remove_is_refused(caller: Caller) -> None:
    refused = caller.error("imconnector.unregister", oauth=True)
    assert refused == (200, "APPLICATION_UNREGISTRATION_ERROR")


@pytest.mark.parametrize("nested", [False, True])
def test_a_refused_connector_is_neither_registered_nor_removed_until_it_is_allowed(
    caller: Caller, portal: Emulator, nested: bool
) -> None:
    portal.quirks.nested_register_errors = nested
    connectors = portal.lines.connectors
    connectors.refuse("shop")
    bodies = [
        caller.post("imconnector.register", REGISTRATION, oauth=True).json(),
        caller.post("imconnector.unregister", {"ID": "shop"}, oauth=True).json(),
    ]
    found = [(body["result"] if nested else body)["error"] for body in bodies]
    assert found == ["APPLICATION_REGISTRATION_ERROR", "APPLICATION_UNREGISTRATION_ERROR"]
    assert connectors.get("shop") is None
    connectors.allow("shop")
    assert caller.result("imconnector.register", REGISTRATION, oauth=True) == {"result": True}


def test_an_option_that_is_left_out_of_a_second_registration_stays(caller: Caller, portal: Emulator) -> None:
    first = {**REGISTRATION, "NEWSLETTER": False, "CHAT_GROUP": True}
    caller.result("imconnector.register", first, oauth=True)
    caller.result("imconnector.register", {**REGISTRATION, "NAME": "Renamed"}, oauth=True)
    connector = portal.lines.connectors.get("shop")
    assert connector is not None
    assert (connector.name, connector.options["NEWSLETTER"], connector.chat_group) == ("Renamed", False, True)


def test_an_unregistered_connector_is_off_everywhere(shop: Shop) -> None:
    assert shop.caller.result("imconnector.unregister", {"id": "shop"}, oauth=True) == {"result": True}
    assert shop.result("status")["STATUS"] is False
    assert shop.error("send.messages", MESSAGES=[row()]) == (400, "IMCONNECTOR_NO_CORRECT_PROVIDER")


def test_the_list_of_connectors_is_for_administrators(caller: Caller, portal: Emulator) -> None:
    user = portal.portal.people.get(1)
    assert user is not None
    user.admin = False
    assert caller.error("imconnector.list", oauth=True) == (400, "ACCESS_DENIED")


# ---- activation ----


@pytest.mark.parametrize(("value", "on"), [("N", True), ("Y", True), (1, True), ("0", False), (0, False)])
def test_active_is_read_as_a_php_boolean(shop: Shop, value: object, on: bool) -> None:
    assert shop.result("activate", ACTIVE=value) is True
    assert shop.result("status") == {
        "LINE": shop.line,
        "CONNECTOR": "shop",
        "ERROR": False,
        "CONFIGURED": on,
        "STATUS": on,
    }


def test_active_may_be_empty_but_not_null(shop: Shop) -> None:
    body = shop.caller.post("imconnector.activate", shop.params(ACTIVE=None), oauth=True).json()
    assert (body["error"], body["argument"]) == ("ERROR_ARGUMENT", "ACTIVE")
    assert body["error_description"] == "Argument 'ACTIVE' is null or empty"
    assert shop.result("activate", ACTIVE="") is True
    assert shop.result("status")["STATUS"] is False


def test_switching_off_what_is_off_is_a_success(shop: Shop) -> None:
    assert [shop.result("activate", ACTIVE=value) for value in (False, False)] == [True, True]


def test_deactivation_clears_the_data_of_the_connector(shop: Shop, portal: Emulator) -> None:
    assert shop.result("connector.data.set", DATA={"name": "Shop", "URL": "https://shop.example"}) is True
    assert shop.result("connector.data.set", DATA={"NAME": "", "ID": "7"}) is True
    status = portal.lines.connectors.status("shop", shop.line)
    assert status.data == {"name": "Shop", "url": "https://shop.example", "id": "7"}
    shop.result("activate", ACTIVE=0)
    shop.result("activate", ACTIVE=1)
    assert portal.lines.connectors.status("shop", shop.line).data == {}


def test_data_is_kept_for_a_connector_that_is_off(shop: Shop, portal: Emulator) -> None:
    shop.result("activate", ACTIVE=0)
    assert shop.result("connector.data.set", DATA={"NAME": "Shop"}) is True
    assert shop.result("status")["CONFIGURED"] is False
    shop.result("activate", ACTIVE=1)
    assert portal.lines.connectors.status("shop", shop.line).data == {"name": "Shop"}


def test_a_status_without_a_line_is_that_of_line_0(caller: Caller) -> None:
    status = caller.result("imconnector.status", {"CONNECTOR": "shop"}, oauth=True)
    assert (status["LINE"], status["CONFIGURED"]) == (0, False)


def test_a_connector_with_an_error_delivers_nothing_until_it_is_activated_again(shop: Shop) -> None:
    assert shop.result("set.error") == {"SUCCESS": True, "DATA": []}
    status = shop.result("status")
    assert (status["ERROR"], status["CONFIGURED"], status["STATUS"]) == (True, True, False)
    assert shop.error("send.messages", MESSAGES=[row()]) == (400, "NOT_ACTIVE_LINE")
    shop.result("activate", ACTIVE=1)
    assert shop.send(row())[0]["SUCCESS"] is True

"""events, event.bind, event.unbind, event.get: an application's subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ...conftest import Caller

REPLY = "ONIMCONNECTORMESSAGEADD"
OFFLINE = {"event": "OnImConnectorMessageAdd", "event_type": "offline"}
ONLINE = {"event": "ONCRMDEALUPDATE", "handler": "https://shop.example/events"}
METHODS = ("events", "event.bind", "event.unbind", "event.get")


@pytest.fixture
def clerk(portal: Emulator) -> int:
    """Make the application's user one without administrator rights."""
    user = portal.portal.people.get(1)
    assert user is not None
    user.admin = False
    return user.id


@pytest.mark.parametrize("method", METHODS)
def test_a_webhook_is_refused_before_parameters_are_checked(caller: Caller, method: str) -> None:
    assert caller.error(method) == (403, "WRONG_AUTH_TYPE")


def test_an_offline_subscription_is_listed_and_ended(caller: Caller) -> None:
    assert caller.result("event.bind", OFFLINE, oauth=True) is True
    assert caller.result("event.get", oauth=True) == [{"event": REPLY, "connector_id": "", "offline": 1}]
    assert caller.result("event.unbind", OFFLINE, oauth=True) == {"count": 1}
    assert caller.result("event.unbind", OFFLINE, oauth=True) == {"count": 0}
    assert caller.result("event.get", oauth=True) == []


def test_an_online_subscription_has_an_address_and_a_user(caller: Caller) -> None:
    assert caller.result("event.bind", {**ONLINE, "auth_type": 15}, oauth=True) is True
    row = {"event": "ONCRMDEALUPDATE", "handler": ONLINE["handler"], "auth_type": "15", "offline": 0}
    assert caller.result("event.get", oauth=True) == [row]
    assert caller.result("event.unbind", {**ONLINE, "auth_type": 0}, oauth=True) == {"count": 0}
    assert caller.result("event.unbind", ONLINE, oauth=True) == {"count": 1}


@pytest.mark.parametrize("asked", [OFFLINE, ONLINE])
def test_the_same_subscription_is_refused_the_second_time(caller: Caller, asked: dict[str, Any]) -> None:
    caller.result("event.bind", asked, oauth=True)
    reply = caller.post("event.bind", asked, oauth=True)
    assert (reply.status_code, reply.json()["error"]) == (400, "ERROR_CORE")
    assert reply.json()["error_description"].endswith("Handler already binded")


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({}, "ERROR_ARGUMENT"),
        ({"event": "ONNOTHING", "event_type": "offline"}, "ERROR_EVENT_NOT_FOUND"),
        ({"event": REPLY, "event_type": "sometimes"}, "ERROR_ARGUMENT"),
        ({"event": REPLY}, "ERROR_ARGUMENT"),
        ({"event": "ONOFFLINEEVENT", "event_type": "offline"}, "ERROR_ARGUMENT"),
        ({"event": REPLY, "handler": "ftp://shop.example"}, "ERROR_UNSUPPORTED_PROTOCOL"),
        ({"event": REPLY, "handler": "https://localhost/x"}, "ERROR_WRONG_HANDLER_URL"),
    ],
)
def test_a_bad_subscription_is_refused(caller: Caller, asked: dict[str, Any], error: str) -> None:
    assert caller.error("event.bind", asked, oauth=True) == (400, error)


def test_an_event_of_a_scope_that_the_application_lacks_is_not_found(
    caller: Caller, portal: Emulator
) -> None:
    portal.application.scopes -= {"imconnector", "imopenlines"}
    assert caller.error("event.bind", OFFLINE, oauth=True) == (400, "ERROR_EVENT_NOT_FOUND")
    assert REPLY not in caller.result("events", oauth=True)
    assert REPLY in caller.result("events", {"FULL": True}, oauth=True)
    assert caller.result("events", {"SCOPE": "user"}, oauth=True) == ["ONUSERADD"]


def test_a_user_without_administrator_rights_subscribes_online_and_for_themselves(
    caller: Caller, clerk: int
) -> None:
    assert caller.error("event.bind", OFFLINE, oauth=True) == (403, "ACCESS_DENIED")
    assert caller.error("event.unbind", OFFLINE, oauth=True) == (403, "ACCESS_DENIED")
    assert caller.error("event.bind", {**ONLINE, "auth_type": 2}, oauth=True) == (403, "ACCESS_DENIED")
    assert caller.result("event.bind", ONLINE, oauth=True) is True
    assert caller.result("event.get", oauth=True)[0]["auth_type"] == str(clerk)


def test_source_keys_need_a_plan_that_has_them(caller: Caller, portal: Emulator) -> None:
    keyed = {**OFFLINE, "auth_connector": "airflow"}
    assert caller.result("event.bind", keyed, oauth=True) is True
    assert caller.result("event.get", oauth=True)[0]["connector_id"] == "airflow"
    portal.quirks.auth_connector = False
    assert caller.error("event.bind", keyed, oauth=True) == (403, "WRONG_LICENSE")
    assert caller.result("feature.get", {"CODE": "rest_auth_connector"}) == {"value": "N"}

"""user.*, profile, and what the REST module says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ...conftest import Caller


def test_the_caller_is_the_service_account(caller: Caller) -> None:
    for name in ("user.current", "profile"):
        for oauth in (False, True):
            user = caller.result(name, oauth=oauth)
            assert (user["ID"], user["NAME"], user["LAST_NAME"]) == ("1", "Airflow", "Service")
    assert caller.result("profile")["ADMIN"] is True


def test_users_come_fifty_a_page(caller: Caller, portal: Emulator) -> None:
    for number in range(60):
        portal.add_user(f"Person {number}")
    first = caller.post("user.get").json()
    assert (first["total"], first["next"], len(first["result"])) == (66, 50, 50)
    last = caller.post("user.get", {"start": 50}).json()
    assert ("next" in last, len(last["result"])) == (False, 16)


def test_users_are_filtered_by_fields_and_by_a_filter(caller: Caller) -> None:
    for params in ({"ID": 2}, {"ID": [2]}, {"FILTER": {"ID": "2"}}, {"filter": {"NAME": "Anna"}}):
        assert [user["LAST_NAME"] for user in caller.result("user.get", params)] == ["Petrova"]
    assert caller.result("user.get", {"ACTIVE": False}) == []
    assert caller.result("user.get", {"ID": 99}) == []


def test_users_are_sorted_by_number_for_ids_and_by_text_for_names(caller: Caller, portal: Emulator) -> None:
    for number in range(5):
        portal.add_user(f"Aaron {number}")
    ids = [user["ID"] for user in caller.result("user.get", {"sort": "ID", "order": "DESC"})]
    assert ids[:3] == ["11", "10", "9"]
    assert caller.result("user.get", {"sort": "LAST_NAME", "order": "ASC"})[0]["NAME"] == "Aaron"


def test_users_are_searched_by_name_and_position(caller: Caller) -> None:
    assert [user["ID"] for user in caller.result("user.search", {"FIND": "klein"})] == ["3"]
    assert [user["ID"] for user in caller.result("user.search", {"FIND": "data eng"})] == ["3"]
    assert [user["ID"] for user in caller.result("user.search", {"NAME": "ann"})] == ["2"]


def test_scopes_are_the_callers_own_or_all(caller: Caller, portal: Emulator) -> None:
    portal.portal.credentials.webhook.scopes = {"im", "vote"}
    assert caller.result("scope") == ["im", "vote"]
    assert "imopenlines" in caller.result("scope", {"full": True})
    assert "imopenlines" in caller.result("scope", oauth=True)


def test_method_get_and_methods_depend_on_the_callers_scopes(caller: Caller, portal: Emulator) -> None:
    portal.portal.credentials.webhook.scopes = {"im"}
    assert caller.result("method.get", {"name": "im.chat.add"}) == {"isExisting": True, "isAvailable": True}
    assert caller.result("method.get", {"name": "user.get"}) == {"isExisting": True, "isAvailable": False}
    assert caller.result("method.get", {"name": "no.such"}) == {"isExisting": False, "isAvailable": False}
    known = caller.result("methods")
    assert {"im.chat.add", "batch", "profile"} <= set(known)
    assert not {"user.get", "vote.AttachedVote.get"} & set(known)
    assert "user.get" in caller.result("methods", {"full": 1})
    assert set(caller.result("methods", {"scope": "im"})) < set(known)


def test_app_info_gives_the_application_its_id_and_a_webhook_its_scopes(
    caller: Caller, portal: Emulator
) -> None:
    assert caller.result("app.info", oauth=True)["CODE"] == portal.application.client_id
    assert "vote" in caller.result("app.info")["SCOPE"]


def test_server_time_is_iso_and_feature_get_knows_its_features(caller: Caller) -> None:
    assert caller.result("server.time") == "2027-01-15T08:00:00+00:00"
    assert caller.result("feature.get", {"CODE": "rest_offline_extended"}) == {"value": "Y"}
    assert caller.result("feature.get", {"CODE": "flying"}) == {"value": "N"}
    assert caller.error("feature.get") == (400, "CODE_EMPTY")

"""app.option.* and user.option.*: settings that an application keeps on the portal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ...conftest import Caller

KINDS = ["app", "user"]


@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_kept_and_added_to(caller: Caller, kind: str) -> None:
    assert caller.result(f"{kind}.option.set", {"options": {"a": "1", "b": "2"}}, oauth=True) is True
    assert caller.result(f"{kind}.option.set", {"options": {"b": "3"}}, oauth=True) is True
    assert caller.result(f"{kind}.option.get", oauth=True) == {"a": "1", "b": "3"}
    assert caller.result(f"{kind}.option.get", {"option": "b"}, oauth=True) == "3"
    assert caller.result(f"{kind}.option.get", {"option": "c"}, oauth=True) is None


def test_the_settings_of_a_user_are_not_those_of_the_application(caller: Caller) -> None:
    caller.result("user.option.set", {"options": {"a": "1"}}, oauth=True)
    assert caller.result("app.option.get", oauth=True) == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_settings_are_an_empty_list_and_can_not_be_set(caller: Caller, kind: str) -> None:
    assert caller.result(f"{kind}.option.get", oauth=True) == []
    assert caller.error(f"{kind}.option.set", oauth=True) == (400, "ArgumentNullException")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", ["get", "set"])
def test_a_webhook_has_no_settings(caller: Caller, kind: str, verb: str) -> None:
    assert caller.error(f"{kind}.option.{verb}", {"options": {"a": "1"}}) == (400, "AccessException")


def test_only_an_administrator_sets_the_application_s_settings(caller: Caller, portal: Emulator) -> None:
    user = portal.portal.people.get(1)
    assert user is not None
    user.admin = False
    assert caller.error("app.option.set", {"options": {"a": "1"}}, oauth=True) == (400, "AccessException")
    assert caller.result("user.option.set", {"options": {"a": "1"}}, oauth=True) is True

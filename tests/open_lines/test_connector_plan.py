"""Which steps lead from a connector that is found to the one that is wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.open_lines.connector_plan import FoundConnector, Step, is_reached, plan
from airflow_provider_b24.open_lines.connector_status import ConnectorStatus
from airflow_provider_b24.open_lines.registration import data_params, digest
from airflow_provider_b24.open_lines.wanted_connector import ConnectorState, WantedConnector, wanted_connector

ON = ConnectorStatus(active=True, configured=True)
OFF = ConnectorStatus()
BROKEN = ConnectorStatus(active=False, configured=True, error=True)
WANTED = wanted_connector(connector="shop", line=12, name="Shop", handler_url="https://shop.example")
DATA = data_params(None, connector="shop", line=12, name="Shop")
THERE = FoundConnector("Shop", ON, digest(WANTED.registration), digest(DATA))
NOTHING = FoundConnector(None, OFF)


def wanted(state: str) -> WantedConnector:
    return wanted_connector(
        connector="shop", line=12, state=state, name="Shop", handler_url="https://shop.example"
    )


def steps(found: FoundConnector, state: str = "present", **more: Any) -> list[str]:
    return [str(step) for step in plan(wanted(state), found, data=DATA, **more)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (THERE, []),
        (NOTHING, ["register", "activate", "set_data"]),
        (replace(THERE, name="Old name"), ["register"]),
        (replace(THERE, registration=None), ["register"]),
        (replace(THERE, registration="another"), ["register"]),
        (replace(THERE, data=None), ["set_data"]),
        (replace(THERE, data="another"), ["set_data"]),
        # Its data is erased whatever was set once.
        (replace(THERE, status=OFF), ["activate", "set_data"]),
        # An error leaves the data.
        (replace(THERE, status=BROKEN), ["activate"]),
        (replace(THERE, name=None, registration=None), ["register"]),
    ],
)
def test_only_the_missing_steps_towards_a_present_connector_are_planned(
    found: FoundConnector, expected: list[str]
) -> None:
    assert steps(found) == expected


def test_force_registers_and_sets_the_data_again() -> None:
    assert steps(THERE, force=True) == ["register", "set_data"]


def test_a_name_that_the_portal_escapes_is_the_same_name() -> None:
    shop = wanted_connector(connector="shop", line=12, name="A & B", handler_url="https://shop.example")
    found = replace(THERE, name="A &amp; B", registration=digest(shop.registration))
    assert plan(shop, found, data=DATA) == []


@pytest.mark.parametrize(
    ("state", "found", "expected"),
    [
        ("inactive", THERE, ["deactivate"]),
        ("inactive", replace(THERE, status=BROKEN), ["deactivate"]),
        ("inactive", replace(THERE, status=OFF), []),
        ("inactive", NOTHING, []),
        ("absent", THERE, ["deactivate", "unregister"]),
        ("absent", replace(THERE, status=OFF), ["unregister"]),
        ("absent", replace(THERE, status=None), ["unregister"]),
        ("absent", replace(NOTHING, status=ON), ["deactivate"]),
        ("absent", NOTHING, []),
        ("absent", replace(NOTHING, status=None), []),
    ],
)
def test_only_what_is_there_is_switched_off_and_removed(
    state: str, found: FoundConnector, expected: list[str]
) -> None:
    assert steps(found, state) == expected


def done(found: FoundConnector, step: Step) -> FoundConnector:
    """Return what the portal has after a step, as its source does it."""
    match step:
        case Step.REGISTER:
            return replace(found, name="Shop", registration=digest(WANTED.registration))
        case Step.ACTIVATE:
            return replace(found, status=ON)
        case Step.SET_DATA:
            return replace(found, data=digest(DATA))
        case Step.DEACTIVATE:
            return replace(found, status=OFF, data=None)
    return replace(found, name=None, registration=None, data=None, status=found.status and OFF)


STATUSES = st.builds(ConnectorStatus, st.booleans(), st.booleans(), st.booleans())
DIGESTS = st.sampled_from([None, "another", digest(WANTED.registration), digest(DATA)])
FOUND = st.builds(FoundConnector, st.sampled_from([None, "Shop", "Other"]), STATUSES, DIGESTS, DIGESTS)


@given(FOUND, st.sampled_from(list(ConnectorState)), st.booleans())
def test_the_steps_reach_the_state_and_then_there_are_none(
    found: FoundConnector, state: ConnectorState, force: bool
) -> None:
    goal = wanted(state)
    for step in plan(goal, found, data=DATA, force=force):
        found = done(found, step)
    assert is_reached(goal, found)
    assert plan(goal, found, data=DATA) == []


@given(FOUND, st.sampled_from(list(ConnectorState)), st.integers(0, 3))
def test_a_plan_that_is_cut_short_is_finished_by_the_next_one(
    found: FoundConnector, state: ConnectorState, taken: int
) -> None:
    goal = wanted(state)
    for step in plan(goal, found, data=DATA)[:taken]:
        found = done(found, step)
    for step in plan(goal, found, data=DATA):
        found = done(found, step)
    assert is_reached(goal, found)


def test_what_was_found_is_json() -> None:
    assert THERE.to_dict() == {
        "registered": True,
        "name": "Shop",
        "active": True,
        "configured": True,
        "error": False,
    }
    assert replace(NOTHING, status=None).to_dict() == {
        "registered": False,
        "name": None,
        "active": None,
        "configured": None,
        "error": None,
    }

"""Each of the emulator's switches shows as exactly its difference, and nothing else."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.conformance.runner import Verdict
from airflow_provider_b24.emulator.state.quirks import Quirks
from tests.conformance.switches import SWITCHES, UNSEEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.conformance.runner import Row

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def usual(make_rows: Callable[..., dict[str, Row]]) -> dict[str, Row]:
    """What an application shows of the emulator without a switch."""
    return make_rows(Quirks(), "oauth")


def test_every_switch_is_in_the_table() -> None:
    known = {switch.name for switch in SWITCHES} | set(UNSEEN)

    assert known == {field.name for field in fields(Quirks)}


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: f"{switch.name}={switch.value!r}")
def test_a_switch_changes_exactly_its_rows(
    usual: dict[str, Row], make_rows: Callable[..., dict[str, Row]], switch: Any
) -> None:
    rows = make_rows(replace(Quirks(), **{switch.name: switch.value}), "oauth")

    changed = {name: row.found for name, row in rows.items() if row.found != usual[name].found}
    assert changed == switch.rows
    verdict = Verdict.DIFFERS if switch.differs else Verdict.HOLDS
    assert {rows[name].verdict for name in changed} == {verdict}


@pytest.mark.parametrize("name", [name for name in UNSEEN if name != "https_required"])
def test_a_switch_that_no_probe_can_see_changes_nothing(
    usual: dict[str, Row], make_rows: Callable[..., dict[str, Row]], name: str
) -> None:
    rows = make_rows(replace(Quirks(), **{name: UNSEEN[name].value}), "oauth")

    assert {key: row.found for key, row in rows.items()} == {key: row.found for key, row in usual.items()}

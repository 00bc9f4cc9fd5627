"""Each name is found in each place where a version of Airflow keeps it."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from airflow_provider_b24 import compat

FOUND = [(name, place) for name, places in compat._PLACES.items() for place in places]


def leave_only(monkeypatch: pytest.MonkeyPatch, name: str, place: str | None) -> object:
    """Make this place the only one that has the name, and return what it names there."""
    wanted = object()
    for other in compat._PLACES[name]:
        module: Any = ModuleType(other)
        if other == place:
            setattr(module, name, wanted)
        # compat.sdk is always there, with or without the name; the others may be absent.
        monkeypatch.setitem(sys.modules, other, module if other in {compat._SDK, place} else None)
    return wanted


@pytest.mark.parametrize(("name", "place"), FOUND)
def test_a_name_is_found_where_it_is(monkeypatch: pytest.MonkeyPatch, name: str, place: str) -> None:
    wanted = leave_only(monkeypatch, name, place)

    assert getattr(compat, name) is wanted


@pytest.mark.parametrize("name", compat._PLACES)
def test_a_name_that_airflow_lacks_is_an_import_error(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    leave_only(monkeypatch, name, None)

    with pytest.raises(ImportError, match=f"This Airflow has no {name} in any of"):
        getattr(compat, name)


def test_any_other_name_is_an_attribute_error() -> None:
    assert not hasattr(compat, "BaseOperator")
